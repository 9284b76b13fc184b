"""Capture records made up for tests, and what was decoded of them in a form that is easy to compare."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from schemas.decode import Decoded, decode
from schemas.frame import Frame, Subject
from schemas.layout import NUMERIC, Layout

WHEN = "2025-03-04T10:02:11Z"
WHEN_MS = 1_741_082_531_000
PEOPLE = Layout({"score": "Fractional", "age": "Integral", "city": "String"})
INPUTS = Layout({"age": "Integral", "city": "String"})
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def payload(data: str, encoding: str = "CSV", kind: str | None = None) -> dict[str, str]:
    return {"data": data, "encoding": encoding} | ({"observedContentType": kind} if kind else {})


def capture(
    given: str | dict[str, str] | None = "34,north",
    output: str | dict[str, str] | None = None,
    *,
    encoding: str = "CSV",
    event_id: str = "e1",
    time: str | None = WHEN,
    **more: Any,
) -> bytes:
    """One capture record; a side given as text has `encoding`."""
    sides = {"endpointInput": given, "endpointOutput": output}
    data = {
        name: payload(side, encoding) if isinstance(side, str) else side
        for name, side in sides.items()
        if side is not None
    }
    about = {"eventId": event_id} | ({"inferenceTime": time} if time is not None else {})
    return json.dumps(
        {"captureData": data, "eventMetadata": about, "eventVersion": "0"} | more, ensure_ascii=False
    ).encode("utf-8", "surrogatepass")


def batch(data: str, encoding: str = "JSON") -> bytes:
    """A record of a batch transform, as AWS's merge writes it."""
    sides = {"batchTransformOutput": {"data": data, "encoding": encoding}}
    return json.dumps({"captureData": sides, "eventMetadata": {"eventId": "b"}, "eventVersion": "0"}).encode()


def decoded(records: Iterable[bytes], layout: Layout = INPUTS, arrived: int = WHEN_MS) -> Decoded:
    frame = Frame.of(Subject(), pa.array(records, pa.binary()), arrived)
    return decode(frame, layout)


def rows(records: Iterable[bytes] | bytes, layout: Layout = INPUTS) -> list[dict[str, Any]]:
    """All rows of records none of which is bad, in order, without missing values."""
    found = decoded([records] if isinstance(records, bytes) else records, layout)
    assert not found.bad, found.bad
    return [row for index in range(len(found)) for row in rows_of(found, index)]


def rows_of(found: Decoded, record: int) -> list[dict[str, Any]]:
    """Rows of one record, without missing values."""
    result: dict[int, dict[str, Any]] = {}
    for table in found.tables:
        names = table.columns.column_names
        for place, (at, row) in enumerate(zip(table.record.tolist(), table.row.tolist(), strict=True)):
            if at == record:
                assert row not in result
                values = {name: table.columns[name][place].as_py() for name in names}
                result[row] = {name: value for name, value in values.items() if value is not None}
    return [result[row] for row in sorted(result)]


def comparable(row: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """A row in which a number reads the same whether its column is typed or, beside stray text, is text."""
    return {
        name: float(value) if layout.columns.get(name) in NUMERIC and _NUMBER.fullmatch(str(value)) else value
        for name, value in row.items()
    }


def reason(record: bytes, layout: Layout = INPUTS, arrived: int = WHEN_MS) -> tuple[str, str]:
    """(code, message) of a record that must be bad."""
    found = decoded([record], layout, arrived)
    assert not found.tables
    return found.bad[0].code, str(found.bad[0])
