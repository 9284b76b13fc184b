"""Windows of joined rows: what is known of a model's quality in each, and what the judge must hear of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from schemas.frame import Subject
from schemas.labelled import NO_LABELS, Labelled
from schemas.report import Counts, Coverage, Finding, Window
from schemas.times import END_OF_TIME
from stream.changes import Changes, Place, Stored, Tracker, grouped, key, window_group
from stream.joining.joined import Joined, by_kind
from stream.placing import BEFORE_ALL, Timing
from stream.watch import Dumped, Partial, dump_states, load_states


class QualityMonitor(Protocol):
    """A monitor of rows with labels; otherwise as any other."""

    @property
    def name(self) -> str: ...

    def observe(self, batch: Labelled) -> Any:
        """The state of rows, which may be none: that is the identity of merge."""
        ...

    def load(self, parts: Mapping[str, bytes]) -> Any:
        """Restore a state from what its `dump` gave."""
        ...

    def finish(self, state: Any) -> Finding:
        """Judge a whole window's state."""
        ...


_TOGETHER = 8_192  # rows of a window that are looked at at once: each look has a high fixed cost


class _Open(Struct):
    """`records` came, of which `matched` gave `rows`, and `expired` had to make room without a label. `told`
    is whether the judge knows of the window, `changed` whether there is more to tell."""

    records: int = 0
    matched: int = 0
    rows: int = 0
    expired: int = 0
    told: bool = False
    changed: bool = True


class _New(Struct):
    """Rows that are in no state yet."""

    parts: list[Labelled] = []
    rows: int = 0


