"""A run of log messages of one subject, decoded together; it remembers where each record came from."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.frame import Frame, Subject

MAX_RECORDS = 24_576  # what a batch costs beside its records is spread over enough of them
MAX_BYTES = (
    8 << 20
)  # and no more than this: they stay near the processor, and long ones do not fill the memory


class Origin(Struct, frozen=True):
    """Where a record stands: its log offset and, where known, its file and line (from 1)."""

    offset: int
    source: str
    line: int


class Batch(Struct, frozen=True):
    """Records of frames at consecutive places of the log; `starts[i]` is the first record of message i."""

    frame: Frame
    starts: list[int]
    offsets: list[int]
    sources: list[str]

    def origin(self, index: int) -> Origin:
        """Where record `index` of the batch came from."""
        message = int(self._message(index))
        return Origin(self.offsets[message], self.sources[message], int(self.frame.line[index]))

    def offsets_of(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Log offsets of the records at `indices`, shape (records,)."""
        offsets: NDArray[np.int64] = np.array(self.offsets, np.int64)[self._message(indices)]
        return offsets

    def _message(self, index: Any) -> Any:
        """The number of the message that each record came in."""
        return np.searchsorted(self.starts, index, side="right") - 1


def batches(
    frames: Iterable[tuple[int, Frame]], max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES
) -> Iterator[Batch]:
    """Join neighbours of one subject and kind up to so many records and bytes; a completion is alone."""
    run: list[tuple[int, Frame]] = []
    records = nbytes = 0
    for offset, frame in frames:
        alone = frame.complete_until is not None
        full = records + len(frame) > max_records or nbytes + frame.data.nbytes > max_bytes
        if run and (alone or full or _kind(frame) != _kind(run[0][1])):
            yield _join(run)
            run, records, nbytes = [], 0, 0
        run.append((offset, frame))
        records += len(frame)
        nbytes += frame.data.nbytes
        if alone:
            yield _join(run)
            run, records, nbytes = [], 0, 0
    if run:
        yield _join(run)


def _kind(frame: Frame) -> tuple[Subject, bool]:
    """What frames have in common that are read together."""
    return frame.subject, frame.labels


def _join(run: list[tuple[int, Frame]]) -> Batch:
    frames = [frame for _, frame in run]
    sizes = [len(frame) for frame in frames]
    joined = frames[0]
    if len(frames) > 1:
        joined = msgspec.structs.replace(
            joined,
            data=pa.concat_arrays([frame.data for frame in frames]),
            arrived=np.concatenate([frame.arrived for frame in frames]),
            line=np.concatenate([frame.line for frame in frames]),
            source="",
        )
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64).tolist()
    return Batch(joined, starts, [offset for offset, _ in run], [frame.source for frame in frames])
