"""What a gzip file holds, block by block, up to the very byte at which it is damaged."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

_WBITS = 16 + zlib.MAX_WBITS  # a gzip header and checksum around the data
_RAW = 1 << 18
_BLOCK = 4 << 20


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def blocks(stream: _Reader, skip: int = 0) -> Iterator[bytes]:
    """Content of all members of a gzip file, without its first `skip` bytes.

    pyarrow's own reader gives nothing of a block in which the data is damaged; a log shipper that was killed
    leaves such a file, and all of it up to there is good.

    Raises EOFError or zlib.error where the file is cut off or damaged, after the last byte that it holds.
    """
    for block in _blocks(stream):
        if skip < len(block):
            yield block[skip:]
        skip = max(skip - len(block), 0)


def _blocks(stream: _Reader) -> Iterator[bytes]:
    member = None
    raw = b""
    while raw := raw or stream.read(_RAW):
        if member is None:
            raw = raw.lstrip(b"\0")  # padding between or behind members
            if not raw:
                continue
            member = zlib.decompressobj(_WBITS)
        before = member.copy()
        try:
            yield member.decompress(raw, _BLOCK)
        except zlib.error as error:
            yield _salvage(before, raw)
            reason = str(error).rpartition(": ")[2]
            raise zlib.error(f"the compressed data is damaged: {reason}") from error
        raw = member.unused_data if member.eof else member.unconsumed_tail
        member = None if member.eof else member
    if member is not None:
        yield member.flush()
        if not member.eof:
            raise EOFError("the compressed data is cut off")


def _salvage(member: "zlib._Decompress", raw: bytes) -> bytes:
    """What `raw` gives before the byte that is wrong."""
    saved = bytearray()
    with suppress(zlib.error):
        for at in range(len(raw)):
            saved += member.decompress(raw[at : at + 1])
    return bytes(saved)
