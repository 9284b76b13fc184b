"""Which window each record of a batch belongs to, and whether it came in time."""

from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.decode import Decoded
from schemas.report import Counts
from schemas.rows import NO_ROWS, Rows
from schemas.times import milliseconds
from stream.settings import WindowSettings

BEFORE_ALL = -(2**62)  # a watermark before any record; far enough from the limit to subtract from


class Placed(Struct, frozen=True):
    """A batch laid out in time, by record: the start of its window (ms), whether that window was final
    before the record came, whether the record could not be read, and whether it is left out."""

    start: NDArray[np.int64]
    final: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    filtered: NDArray[np.bool_]
    watermark: int

    @property
    def late(self) -> NDArray[np.bool_]:
        """Which records could be read, are looked at, and came too late."""
        return self.final & ~self.bad & ~self.filtered

    def counts(self, decoded: Decoded) -> dict[int, Counts]:
        """What became of the batch's records, by start of window."""
        rows = np.zeros(len(decoded), np.int64)
        for table in decoded.tables:
            rows += np.bincount(table.record, minlength=len(decoded))
        late = self.late
        rows[late] = 0
        found, place = _numbered(self.start)
        weights = (np.ones(len(decoded)), rows, self.bad, late, self.filtered)
        sums = [np.bincount(place, weights=w, minlength=len(found)).astype(np.int64) for w in weights]
        return {
            start: Counts(*counted)
            for start, *counted in zip(found.tolist(), *(s.tolist() for s in sums), strict=True)
        }

    def rows(self, decoded: Decoded) -> Iterator[tuple[int, Rows]]:
        """The batch's rows by start of window, without those that are late, and the misfits of each."""
        for table in decoded.tables:
            yield from self._split(msgspec.structs.replace(table, event_id=decoded.event_id))
        misfits: dict[int, Counter[int]] = {}
        for index, error in decoded.bad.items():
            if error.width is not None and not self.final[index]:
                misfits.setdefault(int(self.start[index]), Counter())[error.width] += 1
        for start, widths in misfits.items():
            yield start, msgspec.structs.replace(NO_ROWS, misfits=widths)

    def _split(self, table: Rows) -> Iterator[tuple[int, Rows]]:
        start = self.start[table.record]
        keep = ~self.final[table.record]
        if keep.all() and (start == start[0]).all():
            yield int(start[0]), table
            return
        order = np.flatnonzero(keep)
        order = order[np.argsort(start[order], kind="stable")]
        found, first = np.unique(start[order], return_index=True)
        taken = table.columns.take(pa.array(order))
        stops = [*first[1:], len(order)][: len(first)]
        for at, begin, stop in zip(found.tolist(), first, stops, strict=True):
            part = order[begin:stop]
            columns = taken.slice(begin, stop - begin)
            rows = Rows(columns, table.record[part], table.row[part], table.beside, event_id=table.event_id)
            yield at, rows


def _numbered(start: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different windows, and for each record the number of its own; most batches have one."""
    if len(start) and (start == start[0]).all():
        return start[:1], np.zeros(len(start), np.int64)
    found, place = np.unique(start, return_inverse=True)
    return found, place


class Timing(Struct, frozen=True):
    """The rules of a window, in milliseconds."""

    size: int
    lateness: int
    retention: int

    @classmethod
    def of(cls, windows: WindowSettings) -> "Timing":
        """The rules as they are set."""
        return cls(*map(milliseconds, (windows.size, windows.lateness, windows.retention)))

    def place(self, decoded: Decoded, watermark: int) -> Placed:
        """Lay out a batch that came when the watermark stood at `watermark`.

        Each record is held against the watermark that the records before it have reached; bad records do
        not move it, because their time may be wrong.
        """
        times = decoded.event_time
        bad, filtered = np.zeros((2, len(times)), np.bool_)
        bad[list(decoded.bad)] = True
        filtered[decoded.filtered] = True
        moved = np.where(bad, BEFORE_ALL, times - self.lateness)
        reached = np.maximum.accumulate(np.concatenate(([watermark], moved)))
        start = times // self.size * self.size
        final = start + self.size + self.retention <= reached[:-1]
        after = max(int(reached[-1]), decoded.frame.complete_until or BEFORE_ALL)
        return Placed(start, final, bad, filtered, after)
