"""Places in the text of a whole batch: looked for, compared and cut, with no object a record.

A span is where a piece of text begins and ends.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

_ESCAPE = 0x5C
_WORD = 8  # bytes compared at a time


def window(text: Bytes, at: Places, size: int) -> Bytes:
    """The `size` bytes from each place, shape (places, size); zeros where the text has no more.

    Each is copied as one element of that many bytes, which is several times faster than byte by byte.
    """
    if len(text) < size:
        text = np.concatenate((text, np.zeros(size - len(text), np.uint8)))
    last = len(text) - size
    every = np.ndarray((last + 1,), f"V{size}", text, strides=(1,))
    found = every[np.clip(at, 0, last)].view(np.uint8).reshape(len(at), size)
    for row in np.flatnonzero((at < 0) | (at > last)):  # those at the edges of the batch
        start, inside = int(at[row]), slice(max(int(at[row]), 0), max(int(at[row]) + size, 0))
        found[row] = 0
        piece = text[inside]
        found[row, inside.start - start : inside.start - start + len(piece)] = piece
    return found


def first(text: Bytes, at: Places, byte: int, size: int, escapes: bool = False) -> Places:
    """Where `byte` comes first, from each place on and within `size` bytes; with `escapes`, one without a
    backslash before it. Where it does not come it is the place itself, which does not hold it."""
    if escapes:
        seen = window(text, at - 1, size + 1)
        hits = (seen[:, 1:] == byte) & (seen[:, :-1] != _ESCAPE)
    else:
        hits = window(text, at, size) == byte
    found: Places = at + hits.argmax(axis=1)
    return found


def last(text: Bytes, end: Places, byte: int, size: int, escapes: bool = False) -> Places:
    """Where `byte` comes last before each place, and within `size` bytes; with `escapes`, one without a
    backslash before it. Where it does not come it is the place before, which does not hold it."""
    seen = window(text, end - size - 1, size + 1)
    hits = seen[:, 1:] == byte
    if escapes:
        hits &= seen[:, :-1] != _ESCAPE
    found: Places = end - 1 - hits[:, ::-1].argmax(axis=1)
    return found


def same(text: Bytes, at: Places, constant: bytes) -> NDArray[np.bool_]:
    """Whether the bytes at each place are those of `constant`. Eight are compared at a time; what is looked
    at behind them does not count."""
    more = -len(constant) % _WORD
    wanted = np.frombuffer(constant + bytes(more), np.uint64)
    counts = np.frombuffer(b"\xff" * len(constant) + bytes(more), np.uint64)
    different = window(text, at, len(constant) + more).view(np.uint64)
    different ^= wanted
    different &= counts
    equal = np.ones(len(at), np.bool_)
    if different.any():
        np.logical_not(different.any(axis=1), out=equal)
    return equal


def cut(text: Bytes, spans: NDArray[np.int64]) -> pa.BinaryArray:
    """The bytes in `spans`, shape (spans, 2), ascending, as an array with a buffer of its own."""
    return _pieces(text, spans).take(pa.array(np.arange(0, 2 * len(spans), 2)))


def joined(text: Bytes, spans: NDArray[np.int64], order: list[int]) -> bytearray:
    """Lines of comma-separated values, from ascending `spans`, shape (lines, values, 2), in this order.

    The byte after each value, whatever it is, gives its place to the separator.
    """
    lines, width, _ = spans.shape
    pieces = _pieces(text, (spans + np.array([0, 1])).reshape(-1, 2))
    chosen = (np.arange(lines)[:, None] * width + np.array(order)) * 2
    taken = pieces.take(pa.array(chosen.ravel()))
    offsets = np.frombuffer(taken.buffers()[1], np.int32, lines * len(order) + 1)
    lines_of_values = bytearray(taken.buffers()[2])
    byte = np.frombuffer(lines_of_values, np.uint8)
    byte[offsets[1:] - 1] = ord(",")
    byte[offsets[len(order) :: len(order)] - 1] = ord("\n")
    return lines_of_values


def _pieces(text: Bytes, spans: NDArray[np.int64]) -> pa.BinaryArray:
    """The text in pieces: each of `spans`, and between them what lies between."""
    offsets = np.ascontiguousarray(spans, np.int32).ravel()
    return pa.Array.from_buffers(
        pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )
