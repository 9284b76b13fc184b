"""What an endpoint is sent and answers: CSV, JSON and JSON Lines, as SageMaker's containers take them."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv

from monitors.shap.kernel import Array
from schemas.errors import ConfigError, ModelFailed

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
TYPES = (CSV, JSON, JSON_LINES)

Write = Callable[[pa.Table], bytes]

_LISTS = ("predictions", "instances", "outputs", "scores")  # keys that hold the answers of a JSON document
_MOST_DIGITS = 2.0**53


def writer(kind: str, named: bool) -> Write:
    """How rows are written. JSON as {"instances": [...]}, JSON Lines a row a line: each a row's values by
    name, or else {"features": [...]}. Raises ConfigError.

    >>> writer(JSON_LINES, False)(pa.table({"age": [39.0], "city": ["rome"]}))
    b'{"features":[39,"rome"]}'
    """
    if kind == CSV:
        return _csv
    if kind == JSON:
        return lambda rows: msgspec.json.encode({"instances": _objects(rows, named)})
    if kind == JSON_LINES:
        return lambda rows: b"\n".join(map(msgspec.json.encode, _objects(rows, named)))
    raise ConfigError(f"explain: no content type {kind}; there are {', '.join(TYPES)}")


def _csv(rows: pa.Table) -> bytes:
    """Without quotes where no text needs them, as callers write it and simple servers read it."""
    for style in ("none", "needed"):
        out = io.BytesIO()
        try:
            pa.csv.write_csv(rows, out, pa.csv.WriteOptions(include_header=False, quoting_style=style))
            break
        except pa.ArrowInvalid:
            continue
    return out.getvalue().removesuffix(b"\n")


def _objects(rows: pa.Table, named: bool) -> list[dict[str, Any]]:
    columns = [_plain(column) for column in rows.columns]
    if not named:
        return [{"features": list(row)} for row in zip(*columns, strict=True)]
    return [dict(zip(rows.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Values for JSON: whole numbers without a point, missing ones null."""
    if not pa.types.is_floating(column.type):
        return list(column.to_pylist())
    return [
        None if value is None or value != value else int(value) if _is_whole(value) else value
        for value in column.to_pylist()
    ]


def _is_whole(value: float) -> bool:
    return abs(value) < _MOST_DIGITS and value == int(value)


def read(body: bytes, kind: str, rows: int, outputs: Sequence[str | int] | None = None) -> Array:
    """Answers as numbers, shape (rows, outputs). `outputs` picks some by name or place; else it is all that
    are numbers in every row.

    Raises ModelFailed where the answer is not of so many rows, or holds no such output.
    """
    try:
        listed = _read_csv(body) if kind.partition(";")[0].strip() == CSV else _read_json(body)
        cells = [_cells(item) for item in listed]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFailed(f"the model's answer cannot be read as {kind}: {error}") from error
    if len(cells) == 1 != rows and len(cells[0]) == rows:  # a line of as many values as rows
        cells = [{0: value} for value in cells[0].values()]
    if len(cells) != rows:
        raise ModelFailed(f"the model answered {len(cells)} rows to {rows}")
    chosen = outputs if outputs is not None else _numeric(cells)
    found = np.array([[_number(_pick(cell, name)) for name in chosen] for cell in cells], np.float64)
    if not chosen or not np.isfinite(found).all():
        raise ModelFailed("the model's answer holds something that is no number")
    return found


def _read_csv(body: bytes) -> list[Any]:
    return [[cell.strip() for cell in line.split(",")] for line in body.decode().strip().splitlines()]


def _read_json(body: bytes) -> list[Any]:
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return [msgspec.json.decode(line) for line in body.splitlines() if line.strip()]
    if isinstance(document, dict):
        inner = next((document[name] for name in _LISTS if isinstance(document.get(name), list)), None)
        return [document] if inner is None else inner
    return document if isinstance(document, list) else [document]


def _cells(item: Any) -> dict[str | int, Any]:
    """Values of one row by name, and by place."""
    if isinstance(item, Mapping):
        found: dict[str | int, Any] = {}
        for name, value in item.items():
            if isinstance(value, list):
                found |= {f"{name}.{place}": inner for place, inner in enumerate(value)}
            else:
                found[str(name)] = value
        return found
    return dict(enumerate(item if isinstance(item, list) else [item]))


def _pick(cell: Mapping[str | int, Any], name: str | int) -> Any:
    if isinstance(name, int) and name not in cell:
        return list(cell.values())[name] if 0 <= name < len(cell) else None
    return cell.get(name)


def _numeric(cells: Sequence[Mapping[str | int, Any]]) -> list[str | int]:
    return [name for name in cells[0] if all(np.isfinite(_number(cell.get(name))) for cell in cells)]


def _number(value: Any) -> float:
    """NaN where it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan
