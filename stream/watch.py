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
from schemas.report import Counts, Window
from schemas.rows import NO_ROWS, Rows
from stream.changes import Changes, Stored, Tracker, key, parts
from stream.placing import BEFORE_ALL, Timing
from stream.settings import WindowSettings

MEMORY = 1_000  # windows for which late records are still counted one by one after the window is final


class Partial(Struct, frozen=True):
    """What one partition knows of a window so far: cumulative, so the newest replaces all before it.

    `states` is None once the window is final in the partition: only its counts can still change.
    `refused` is the judge's mark on a partial that came when the window could no longer be merged.
    """

    subject: Subject
    window: Window
    partition: int
    counts: Counts
    states: Mapping[str, Any] | None
    refused: bool = False


class Progress(Struct, frozen=True):
    """No record before `watermark` (event time, ms) will change a window of `subject` in `partition`."""

    subject: Subject
    partition: int
    watermark: int


class Watched(Struct, frozen=True):
    """What came of one batch: which of its records were late, shape (records,), and news for the judge."""

    late: NDArray[np.bool_]
    partials: Sequence[Partial]
    progress: Progress


class _Open(Struct):
    counts: Counts
    states: dict[str, Any]


_Place = tuple[Subject, int]  # a window's subject and start


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
        self._watermarks: dict[Subject, int] = {}
        self._open: dict[_Place, _Open] = {}
        self._final: dict[_Place, Counts] = {}
        self._unsent: set[_Place] = set()
        self._dirty: set[_Place] = set()
        self._tracker = Tracker()
        self.totals = Counts()
        self.reasons: Counter[str] = Counter()

    def observe(self, decoded: Decoded) -> Watched:
        """Take in one batch of one subject, in the order of the log."""
        subject = decoded.subject
        placed = self._timing.place(decoded, self.watermark(subject))
        for start, counts in placed.counts(decoded).items():
            self.totals = self.totals.merge(counts)
            self._add((subject, start), counts)
        self.reasons.update(error.code for error in decoded.bad.values())
        for start, rows in placed.rows(decoded):
            self._merge((subject, start), rows)
        self._watermarks[subject] = placed.watermark
        return Watched(placed.late, list(self._news(subject)), self._progress(subject))

    def watermark(self, subject: Subject) -> int:
        """Event time (ms) before which nothing more is expected of `subject`."""
        return self._watermarks.get(subject, BEFORE_ALL)

    @property
    def subjects(self) -> list[Subject]:
        """Every subject heard of so far."""
        return sorted(self._watermarks)

    def _progress(self, subject: Subject) -> Progress:
        return Progress(subject, self._partition, self.watermark(subject))

    def _add(self, place: _Place, counts: Counts) -> None:
        watermark = self.watermark(place[0])
        end = place[1] + self._size + self._retention
        if place in self._open:
            opened = self._open[place]
            opened.counts = opened.counts.merge(counts)
        elif end > watermark:
            self._open[place] = _Open(counts, {m.name: m.observe(NO_ROWS) for m in self._monitors(place[0])})
        elif end + MEMORY * self._size > watermark:
            self._final[place] = self._final.get(place, Counts()).merge(counts)
        else:
            return  # forgotten: counted in the totals only
        self._unsent.add(place)
        self._dirty.add(place)

    def _merge(self, place: _Place, rows: Rows) -> None:
        opened = self._open[place]
        for monitor in self._monitors(place[0]):
            opened.states[monitor.name] = opened.states[monitor.name].merge(monitor.observe(rows))

    def _news(self, subject: Subject) -> Iterator[Partial]:
        """Windows that the watermark has passed and that changed since they were last told of."""
        watermark = self.watermark(subject)
        for place in sorted(p for p in self._unsent if p[0] == subject):
            if place[1] + self._size > watermark:
                continue
            self._unsent.discard(place)
            self._dirty.add(place)
            window = Window(place[1], place[1] + self._size)
            if place in self._open:
                opened = self._open[place]
                yield Partial(subject, window, self._partition, opened.counts, dict(opened.states))
            else:
                yield Partial(subject, window, self._partition, self._final[place], None)
        self._release(subject, watermark)

    def _release(self, subject: Subject, watermark: int) -> None:
        """Let go of states that can no longer change, and of counts that nobody asks for any more."""
        for place in [p for p in self._open if p[0] == subject]:
            if place[1] + self._size + self._retention <= watermark:
                self._final[place] = self._open.pop(place).counts
                self._dirty.add(place)
        for place in [p for p in self._final if p[0] == subject]:
            if place[1] + self._size * (MEMORY + 1) + self._retention <= watermark:
                del self._final[place]
                self._dirty.add(place)

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values."""
        dirty: dict[str, Stored | None] = {
            _group(place): self._dump(place) if place in self._open or place in self._final else None
            for place in self._dirty
        }
        about = (self.totals, dict(self.reasons), list(self._watermarks.items()))
        dirty["about"] = {key("about"): msgspec.msgpack.encode(about)}
        self._dirty.clear()
        return self._tracker.changes(dirty)

    def _dump(self, place: _Place) -> Stored:
        """A window's values: its counts, and each part of each monitor's state."""
        opened = self._open.get(place)
        counts = opened.counts if opened else self._final[place]
        sent = place not in self._unsent
        head = msgspec.msgpack.encode((place[0], place[1], counts, opened is not None, sent))
        values = {key(_group(place)): head}
        for monitor, state in (opened.states if opened else {}).items():
            for part, raw in state.dump().items():
                values[key(_group(place), monitor, part)] = raw
        return values

    def restore(self, stored: Stored) -> None:
        """Take up what checkpoints have stored so far."""
        self._tracker = Tracker(stored)
        states: dict[str, dict[str, dict[str, bytes]]] = {}
        for name, raw in stored.items():
            group, *rest = parts(name)
            if rest:
                states.setdefault(group, {}).setdefault(rest[0], {})[rest[1]] = raw
        for name, raw in stored.items():
            group, *rest = parts(name)
            if group == "about":
                self._restore_about(raw)
            elif not rest:
                self._restore_window(raw, states.get(group, {}))

    def _restore_about(self, raw: bytes) -> None:
        totals, reasons, watermarks = msgspec.msgpack.decode(
            raw, type=tuple[Counts, dict[str, int], list[tuple[Subject, int]]]
        )
        self.totals, self.reasons, self._watermarks = totals, Counter(reasons), dict(watermarks)

    def _restore_window(self, raw: bytes, states: Mapping[str, Mapping[str, bytes]]) -> None:
        subject, start, counts, is_open, sent = msgspec.msgpack.decode(
            raw, type=tuple[Subject, int, Counts, bool, bool]
        )
        place = (subject, start)
        if is_open:
            loaded = {m.name: m.load(states[m.name]) for m in self._monitors(subject)}
            self._open[place] = _Open(counts, loaded)
        else:
            self._final[place] = counts
        if not sent:
            self._unsent.add(place)


def _group(place: _Place) -> str:
    subject, start = place
    return key(subject.endpoint, subject.variant, subject.model, start)
