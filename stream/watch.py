"""The watch stage: one partition's records into window states, and what the judge must hear of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitors.base import Monitor
from schemas.decode import Decoded
from schemas.frame import Subject
from schemas.report import Counts, Coverage, Window
from schemas.rows import NO_ROWS
from stream.changes import Changes, Place, Stored, Tracker, grouped, key, window_group
from stream.placing import BEFORE_ALL, Timing
from stream.settings import WindowSettings
from stream.watermarks import Progress

MEMORY = 168  # windows for which late records are still counted one by one after the window is final


class Partial(Struct, frozen=True):
    """What one partition knows of a window so far: cumulative, so the newest replaces all before it.

    `states` is None once the window is final in the partition: only its counts can still change.
    `refused` is the judge's mark on a partial that came when the window could no longer be merged.
    Where it is about labels it has their `labels` coverage, and a `version` that grows with every change:
    what is known of a window can then change without new records.
    """

    subject: Subject
    window: Window
    partition: int
    counts: Counts
    states: Mapping[str, Any] | None
    refused: bool = False
    labels: Coverage | None = None
    version: int = 0

    @property
    def extent(self) -> tuple[int, int]:
        """Grows with what the partial knows."""
        return self.version, self.counts.records


class Watched(Struct, frozen=True):
    """What came of one batch: which of its records were late, shape (records,), what became of all of them,
    and news for the judge."""

    late: NDArray[np.bool_]
    subject: Subject
    partials: Sequence[Partial]
    progress: Progress
    counts: Counts


Dumped = Mapping[tuple[Any, ...], bytes]  # parts of states, by monitor and part


class _Open(Struct):
    counts: Counts
    states: dict[str, Any]


class _Timeline(Struct):
    """The windows of one subject, by their start: those that can change, the counts of those that cannot,
    and which of them the judge has not heard of as they are now."""

    watermark: int = BEFORE_ALL
    open: dict[int, _Open] = {}
    final: dict[int, Counts] = {}
    unsent: set[int] = set()


class Watch:
    """Window states of one partition.

    A record is late when its window was final before it came: when an earlier record of the same subject
    and partition had an event time past the window's end by more than lateness and retention together.
    Which records those are depends on the order in the log alone, not on how it is cut into batches.
    """

    def __init__(
        self,
        partition: int,
        windows: WindowSettings,
        monitors: Callable[[Subject], Sequence[Monitor]],
    ) -> None:
        self._partition = partition
        self._timing = Timing.of(windows)
        self._size, self._retention = self._timing.size, self._timing.retention
        self._monitors = monitors
        self._timelines: dict[Subject, _Timeline] = {}
        self._dirty: set[Place] = set()
        self._tracker = Tracker()
        self.totals = Counts()
        self.reasons: Counter[str] = Counter()

    def observe(self, decoded: Decoded) -> Watched:
        """Take in one batch of one subject, in the order of the log."""
        subject = decoded.subject
        timeline = self._timelines.setdefault(subject, _Timeline())
        placed = self._timing.place(decoded, timeline.watermark)
        total = Counts()
        for start, counts in placed.counts(decoded).items():
            total = total.merge(counts)
            self._add(subject, timeline, start, counts)
        self.totals = self.totals.merge(total)
        self.reasons.update(error.code for error in decoded.bad.values())
        for start, rows in placed.rows(decoded):
            states = timeline.open[start].states
            for monitor in self._monitors(subject):
                states[monitor.name] = states[monitor.name].merge(monitor.observe(rows))
        timeline.watermark = placed.watermark
        partials = list(self._news(subject, timeline))
        self._release(subject, timeline)
        progress = Progress(timeline.watermark, self._partition)
        return Watched(placed.late, subject, partials, progress, total)

    def all_open(self, subject: Subject) -> list[Partial]:
        """What is known of every window of `subject` that can change, those included that are not due."""
        timeline = self._timelines[subject]
        return [
            Partial(subject, Window(start, start + self._size), self._partition, o.counts, dict(o.states))
            for start, o in sorted(timeline.open.items())
        ]

    def watermark(self, subject: Subject) -> int:
        """Event time (ms) before which nothing more is expected of `subject`."""
        timeline = self._timelines.get(subject)
        return timeline.watermark if timeline else BEFORE_ALL

    def open_until(self, subject: Subject) -> int:
        """End (ms) of the last window of `subject` that has data and can change; BEFORE_ALL if none is."""
        timeline = self._timelines.get(subject)
        return max(timeline.open) + self._size if timeline and timeline.open else BEFORE_ALL

    @property
    def subjects(self) -> list[Subject]:
        """Every subject heard of so far."""
        return sorted(self._timelines, key=str)

    def _add(self, subject: Subject, timeline: _Timeline, start: int, counts: Counts) -> None:
        end = start + self._size + self._retention
        if (opened := timeline.open.get(start)) is not None:
            opened.counts = opened.counts.merge(counts)
        elif end > timeline.watermark:
            states = {monitor.name: monitor.observe(NO_ROWS) for monitor in self._monitors(subject)}
            timeline.open[start] = _Open(counts, states)
        elif end + MEMORY * self._size > timeline.watermark:
            timeline.final[start] = timeline.final.get(start, Counts()).merge(counts)
        else:
            return  # forgotten: counted in the totals only
        timeline.unsent.add(start)
        self._dirty.add((subject, start))

    def _news(self, subject: Subject, timeline: _Timeline) -> Iterator[Partial]:
        """Windows that the watermark has passed and that changed since they were last told of."""
        for start in sorted(timeline.unsent):
            if start + self._size > timeline.watermark:
                return
            timeline.unsent.discard(start)
            self._dirty.add((subject, start))
            window = Window(start, start + self._size)
            if (opened := timeline.open.get(start)) is not None:
                yield Partial(subject, window, self._partition, opened.counts, dict(opened.states))
            else:
                yield Partial(subject, window, self._partition, timeline.final[start], None)

    def _release(self, subject: Subject, timeline: _Timeline) -> None:
        """Let go of states that can no longer change, and of counts that nobody asks for any more."""
        final = timeline.watermark - self._size - self._retention
        for start in [start for start in timeline.open if start <= final]:
            timeline.final[start] = timeline.open.pop(start).counts
            self._dirty.add((subject, start))
        for start in [start for start in timeline.final if start <= final - MEMORY * self._size]:
            del timeline.final[start]
            self._dirty.add((subject, start))

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values."""
        dirty: dict[str, Stored | None] = {window_group(*place): self._dump(place) for place in self._dirty}
        watermarks = [(subject, timeline.watermark) for subject, timeline in self._timelines.items()]
        about = (self.totals, dict(self.reasons), watermarks)
        dirty["about"] = {key("about"): msgspec.msgpack.encode(about)}
        self._dirty.clear()
        return self._tracker.changes(dirty)

    def _dump(self, place: Place) -> Stored | None:
        """A window's values: its counts, and each part of each monitor's state; None once it is forgotten."""
        timeline, start = self._timelines[place[0]], place[1]
        opened = timeline.open.get(start)
        counts = opened.counts if opened else timeline.final.get(start)
        if counts is None:
            return None
        head = (*place, counts, opened is not None, start not in timeline.unsent)
        group = window_group(*place)
        return {key(group): msgspec.msgpack.encode(head)} | dump_states(
            opened.states if opened else {}, group
        )

    def restore(self, stored: Stored) -> None:
        """Take up what checkpoints have stored so far."""
        self._tracker = Tracker(stored)
        for group, raw, states in grouped(stored):
            if group == "about":
                self._restore_about(raw)
            else:
                self._restore_window(raw, states)

    def _restore_about(self, raw: bytes) -> None:
        totals, reasons, watermarks = msgspec.msgpack.decode(
            raw, type=tuple[Counts, dict[str, int], list[tuple[Subject, int]]]
        )
        self.totals, self.reasons = totals, Counter(reasons)
        for subject, watermark in watermarks:
            self._timelines.setdefault(subject, _Timeline()).watermark = watermark

    def _restore_window(self, raw: bytes, states: Dumped) -> None:
        subject, start, counts, is_open, sent = msgspec.msgpack.decode(
            raw, type=tuple[Subject, int, Counts, bool, bool]
        )
        timeline = self._timelines.setdefault(subject, _Timeline())
        if is_open:
            timeline.open[start] = _Open(counts, load_states(self._monitors(subject), states))
        else:
            timeline.final[start] = counts
        if not sent:
            timeline.unsent.add(start)


def dump_states(states: Mapping[str, Any], *place: Any) -> dict[str, bytes]:
    """What is to be stored of states, by `place`, monitor and part."""
    return {
        key(*place, monitor, part): raw
        for monitor, state in states.items()
        for part, raw in state.dump().items()
    }


def load_states(monitors: Sequence[Any], dumped: Dumped, nothing: Any = NO_ROWS) -> dict[str, Any]:
    """States of `monitors` from what was stored of them, by monitor and part; one that is new since then
    begins with `nothing`."""
    stored: dict[str, dict[str, bytes]] = {}
    for (monitor, part), raw in dumped.items():
        stored.setdefault(monitor, {})[part] = raw
    return {m.name: m.load(stored[m.name]) if m.name in stored else m.observe(nothing) for m in monitors}
