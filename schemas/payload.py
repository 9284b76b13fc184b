"""The text inside a captured payload, as rows: CSV, JSON (also as TensorFlow Serving has it), JSON Lines."""

import base64
import binascii
import csv
import io
from typing import Any, Literal

import msgspec
from msgspec import Struct

from schemas.capture import Payload
from schemas.errors import BadRecord

Form = Literal["CSV", "JSON"]
_lines = msgspec.json.Decoder()
_ROW_LISTS = ("instances", "predictions", "inputs", "outputs")  # where servers put the list of rows


class Row(Struct, frozen=True):
    """One row of a JSON payload: values with a name, and values with only a place (and perhaps a label)."""

    named: dict[str, Any]
    placed: list[Any]
    labels: tuple[str, ...] = ()


def text_of(payload: Payload) -> tuple[str, Form]:
    """The payload as text, and what it is; base64 is undone and its form told from type, then from look.

    Raises BadRecord (code `payload`).

    >>> text_of(Payload("eyJzY29yZSI6IDAuODF9", "BASE64", "text/html; charset=utf-8"))
    ('{"score": 0.81}', 'JSON')
    """
    if payload.encoding != "BASE64":
        return payload.data, payload.encoding
    try:
        text = base64.b64decode(payload.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise BadRecord("payload", f"BASE64 payload holds no text: {error}") from error
    kind = payload.observed_content_type.partition(";")[0].strip().lower()
    if kind in ("text/csv", "application/csv"):
        return text, "CSV"
    looks_json = "json" in kind or text.lstrip()[:1] in ("{", "[")
    return text, "JSON" if looks_json else "CSV"


def csv_rows(text: str) -> list[list[str]]:
    """Rows of a CSV payload by RFC 4180; a trailing newline is not a row. Raises BadRecord (code `payload`).

    >>> csv_rows('1,"a,b"\\n2,"c\\nd"\\n')
    [['1', 'a,b'], ['2', 'c\\nd']]
    """
    try:
        return [row or [""] for row in csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), strict=True)]
    except csv.Error as error:
        raise BadRecord("payload", f"CSV payload: {error}") from error


def json_rows(text: str, known: frozenset[str]) -> list[Row]:
    """Rows of a JSON or JSON Lines payload. Raises BadRecord (code `payload`).

    A key that `known` holds is a name. When an object has no such key, its values are taken in order.

    >>> json_rows('{"instances": [{"features": [1, 2]}, {"features": [3, 4]}]}', frozenset())
    [Row(named={}, placed=[1, 2], labels=('', '')), Row(named={}, placed=[3, 4], labels=('', ''))]
    >>> json_rows('{"age": 3, "tag": "x"}', frozenset({"age"}))
    [Row(named={'age': 3, 'tag': 'x'}, placed=[], labels=())]
    """
    return [_row(item, known) for item in _items(text)]


def _items(text: str) -> list[Any]:
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if "\n" not in text.strip():
            raise BadRecord("payload", f"JSON payload: {error}") from error
        try:
            return _lines.decode_lines(text)
        except msgspec.DecodeError as second:
            raise BadRecord("payload", f"JSON Lines payload: {second}") from second
    if isinstance(document, dict):
        for key in _ROW_LISTS:
            if isinstance(document.get(key), list):
                rows: list[Any] = document[key]
                return rows
        return [document]
    if isinstance(document, list) and document and all(isinstance(item, list | dict) for item in document):
        return document
    return [document]


def _row(item: Any, known: frozenset[str]) -> Row:
    named: dict[str, Any] = {}
    placed: list[Any] = []
    _flatten(item, "", named, placed)
    if not named or not known.isdisjoint(named):
        return Row(named, placed, ("",) * len(placed))
    return Row({}, [*named.values(), *placed], (*named, *("" for _ in placed)))


def _flatten(item: Any, prefix: str, named: dict[str, Any], placed: list[Any]) -> None:
    """Leaves of an object are named by their path, leaves of a list have only their place."""
    if isinstance(item, dict):
        for key, value in item.items():
            path = f"{prefix}.{key}" if prefix else key
            if isinstance(value, dict | list):
                _flatten(value, path, named, placed)
            else:
                named[path] = value
    elif isinstance(item, list):
        for value in item:
            placed.append(msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value)
    else:
        placed.append(item)
