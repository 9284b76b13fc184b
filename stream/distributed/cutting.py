"""Bodies of messages: compressed, and in pieces where the whole is larger than a message may be."""

from collections.abc import Iterable

import pyarrow as pa

MAX_BODY = 700_000  # bytes of one message

_CODEC = pa.Codec("zstd", compression_level=1)


def cut(raw: bytes) -> list[bytes]:
    """Pieces of `raw`, each of which fits into a message.

    >>> pieces = cut(b"news" * 1_000)
    >>> len(pieces), uncut(pieces, 4_000) == b"news" * 1_000
    (1, True)
    """
    body: bytes = _CODEC.compress(raw, asbytes=True)
    return [body[start : start + MAX_BODY] for start in range(0, len(body), MAX_BODY)]


def uncut(pieces: Iterable[bytes], size: int) -> bytes:
    """What was `size` bytes before it was cut. Raises ArrowException, OSError or ValueError where they are no
    such pieces."""
    raw: bytes = _CODEC.decompress(b"".join(pieces), size, asbytes=True)
    return raw
