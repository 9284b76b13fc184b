"""What a capture record holds, read with the standard library only: to check the decoder against.

It reads records that leave no question: both sides of an endpoint, keys once, as many values as there are
columns. Of all others it says nothing.
"""

import base64
import csv
import io
import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from schemas.layout import Layout

Row = dict[str, int | float | str]
_FLOAT = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]+")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_TYPES = {"text/csv": "CSV", "application/json": "JSON"}


class Question(Exception):
    """The record is not plain."""


def read(record: bytes, layout: Layout, latest: int) -> tuple[str, int, list[Row]] | None:
    """(event id, event time in ms, rows without their missing values) of a record whose time lies between
    1970 and `latest`; None when it leaves a question."""
    try:
        whole = _json(record.decode("utf-8"))
        event_id, when = _about(whole)
        sides = whole["captureData"]
        if not 0 <= when <= latest:
            return None
        if sides.keys() != {"endpointInput", "endpointOutput"}:
            return None
        given, output = (_values(sides[side]) for side in ("endpointInput", "endpointOutput"))
        return event_id, when, _rows(given, output, layout)
    except (
        Question,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
        csv.Error,
    ):
        return None


def _json(text: str) -> Any:
    if text != text.strip() or text[:1] not in "{[":
        raise Question
    found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Question
    return found


def _refuse(_: str) -> Any:
    raise Question


def _about(whole: dict[str, Any]) -> tuple[str, int]:
    about = whole["eventMetadata"]
    if whole["eventVersion"] != "0" or not isinstance(about["eventId"], str) or "groundTruthData" in whole:
        raise Question
    if about.keys() != {"eventId", "inferenceTime"} or not _TIME.fullmatch(about["inferenceTime"]):
        raise Question
    when = datetime.strptime(about["inferenceTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return about["eventId"], int(when.timestamp()) * 1000


def _values(side: dict[str, Any]) -> list[Any]:
    """Rows of one side: lists of text of CSV, objects or lists of JSON."""
    text, form = side["data"], side["encoding"]
    if not isinstance(side.get("observedContentType", ""), str):
        raise Question
    if form == "BASE64":
        form = _TYPES[side["observedContentType"]]
        text = base64.b64decode(text, validate=True).decode("utf-8")
    if not isinstance(text, str) or text.startswith("\ufeff"):
        raise Question
    return _csv_rows(text) if form == "CSV" else _json_rows(text) if form == "JSON" else _refuse(form)


def _csv_rows(text: str) -> list[list[str]]:
    rows = [row or [""] for row in csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), strict=True)]
    if not rows:
        raise Question
    return rows


def _json_rows(text: str) -> list[Any]:
    rows = _json(text)
    if isinstance(rows, dict) and rows.keys() == {"instances"}:
        rows = rows["instances"]
    rows = [rows] if isinstance(rows, dict) else rows
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise Question
    return rows


def _rows(given: list[Any], output: list[Any], layout: Layout) -> list[Row]:
    (target, *inputs) = layout.columns
    if len(given) != len(output):
        raise Question
    rows = []
    for row, answer in zip(given, output, strict=True):
        named = _named(answer, [target]) | _named(row, inputs)
        typed = {name: _typed(value, layout.columns[name]) for name, value in named.items()}
        rows.append({name: value for name, value in typed.items() if value is not None})
    return rows


def _named(row: Any, names: list[str]) -> dict[str, Any]:
    if isinstance(row, dict):
        if row.keys() != set(names):
            raise Question
        return row
    if len(row) != len(names):
        raise Question
    return {name: _Text(value) for name, value in zip(names, row, strict=True)}


class _Text(str):
    """Text of a CSV, where nothing at all is a missing value; empty text of JSON is none."""


def _typed(value: Any, kind: str) -> int | float | str | None:
    if value is None or (isinstance(value, _Text) and value == ""):
        return None
    if isinstance(value, str):
        return number(value, kind)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float) or not math.isfinite(value) or kind == "String":
        raise Question  # how a number is written as text is up to the writer
    if kind == "Integral" and not (isinstance(value, int) and -(2**63) <= value < 2**63):
        raise Question
    return value if kind == "Integral" else float(value)


def number(text: str, kind: str) -> int | float | str:
    """`text` as the number that it is in a column of this `kind`, or else itself."""
    if kind == "Integral" and _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if kind == "Fractional" and _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return str(text)
