"""How much a join keeps, and what goes when that is too much."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from schemas.predictions import carried_of
from schemas.times import END_OF_TIME
from stream.joining.runs import Mask, Run, Runs

_RECORD_BYTES = 64  # what a prediction or a label takes in memory, about
_ROW_BYTES = 24  # each row of a prediction
_CELL_BYTES = 9  # each value that a row carries, besides its text
_KEEP = 0.9  # of the bytes allowed, after room was made


class Shed(Struct):
    """What has gone: `predictions` that had no label, by subject and start of window; `labels` that had no
    prediction; and by subject, the end of the last window that is not complete any more."""

    predictions: Counter[tuple[int, int]] = msgspec.field(default_factory=Counter)
    labels: int = 0
    settled: dict[int, int] = {}


def make(sides: Sequence[Runs], labels: Runs, size: int, max_bytes: int) -> Shed:
    """Let go of whole windows of `size` ms, the oldest first: of what is joined, then of what waits."""
    shed = Shed()
    if nbytes(sides, labels) <= max_bytes:
        return shed
    for joined in (True, False):
        while (over := nbytes(sides, labels) - _KEEP * max_bytes) > 0:
            until = _oldest([*sides, labels], int(over // _each(sides)), size, joined)
            if until is None:
                break
            _let_go(sides, labels, size, joined, until, shed)
    return shed


def nbytes(sides: Sequence[Runs], labels: Runs) -> int:
    """What is kept takes about so much memory. It depends on the rows alone, not on the runs they are in."""
    values = sum(_values_of(run) for side in sides for run in side)
    return _RECORD_BYTES * sum(map(len, [*sides, labels])) + _ROW_BYTES * values + _carried(sides)


def _carried(sides: Sequence[Runs]) -> int:
    """Bytes of what predictions carry along."""
    return sum(
        _of_lists(lists.chunk(0), run.kept)
        for side in sides
        for run in side
        for lists in carried_of({name: run.columns[name] for name in run.columns.column_names}).values()
    )


def _of_lists(lists: pa.ListArray, kept: Mask) -> int:
    """Bytes of lists of text, of those that are kept."""
    texts = lists.values
    if not len(texts):
        return 0
    ends = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    offsets = np.asarray(lists.offsets)
    rows, text = np.diff(offsets), np.diff(ends[offsets])
    return int((_CELL_BYTES * rows + text)[kept & np.asarray(lists.is_valid())].sum())


def _values_of(run: Run) -> int:
    lengths = np.asarray(pc.list_value_length(run.columns["values"]))
    return int(lengths[run.kept].sum())


def _each(sides: Sequence[Runs]) -> float:
    """Bytes that go with a record, about: few labels are kept without a prediction."""
    return _RECORD_BYTES + _carried(sides) / max(sum(map(len, sides)), 1)


def _oldest(every: Sequence[Runs], records: int, size: int, joined: bool) -> int | None:
    """The last time (ms) that must go so that so many records are gone; None if nothing is left to go."""
    found = [run.column("time")[run.kept & (run.met == joined)] for runs in every for run in runs]
    times = np.concatenate([np.empty(0, np.int64), *found])
    if not len(times):
        return None
    place = min(records, len(times) - 1)
    time = int(np.partition(times, place)[place])
    return min((time // size + 1) * size - 1, END_OF_TIME)


def _let_go(sides: Sequence[Runs], labels: Runs, size: int, joined: bool, until: int, shed: Shed) -> None:
    def old(run: Run) -> Mask:
        return np.asarray((run.column("time") <= until) & (run.met == joined))

    for side in sides:
        for run in side:
            rows = np.flatnonzero(run.kept & old(run))
            starts = run.column("time")[rows] // size * size
            windows = Counter(zip(run.column("subject")[rows].tolist(), starts.tolist(), strict=True))
            for subject, start in windows:
                shed.settled[subject] = max(start + size, shed.settled.get(subject, start))
            if not joined:
                shed.predictions.update(windows)
        side.drop(old)
    shed.labels += labels.alone(old)
    labels.drop(old)
