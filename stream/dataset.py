"""Data sets that a baseline is made from: CSV with or without a header, JSON Lines, Parquet."""

import csv
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from monitors.types import classify
from schemas.errors import SourceError

_JSON = (".json", ".jsonl", ".ndjson")


def read(path: Path, header: bool | None = None) -> pa.Table:
    """A data set as a table; CSV cells stay text, so that their type is told by the rules of a baseline.

    `header`: whether the first line of a CSV file names the columns; None finds out (`has_header`).
    Without a header the names are _c0, _c1, ... as in Model Monitor. A file may be gzipped.

    Raises SourceError.
    """
    try:
        plain = path.name.removesuffix(".gz").lower()
        if plain.endswith(".parquet"):
            table = pyarrow.parquet.read_table(path)
        elif plain.endswith(_JSON):
            table = pyarrow.json.read_json(pa.py_buffer(_content(path))).flatten()
        else:
            table = _read_csv(_content(path), header)
    except (OSError, EOFError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: {error}") from error
    if not table.num_rows:
        raise SourceError(f"{path}: holds no rows")
    if len(set(table.column_names)) < len(table.column_names):
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        raise SourceError(f"{path}: columns of the same name: {', '.join(twice)}")
    return table


def _content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()


def _read_csv(text: bytes, header: bool | None) -> pa.Table:
    if not text.strip():
        raise pa.ArrowInvalid("the file is empty")
    text = text.removeprefix(b"\xef\xbb\xbf")
    first_rows = list(csv.reader(text[: 1 << 20].decode("utf-8", "replace").splitlines()[:2]))
    first, rows = first_rows[0], first_rows[1:]
    named = has_header(first, rows[0] if rows else []) if header is None else header
    names = [name.strip() for name in first] if named else [f"_c{i}" for i in range(len(first))]
    return pyarrow.csv.read_csv(
        pa.py_buffer(text),
        read_options=pyarrow.csv.ReadOptions(column_names=_unique(names), skip_rows=int(named)),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )


def _unique(names: list[str]) -> list[str]:
    """The same names; a repeated one is an error that says so better than the parser would."""
    if len(set(names)) < len(names):
        raise pa.ArrowInvalid(f"the header names a column twice: {sorted(set(names), key=names.count)[-1]}")
    return names


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
