"""Records that CloudWatch Logs subscriptions put: gzip envelopes, and the log messages in them.

Source: CloudWatch Logs user guide, subscription filters; Data Firehose guide, decompression and message
extraction. An envelope is a JSON object with `messageType` and `logEvents`, each event with a `message`.
"""

import zlib
from collections.abc import Iterator

import msgspec
import pyarrow as pa
from msgspec import Struct

from stream.transforms.deaggregate import split_json

CODE = "Decompression failed."
LIMIT = 64 << 20  # bytes of one record, unpacked: gzip packs up to a thousand into one
BATCH_LIMIT = 512 << 20  # of all records handed over at once

_PIECE = 16 << 10  # zlib copies what is left behind a member: a record may have thousands
_GZIP = 16 + zlib.MAX_WBITS  # with gzip's header and checksum around the data


class _Event(Struct):
    message: str


class _Envelope(Struct, rename="camel"):
    message_type: str
    log_events: list[_Event] = []


_envelopes = msgspec.json.Decoder(_Envelope)


def decompress(
    data: pa.BinaryArray, extract: bool, limit: int = LIMIT, batch_limit: int = BATCH_LIMIT
) -> tuple[pa.BinaryArray, dict[int, str]]:
    """The content of each record, with `extract` only its log messages; and the reason of each that failed.

    Failed rows are empty. Hand over a few MiB at a time: what would take memory above `batch_limit` fails.
    """
    unpacked: list[bytes] = []
    reasons: dict[int, str] = {}
    room = batch_limit
    for row, record in enumerate(data):
        try:
            content = gunzip(record.as_py(), min(limit, room))
            content = messages(content) if extract else content
        except ValueError as error:
            reasons[row], content = str(error), b""
        unpacked.append(content)
        room -= len(content)
    return pa.array(unpacked, pa.binary()), reasons


def gunzip(packed: bytes, limit: int = LIMIT) -> bytes:
    """Content of all members of a gzip file. Raises ValueError when it is not one, or above `limit` bytes."""
    content = bytearray()
    for block in _members(packed, limit):
        content += block
        if len(content) > limit:
            raise ValueError(f"the unpacked data is above {limit} bytes")
    return bytes(content)


def _members(packed: bytes, limit: int) -> Iterator[bytes]:
    member, seen = None, False
    for at in range(0, len(packed), _PIECE):
        rest = packed[at : at + _PIECE]
        while rest := rest if member else rest.lstrip(b"\0"):  # padding between or behind members
            member, seen = member or zlib.decompressobj(_GZIP), True
            try:
                yield member.decompress(rest, limit + 1)
            except zlib.error as error:
                raise ValueError("the record is not gzip data, or damaged") from error
            rest = member.unused_data if member.eof else member.unconsumed_tail
            member = None if member.eof else member
    if member or not seen:
        raise ValueError("the gzip data is cut off" if seen else "the record is empty, not gzip data")


def messages(content: bytes) -> bytes:
    """Each log message of the envelopes in `content`, with a line feed behind it.

    A control message, which CloudWatch Logs sends to see whether the stream can be reached, holds none.
    Raises ValueError when it is not made of envelopes.

    >>> messages(b'{"messageType": "DATA_MESSAGE", "logEvents": [{"message": "up"}, {"message": ""}]}')
    b'up\\n\\n'
    >>> messages(b'{"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL CONTROL MESSAGE"}]}')
    b''
    """
    texts = split_json(content)
    if not texts:
        raise ValueError("no CloudWatch Logs envelope in the data")
    return b"".join(map(_messages, texts))


def _messages(text: bytes) -> bytes:
    try:
        envelope = _envelopes.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a CloudWatch Logs envelope: {error}") from error
    if envelope.message_type == "CONTROL_MESSAGE":
        return b""
    return "".join(f"{event.message}\n" for event in envelope.log_events).encode()
