"""The body of a request: from bytes to members that were checked."""

import asyncio
from typing import Any

import msgspec

from stream.ingest.faults import unreadable
from stream.ingest.model import input_of
from stream.ingest.validate import validate

# What the decoder raises: ValueError where text is not UTF-8, RecursionError where it is nested too deep.
NO_JSON = (msgspec.DecodeError, ValueError, RecursionError)

_LARGE = 2**18  # bytes; more is looked through beside the event loop


async def read(operation: str, body: bytes) -> dict[str, Any]:
    """The members of a request. Raises Fault."""
    if len(body) > _LARGE:
        return await asyncio.to_thread(_read, operation, body)
    return _read(operation, body)


def _read(operation: str, body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except NO_JSON as error:
        raise unreadable(f"the request is not JSON: {error}") from error
    return validate(input_of(operation), document)
