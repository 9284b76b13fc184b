"""Marks that decide which rows a sample keeps: the same row has the same mark wherever it is looked at."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.rows import Rows

Marks = NDArray[np.uint64]

_STEP, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_DOWN = np.uint64(31)
_BASE = 0x5851F42D4C957F2D  # odd, so that there is an inverse
_INVERSE = pow(_BASE, -1, 1 << 64)


def of_rows(rows: Rows) -> Marks:
    """A mark for each row, by event id and place in the record: evenly spread, whatever the ids look like.

    Without event ids, as in a data set, by the place of the row. A sample of the smallest marks takes every
    row with the same chance, and merges. Whoever writes event ids could choose them; so this is no defence.
    """
    if rows.event_id is None:
        return _mixed(rows.record.astype(np.uint64), rows.row)
    return _mixed(hashes(rows.event_id)[rows.record], rows.row)


def hashes(texts: pa.StringArray) -> Marks:
    """A hash of each text's bytes b0 b1 ..., the sum of bi * BASE^i, which all texts together take one pass
    for; a missing one is as an empty one."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    start, end = (int(offsets[0]), int(offsets[-1])) if len(texts) else (0, 0)
    if start == end:
        return np.zeros(len(texts), np.uint64)
    data = np.frombuffer(texts.buffers()[2], np.uint8)[start:end]
    with np.errstate(over="ignore"):
        sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum((data.astype(np.uint64) + np.uint64(1)) * _powers(_BASE, len(data)), out=sums[1:])
        places = offsets - start
        return (sums[places[1:]] - sums[places[:-1]]) * _powers(_INVERSE, len(data) + 1)[places[:-1]]


@lru_cache(8)
def _table(base: int, n: int) -> Marks:
    found = np.full(n, base, np.uint64)
    found[0] = 1
    with np.errstate(over="ignore"):
        return np.cumprod(found, dtype=np.uint64)


def _powers(base: int, n: int) -> Marks:
    """base^0, base^1, ..., base^(n-1), modulo 2^64."""
    return _table(base, 1 << max(0, n - 1).bit_length())[:n]


def _mixed(marks: Marks, row: NDArray[np.int64]) -> Marks:
    """Each bit of the mark depends on all bits of what it is made of (splitmix64)."""
    with np.errstate(over="ignore"):
        found = (marks + (row.astype(np.uint64) + np.uint64(1)) * _STEP) * _MIX
        found = (found ^ (found >> _DOWN)) * _STEP
        return found ^ (found >> _DOWN)


def smallest(marks: Marks, most: int, content: Callable[[int], str | bytes]) -> NDArray[np.int64]:
    """Places of the `most` smallest marks, ascending. Where marks are the same, as of records that came
    twice, `content` of the places decides: the order in which rows came never does."""
    places = np.arange(len(marks))
    if most < len(marks):
        places = np.flatnonzero(marks <= np.partition(marks, most - 1)[most - 1]) if most else places[:0]
    places = places[np.argsort(marks[places], kind="stable")]
    if (marks[places[1:]] == marks[places[:-1]]).any():
        places = np.array(sorted(places.tolist(), key=lambda place: (int(marks[place]), content(place))))
    return places[:most]


def of_table(table: pa.Table) -> Rows:
    """A data set as rows without ids."""
    places = np.arange(table.num_rows)
    return Rows(table, places, np.zeros(table.num_rows, np.int64))
