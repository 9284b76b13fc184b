"""Values of many rows as Arrow columns of the types that a layout asks for."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from schemas import payload
from schemas.layout import Kind, Layout
from schemas.sides import ABSENT, Side

ARROW: Mapping[Kind, pa.DataType] = {"Integral": pa.int64(), "Fractional": pa.float64()}


def columns_of(sides: list[Side], names: list[str], layout: Layout) -> dict[str, pa.Array]:
    if sides[0] is ABSENT:
        return {}
    if sides[0].text is not None:
        return _csv_columns([side.text or "" for side in sides], names, layout)
    return _json_columns([row for side in sides for row in side.json], names, layout)


def _csv_columns(texts: list[str], names: list[str], layout: Layout) -> dict[str, pa.Array]:
    """Parse all payloads as one CSV; columns that do not fit their type are read again as text."""
    text = "\n".join(texts).encode("utf-8", "replace") + b"\n"
    types = {name: ARROW.get(layout.columns.get(name, "String"), pa.string()) for name in names}
    try:
        table = _read_csv(text, types)
    except pa.ArrowInvalid:
        table = _read_csv(text, dict.fromkeys(types, pa.string()))
    columns = {name: table[name].combine_chunks() for name in names}
    if any(pa.types.is_floating(c.type) and not _finite(c) for c in columns.values()):
        as_text = _read_csv(text, dict.fromkeys(types, pa.string()))
        columns = {name: as_text[name].combine_chunks() for name in names}
    return {name: _narrow(column, types[name]) for name, column in columns.items()}


def _read_csv(text: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
    return pyarrow.csv.read_csv(
        pa.py_buffer(text),
        read_options=pyarrow.csv.ReadOptions(
            column_names=list(types), use_threads=False, block_size=max(len(text), 1)
        ),
        parse_options=pyarrow.csv.ParseOptions(ignore_empty_lines=False, newlines_in_values=b'"' in text),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
        ),
    )


def _finite(column: pa.Array) -> bool:
    return pc.all(pc.is_finite(column), min_count=0).as_py() is not False


def _narrow(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """A text column as `wanted` when every value is; a cast must not let through `nan`, `inf` or blanks."""
    if column.type == wanted or not pa.types.is_string(column.type):
        return column
    try:
        cast = column.cast(wanted)
    except pa.ArrowInvalid:
        return column
    return cast if not pa.types.is_floating(wanted) or _finite(cast) else column


def _json_columns(rows: list[payload.Row], names: list[str], layout: Layout) -> dict[str, pa.Array]:
    values: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for row in rows for name in row.named):
        values[name] = [row.named.get(name) for row in rows]
    for place, name in enumerate(names):
        values[name] = [row.placed[place] for row in rows]
    return {name: json_column(column, layout.columns.get(name, "String")) for name, column in values.items()}


def json_column(values: list[Any], kind: Kind) -> pa.Array:
    """JSON values as a column: of the type of `kind` where each value is that JSON type, else as text.

    >>> json_column([1, 2, None], "Fractional").type, json_column([1, "x"], "Integral").type
    (DataType(double), DataType(string))
    """
    types = set(map(type, values)) - {type(None)}
    try:
        if kind == "Integral" and types <= {int}:
            return pa.array(values, pa.int64())
        if kind == "Fractional" and types <= {int, float}:
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
    except OverflowError:
        pass
    return pa.array([_json_text(value) for value in values], pa.string())


def _json_text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text.encode("utf-8", "replace").decode()
