"""When a buffer is sealed, and where a run of records is cut: arithmetic on sizes and times of arrival."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream.firehose.hints import Hints


class Buffer(Struct, frozen=True):
    """Records that wait to be delivered: how many, their bytes before compression, and when the first of them
    came (ms since the epoch; None while there are none). Records come in the order in which they were put."""

    hints: Hints
    count: int = 0
    nbytes: int = 0
    oldest: int | None = None

    def add(self, sizes: NDArray[np.int64], arrived: NDArray[np.int64]) -> tuple[list[int], "Buffer"]:
        """Where records that come, of shape (records,), are cut, and the buffer left behind the last cut.

        A cut is the number of records before it. A record that makes the buffer full is the last one in it;
        one that comes when the oldest has waited for the interval is the first of the next. So the cuts
        follow from the records alone, in whatever portions they come and however late they are read.

            4 of 5 bytes wait │ 2 0 3 4 1   gives the cuts 1 and 4:   4 2 ┃ 0 3 4 ┃ 1
        """
        ends = np.concatenate([[0], np.cumsum(sizes)])
        cuts: list[int] = []
        buffer, at = self, 0
        while at < len(sizes):
            stop, sealed = buffer._stop(ends, arrived, at)
            buffer = (
                Buffer(self.hints) if sealed else buffer._with(stop - at, ends[stop] - ends[at], arrived[at])
            )
            cuts += [stop] if sealed else []
            at = stop
        return cuts, buffer

    def _stop(self, ends: NDArray[np.int64], arrived: NDArray[np.int64], at: int) -> tuple[int, bool]:
        """How far this buffer goes from record `at` on, and whether it is sealed there."""
        full = int(np.searchsorted(ends, ends[at] + self.hints.nbytes - self.nbytes))
        full = max(full, at + 1)  # hints made smaller may leave a buffer that is more than full
        oldest = int(arrived[at]) if self.oldest is None else self.oldest
        late = np.flatnonzero(arrived[at:full] >= oldest + self.hints.interval)
        if len(late):
            return at + int(late[0]), True
        return min(full, len(arrived)), full <= len(arrived)

    def _with(self, count: int, nbytes: int, first: int) -> "Buffer":
        oldest = int(first) if self.oldest is None else self.oldest
        return Buffer(self.hints, self.count + count, self.nbytes + int(nbytes), oldest)

    def due(self, now: int) -> bool:
        """Whether the buffer is to be sealed at this time (ms) without another record; never an empty one."""
        return self.count > 0 and (self.nbytes >= self.hints.nbytes or now >= self.deadline())

    def deadline(self) -> int:
        """When the oldest record will have waited long enough, ms; for an empty buffer the end of time."""
        return np.iinfo(np.int64).max if self.oldest is None else self.oldest + self.hints.interval