class QualityWindows:
    """Windows of one partition. They stay open for labels until they are older than the retention.

    News of a window is given when the watermark passes its end, and at its last moment; what labels change in
    between is given when `flush` asks. `lacking` are windows of which a monitor has not seen all rows: it was
    not there when they came.
    """

    def __init__(
        self,
        partition: int,
        timing: Timing,
        monitors: Callable[[Subject], Sequence[QualityMonitor]],
        stored: Stored,
    ) -> None:
        self._partition, self._timing, self._monitors = partition, timing, monitors
        self._watermarks: dict[Subject, int] = {}
        self._open: dict[Place, _Open] = {}
        self._states: dict[Place, dict[str, Any]] = {}
        self._new: dict[Place, _New] = {}
        self._dirty: set[Place] = set()
        self._tracker = Tracker(stored)
        self.lacking: list[Place] = []
        self._restore(stored)

    def watermark(self, subject: Subject) -> int:
        """Event time (ms) before which nothing more is expected of `subject`."""
        return self._watermarks.get(subject, BEFORE_ALL)

    def came(self, subject: Subject, counts: Mapping[int, int]) -> None:
        """Take in how many predictions came, by start of their window."""
        for start, records in counts.items():
            self._at((subject, start)).records += records

    def joined(self, parts: Iterable[Joined]) -> None:
        """Take in rows with their labels. Those of a window that is final count no more."""
        for part in parts:
            place = (part.subject, part.start)
            if place in self._open and (part.rows or part.whole):
                self._join(place, part)

    def _join(self, place: Place, part: Joined) -> None:
        opened = self._at(place)
        if part.whole:
            opened.matched = opened.rows = 0
            self._states[place] = self._nothing(place[0])
            self._new.pop(place, None)
        opened.matched += part.records
        new = self._new.setdefault(place, _New())
        new.parts += part.rows
        rows = sum(map(len, part.rows))
        opened.rows += rows
        new.rows += rows
        if new.rows >= _TOGETHER:
            self._observe(place)

    def _observe(self, place: Place) -> dict[str, Any]:
        """The states of a window, with all its rows in them."""
        states = self._states[place]
        for rows in by_kind(self._new.pop(place, _New()).parts):
            for monitor in self._monitors(place[0]):
                states[monitor.name] = states[monitor.name].merge(monitor.observe(rows))
        return states

    def expired(self, gone: Iterable[tuple[Subject, int, int]]) -> None:
        """Take in how many predictions had to make room without a label, by subject and window."""
        for subject, start, records in gone:
            if (subject, start) in self._open:
                self._at((subject, start)).expired += records

    def _at(self, place: Place) -> _Open:
        """The window at a place, about to change."""
        if place not in self._open:
            self._open[place] = _Open()
            self._states[place] = self._nothing(place[0])
        self._dirty.add(place)
        self._open[place].changed = True
        return self._open[place]

    def _nothing(self, subject: Subject) -> dict[str, Any]:
        return {monitor.name: monitor.observe(NO_LABELS) for monitor in self._monitors(subject)}

    def passes(self, subject: Subject, watermark: int) -> bool:
        """Whether a window may end between the watermark of `subject` and this one."""
        size = self._timing.size
        return watermark // size > self.watermark(subject) // size

    def advance(self, subject: Subject, watermark: int, version: int) -> list[Partial]:
        """Take in how far a subject has come; news of windows that close, and of those that are final.

        `version` is that of the news: it must be higher than that of earlier news, and the same when the same
        is told again.
        """
        passes = self.passes(subject, watermark)
        self._watermarks[subject] = max(watermark, self.watermark(subject))
        if not passes:
            return []
        size = self._timing.size
        mine = sorted(place for place in self._open if place[0] == subject)
        closed = [place for place in mine if place[1] + size <= watermark]
        over = watermark - self._timing.retention
        final = [p for p in closed if p[1] + size <= over] if watermark != END_OF_TIME else []
        for place in final:
            self._finish(place)
        everything = watermark == END_OF_TIME  # there will be no more labels either
        due = [
            p
            for p in closed
            if self._open[p].changed and (everything or p in final or not self._open[p].told)
        ]
        news = [self._tell(place, version) for place in due]
        for place in final:
            del self._open[place], self._states[place]
            self._dirty.add(place)
        return news

    def _finish(self, place: Place) -> None:
        opened = self._open[place]
        if opened.matched + opened.expired < opened.records:
            self._at(place).expired = opened.records - opened.matched

    def flush(self, version: int) -> list[tuple[Subject, list[Partial]]]:
        """News of windows that were told of and have changed since; `version` as for `advance`."""
        due: dict[Subject, list[Partial]] = {}
        for place in sorted(self._open, key=str):
            if self._open[place].told and self._open[place].changed:
                due.setdefault(place[0], []).append(self._tell(place, version))
        return list(due.items())

    def _tell(self, place: Place, version: int) -> Partial:
        opened = self._open[place]
        opened.told, opened.changed = True, False
        self._dirty.add(place)
        subject, start = place
        counts = Counts(opened.records, opened.rows)
        waiting = max(opened.records - opened.matched - opened.expired, 0)
        labels = Coverage(opened.matched, waiting, opened.expired)
        window = Window(start, start + self._timing.size)
        states = dict(self._observe(place))
        return Partial(subject, window, self._partition, counts, states, False, labels, version)

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values."""
        dirty: dict[str, Stored | None] = {window_group(*place): self._dump(place) for place in self._dirty}
        about = list(self._watermarks.items())
        dirty["about"] = {key("about"): msgspec.msgpack.encode(about)}
        self._dirty.clear()
        return self._tracker.changes(dirty)

    def _dump(self, place: Place) -> Stored | None:
        if place not in self._open:
            return None
        group = window_group(*place)
        about = {key(group): msgspec.msgpack.encode((*place, self._open[place]))}
        return about | dump_states(self._observe(place), group)

    def _restore(self, stored: Stored) -> None:
        for group, raw, states in grouped(stored):
            if group == "about":
                self._watermarks = dict(msgspec.msgpack.decode(raw, type=list[tuple[Subject, int]]))
            else:
                self._restore_window(raw, states)

    def _restore_window(self, raw: bytes, states: Dumped) -> None:
        subject, start, opened = msgspec.msgpack.decode(raw, type=tuple[Subject, int, _Open])
        monitors = self._monitors(subject)
        self._open[subject, start] = opened
        self._states[subject, start] = load_states(monitors, states, NO_LABELS)
        if opened.rows and not {monitor.name for monitor in monitors} <= {name for name, *_ in states}:
            self.lacking.append((subject, start))
