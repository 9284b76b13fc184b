"""A record that a delivery stream could not deliver, and why: what becomes a line under the error prefix."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

ErrorOutputType = Literal[
    "processing-failed",
    "format-conversion-failed",
    "decompression-failed",
    "http-endpoint-failed",
    "AmazonOpenSearchService-failed",
]


class Failed(Struct, frozen=True):
    """`raw` is the record as it was put, before any transform. Times are in ms since the epoch; `more` holds
    the fields that only one kind of failure has, by their names in the error record."""

    kind: ErrorOutputType
    raw: bytes
    arrived: int
    sequence: int
    code: str
    message: str
    attempts: int
    ended: int
    more: Mapping[str, Any] = {}
