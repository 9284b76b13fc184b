"""The text inside a captured payload, as rows: CSV, JSON (also as TensorFlow Serving has it), JSON Lines."""

import base64
import binascii
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from schemas.capture import Payload
from schemas.errors import BadRecord

Form = Literal["CSV", "JSON"]
_decoder = msgspec.json.Decoder()
_ROW_LISTS = ("instances", "predictions", "inputs", "outputs")  # where servers put the list of rows
_NESTED = frozenset({dict, list})
_BYTE_ORDER_MARK = "\ufeff"


class Row(Struct, frozen=True, gc=False):
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
        return payload.data.lstrip(_BYTE_ORDER_MARK), payload.encoding
    try:
        text = base64.b64decode(payload.data, validate=True).decode().lstrip(_BYTE_ORDER_MARK)
    except (binascii.Error, ValueError) as error:
        raise BadRecord("payload", f"BASE64 payload holds no text: {error}") from error
    kind = (payload.observed_content_type or "").partition(";")[0].strip().lower()
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


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV again, every value in quotes: no reader can take a part of one for a separator.

    >>> csv_text([["a", 'b,"c'], ["", "d"]])
    '"a","b,""c"\\n"","d"'
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().removesuffix("\n")


def documents(text: str) -> list[Any]:
    """The JSON document in `text`, or each that a line of it holds. Raises BadRecord (code `payload`)."""
    try:
        return [_decoder.decode(text)]
    except RecursionError as error:
        raise BadRecord("payload", "JSON payload: nested too deeply") from error
    except msgspec.DecodeError as error:
        if "\n" not in text.strip():
            raise BadRecord("payload", f"JSON payload: {error}") from error
    try:
        return _decoder.decode_lines(text)
    except RecursionError as error:
        raise BadRecord("payload", "JSON Lines payload: nested too deeply") from error
    except msgspec.DecodeError as error:
        raise BadRecord("payload", f"JSON Lines payload: {error}") from error


def json_rows(text: str, known: frozenset[str]) -> list[Row]:
    """Rows of a JSON or JSON Lines payload. Raises BadRecord (code `payload`).

    A key that `known` holds is a name. When no row has such a key, values are taken in the first row's order.

    >>> json_rows('{"instances": [{"features": [1, 2]}, {"features": [3, 4]}]}', frozenset())
    [Row(named={}, placed=[1, 2], labels=('', '')), Row(named={}, placed=[3, 4], labels=('', ''))]
    >>> json_rows('{"age": 3, "tag": "x"}', frozenset({"age"}))
    [Row(named={'age': 3, 'tag': 'x'}, placed=[], labels=())]
    """
    return rows_of(documents(text), known)


def rows_of(found: list[Any], known: frozenset[str]) -> list[Row]:
    """The same for what `documents` found."""
    try:
        leaves = [_leaves(item) for item in _items(found)]
    except RecursionError as error:
        raise BadRecord("payload", "JSON payload: nested too deeply") from error
    for named, _ in leaves:
        if not known.isdisjoint(named):
            return [Row(named, placed, ("",) * len(placed)) for named, placed in leaves]
    order = list(leaves[0][0]) if leaves else []
    return [_by_place(named, placed, order) for named, placed in leaves]


def _items(found: list[Any]) -> list[Any]:
    """The rows among `found`, one document a row unless a single document is a list of them."""
    if len(found) != 1:
        return found
    document = found[0]
    if isinstance(document, dict):
        for key in _ROW_LISTS:
            if isinstance(document.get(key), list):
                rows: list[Any] = document[key]
                return rows
    if isinstance(document, list) and document and all(isinstance(item, list | dict) for item in document):
        return document
    return found


def _by_place(named: dict[str, Any], placed: list[Any], order: list[str]) -> Row:
    """A row none of whose keys is known: its values by place, whatever order the object gave its keys in."""
    if named.keys() != set(order):
        raise BadRecord("payload", f"JSON rows with different keys in one payload: {order} and {[*named]}")
    return Row({}, [*(named[key] for key in order), *placed], (*order, *("" for _ in placed)))


def _leaves(item: Any) -> tuple[dict[str, Any], list[Any]]:
    """(leaves with a name, leaves with only a place) of one row."""
    if isinstance(item, dict) and _NESTED.isdisjoint(map(type, item.values())):
        return item, []
    named: dict[str, Any] = {}
    placed: list[Any] = []
    _flatten(item, "", named, placed)
    return named, placed


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
