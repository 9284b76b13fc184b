"""Marks that decide which rows a sample keeps: the same row has the same mark wherever it is looked at."""

import zlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.rows import Rows

Marks = NDArray[np.uint64]

_STEP, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_DOWN = np.uint64(31)


def of_rows(rows: Rows) -> Marks:
    """A mark for each row, by event id and place in the record: evenly spread, whatever the ids look like.

    Without event ids, as in a data set, by the place of the row. A sample of the smallest marks takes every
    row with the same chance, and merges. Whoever writes event ids could choose them; so this is no defence.
    """
    if rows.event_id is None:
        return _mixed(rows.record.astype(np.uint64), rows.row)
    ids = np.array([_hash(found) for found in rows.event_id.to_pylist()], np.uint64)
    return _mixed(ids[rows.record], rows.row)


def _hash(text: str | None) -> int:
    raw = (text or "").encode("utf-8", "surrogatepass")
    return zlib.crc32(raw) << 32 | zlib.adler32(raw)


def _mixed(marks: Marks, row: NDArray[np.int64]) -> Marks:
    """Each bit of the mark depends on all bits of what it is made of (splitmix64)."""
    with np.errstate(over="ignore"):
        found = (marks + (row.astype(np.uint64) + np.uint64(1)) * _STEP) * _MIX
        found = (found ^ (found >> _DOWN)) * _STEP
        return found ^ (found >> _DOWN)


def smallest(marks: Marks, most: int) -> NDArray[np.int64]:
    """Places of the `most` smallest marks, ascending by mark."""
    if len(marks) > 4 * most > 0:
        first = np.argpartition(marks, most)[:most]
        return first[np.argsort(marks[first], kind="stable")]
    return np.argsort(marks, kind="stable")[:most]


def of_table(table: pa.Table) -> Rows:
    """A data set as rows without ids."""
    places = np.arange(table.num_rows)
    return Rows(table, places, np.zeros(table.num_rows, np.int64))
