"""Data sets that a baseline is made from: CSV with a header or without, JSON, Parquet."""

import csv
import gzip
import io
import re
import zlib
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from monitors.types import classify
from schemas.errors import SourceError

_JSON = (".json", ".jsonl", ".ndjson")
_INDEX = re.compile(r"__index_level_\d+__")  # pandas' row numbers, which no traffic has
_PLACED = re.compile(r"_c\d+")
_BOM = b"\xef\xbb\xbf"
UNREADABLE = (OSError, EOFError, zlib.error, csv.Error, pa.ArrowException)


def read(path: Path, header: bool | None = None) -> pa.Table:
    """A data set as a table; CSV cells stay text, so that their type is told by the rules of a baseline.

    `header`: whether the first line of a CSV file names the columns; None finds out (`has_header`).
    Without a header the names are _c0, _c1, ... as in Model Monitor. A file may be gzipped.

    Raises SourceError, which names the line where there is one to name.
    """
    try:
        table = _read(path, header)
    except UNREADABLE as error:
        raise SourceError(f"{path}: {error}") from error
    if not table.num_rows:
        raise SourceError(f"{path}: holds no rows")
    if twice := sorted({name for name in table.column_names if table.column_names.count(name) > 1}):
        raise SourceError(f"{path}: columns of the same name: {', '.join(twice)}")
    return table


def _read(path: Path, header: bool | None) -> pa.Table:
    match form(path):
        case "Parquet":
            return read_parquet(path)
        case "JSON":
            return _read_json(content(path))
        case _:
            return _read_csv(content(path), header)


def form(path: Path) -> Literal["Parquet", "JSON", "CSV"]:
    """What a file holds, by its name."""
    plain = path.name.lower().removesuffix(".gz")
    if plain.endswith(".parquet"):
        return "Parquet"
    return "JSON" if plain.endswith(_JSON) else "CSV"


def content(path: Path) -> bytes:
    """The text of a file, decompressed."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.name.lower().endswith(".gz") else raw
    text = text.removeprefix(_BOM)
    if not text.strip():
        raise pa.ArrowInvalid("the file is empty")
    return text


def read_parquet(path: Path) -> pa.Table:
    """A Parquet file as a flat table, without the row numbers that pandas adds."""
    table = pyarrow.parquet.ParquetFile(path).read()
    table = table.select([name for name in table.column_names if not _INDEX.fullmatch(name)])
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()  # as payloads are: nested fields are named by their path
    return table


def _read_csv(text: bytes, header: bool | None) -> pa.Table:
    first, *rest = islice(csv_rows(text), 2)
    named = has_header(first, rest[0] if rest else []) if header is None else header
    names = [name.strip() for name in first] if named else [f"_c{i}" for i in range(len(first))]
    if len(set(names)) < len(names):
        twice = max(names, key=names.count)
        raise pa.ArrowInvalid(f"the header names {twice!r} twice; if it is no header, say --no-header")
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(text),
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=16 << 20),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(_what_is_wrong(text, len(first)) or str(error)) from error
    return table.slice(int(named))


def csv_rows(text: bytes) -> Any:
    """Rows by Python's reader, which is slower and knows its line numbers; not those of blank lines."""
    return filter(None, csv.reader(io.TextIOWrapper(io.BytesIO(text), "utf-8", "replace", newline="")))


def _what_is_wrong(text: bytes, width: int) -> str | None:
    """Where a CSV file is damaged: bytes that are no text, or a row of another width."""
    reader = csv.reader(io.StringIO(decoded(text), newline=""))
    for row in reader:
        if row and len(row) != width:
            return f"line {reader.line_num}: {len(row)} columns, and the first line has {width}"
    return None


def decoded(text: bytes) -> str:
    """Bytes as text."""
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise pa.ArrowInvalid(f"line {line}: invalid UTF-8") from error


def has_header(first: list[str], second: list[str]) -> bool:
    """Whether `first` names columns: no cell is empty or a number, and none occurs twice.

    >>> has_header(["age", "city"], ["3", "Rome"]), has_header(["3", "Rome"], ["4", "Oslo"])
    (True, False)
    """
    cells = [cell.strip() for cell in first]
    if not all(cells) or len(set(cells)) < len(cells):
        return False
    types, _, _ = classify(pa.array(cells, pa.string()))
    return not types.numeric and (not second or cells != [cell.strip() for cell in second])


def _read_json(text: bytes) -> pa.Table:
    """A JSON array of rows, or JSON Lines. Names are those that captured payloads give their columns."""
    columns: dict[str, list[Any]] = {}
    rows = [_cells(item) for item in items(text)]
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys() and any(
            _PLACED.fullmatch(name) for name in row.keys() ^ rows[0].keys()
        ):
            raise pa.ArrowInvalid(
                f"row {number + 1}: a list is not as long, or not there, as in the first row"
            )
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column += [None] * (number - len(column))
            column.append(value)
    return pa.table({name: _column(values, len(rows)) for name, values in columns.items()})


def items(text: bytes) -> list[Any]:
    """The rows of a JSON array, of JSON Lines, or of one document."""
    plain = decoded(text)
    try:
        document = msgspec.json.decode(plain)
        return document if isinstance(document, list) else [document]
    except msgspec.DecodeError as error:
        problem = error
    found = []
    for number, line in enumerate(plain.split("\n"), 1):
        try:
            if line.strip():
                found.append(msgspec.json.decode(line))
        except msgspec.DecodeError as error:
            where = f"line {number}: {error}" if found else str(problem)  # not even one line: a document
            raise pa.ArrowInvalid(where) from error
    return found


def _cells(item: Any) -> dict[str, Any]:
    """Values of a row: those in objects by their path, those in lists by their place behind them."""
    named: dict[str, Any] = {}
    placed: list[Any] = []
    pending = [("", item)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            inner = [(f"{path}.{key}" if path else key, value[key]) for key in value]
            pending += reversed(inner)
        elif isinstance(value, list):
            placed += value
        elif path:
            named[path] = value
        else:
            placed.append(value)
    return named | {f"_c{place}": value for place, value in enumerate(placed, len(named))}


def _column(values: list[Any], rows: int) -> pa.Array:
    """Values of one JSON type as that type, others as text; a row that has none has a missing value."""
    values = values + [None] * (rows - len(values))
    types = set(map(type, values)) - {type(None)}
    if types <= {int, float} and not any(abs(value) >= 2**63 for value in values if type(value) is int):
        return pa.array(values, pa.float64() if float in types else pa.int64())
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
