"""Ids as numbers of 128 bits: what a join holds of an id instead of its text."""

import hashlib

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.spans import window

_WORD = 8
_LONG = 64  # bytes; a longer id is hashed by itself
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))
_LAST = np.uint64(0xC2B2AE3D27D4EB4F)
_HALF = np.uint64(32)


class Hashes(Struct, frozen=True):
    """Two numbers an id, shape (ids,): `first` to search by, `second` to be sure. Two ids that share both are
    taken for one; among a thousand million ids that is as likely as 1 in 10**20."""

    first: NDArray[np.uint64]
    second: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Hashes":
        """Those of some ids."""
        return Hashes(self.first[rows], self.second[rows])


def hashes(ids: pa.StringArray) -> Hashes:
    """Numbers for `ids`, none of them null; the same id has the same numbers in every process.

    >>> a = hashes(pa.array(["x", "y", "x", "x" * 99]))
    >>> bool(a.first[0] == a.first[2]), len(set(a.second.tolist()))
    (True, 3)
    """
    n = len(ids)
    offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + n + 1].astype(np.int64)
    buffer = ids.buffers()[2]
    text = np.frombuffer(buffer, np.uint8) if buffer else np.empty(0, np.uint8)
    length = np.diff(offsets)
    words = _words(text, offsets[:-1], np.minimum(length, _LONG))
    first, second = (_mixed(words, length, mix) for mix in _MIX)
    for row in np.flatnonzero(length > _LONG):
        digest = hashlib.blake2b(text[offsets[row] : offsets[row + 1]].tobytes(), digest_size=16).digest()
        first[row], second[row] = np.frombuffer(digest, "<u8")
    return Hashes(first, second)


def _words(
    text: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The bytes of each id, zeros behind them, eight in a number."""
    if not len(start):
        return np.empty((0, 1), np.uint64)
    width = max(-(-int(length.max()) // _WORD), 1) * _WORD
    found = window(text, start, width)
    if (length != width).any():
        found[np.arange(width) >= length[:, None]] = 0
    return found.view("<u8").astype(np.uint64, copy=False)


def _mixed(words: NDArray[np.uint64], length: NDArray[np.int64], mix: np.uint64) -> NDArray[np.uint64]:
    """Each word multiplied in and folded down; how many words of zeros follow the last makes no difference,
    because there the length takes over."""
    found = (length.astype(np.uint64) + np.uint64(1)) * mix
    for number, word in enumerate(words.T):
        more = length > number * _WORD
        mixed = (found ^ word) * mix
        mixed ^= mixed >> _HALF
        found = mixed if more.all() else np.where(more, mixed, found)
    found *= _LAST
    found ^= found >> _HALF
    found *= mix
    return found ^ (found >> _HALF)
