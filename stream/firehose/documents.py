"""The JSON documents of one record: one, several behind one another, or none."""

import json
import re
from typing import Any

import msgspec

from stream.firehose.values import Numeral

_decoder = msgspec.json.Decoder(float_hook=Numeral)
_bounds = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def documents(record: bytes) -> list[dict[str, Any]]:
    """The objects in a record, numbers with a fraction or an exponent as they are written.

    A record with nothing in it but space has none. Raises ValueError when it is anything but JSON objects.

    >>> documents(b'{"a": 1} {"a": 2.50}')
    [{'a': 1}, {'a': '2.50'}]
    """
    try:
        found = [_decoder.decode(record)]
    except msgspec.DecodeError as error:
        found = _several(record, error)
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the data is not JSON: {error}") from error
    if not all(isinstance(document, dict) for document in found):
        raise ValueError("the data is JSON, but not a JSON object")
    return found


def _several(record: bytes, error: msgspec.DecodeError) -> list[Any]:
    """The standard library says where a document ends; it takes what is no JSON, so each is read again."""
    found = []
    try:
        text = record.decode()
        at = _after_space(text, 0)
        while at < len(text):
            _, end = _bounds.raw_decode(text, at)
            found.append(_decoder.decode(text[at:end]))
            at = _after_space(text, end)
    except (ValueError, RecursionError) as failed:
        raise ValueError(f"the data is not JSON: {error}") from failed
    return found


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
