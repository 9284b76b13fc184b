"""The judge stage: partials of all partitions into reports, once all have passed a window's end."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec

from monitors.base import Monitor
from schemas.frame import Subject
from schemas.report import Counts, Finding, Report, Status, Window
from schemas.rows import NO_ROWS
from schemas.times import END_OF_TIME, milliseconds
from stream.changes import Changes, Stored, Tracker, key, parts
from stream.placing import BEFORE_ALL
from stream.settings import WindowSettings
from stream.watch import MEMORY, Partial, Progress

MAX_EMPTY = (
    168  # a week of hours: windows without data reported in one gap; a longer one keeps the last of them
)

_Place = tuple[Subject, int]  # a window's subject and start


class Judge:
    """Merges the newest partial of each partition and judges windows in order.

    A window closes when the watermarks of all partitions that carry its subject have passed its end.
    Windows between the first and the watermark in which nothing came are reported as NoData. A partial
    that changes a closed window publishes it again, with the next revision.
    """

    def __init__(self, windows: WindowSettings, monitors: Callable[[Subject], Sequence[Monitor]]) -> None:
        self._size = milliseconds(windows.size)
        self._retention = milliseconds(windows.retention)
        self._monitors = monitors
        self._watermarks: dict[tuple[Subject, int], int] = {}
        self._cursor: dict[Subject, int] = {}
        self._partials: dict[_Place, dict[int, Partial]] = {}
        self._published: dict[_Place, dict[str, Report]] = {}
        self._dirty: set[_Place] = set()
        self._tracker = Tracker()
        self.statuses: Counter[Status] = Counter()

    def observe(self, partials: Sequence[Partial], progress: Progress) -> list[Report]:
        """Take in news of one partition; hands back the reports to publish, in order of their windows."""
        again: set[_Place] = set()
        for partial in partials:
            place = (partial.subject, partial.window.start)
            known = self._partials.setdefault(place, {})
            known[partial.partition] = self._accept(place, partial, known)
            self._dirty.add(place)
            if place[1] < self._cursor.get(partial.subject, BEFORE_ALL):
                again.add(place)
        subject = progress.subject
        self._watermarks[subject, progress.partition] = progress.watermark
        watermark = min(w for (s, _), w in self._watermarks.items() if s == subject)
        reports = [report for place in sorted(again) for report in self._judge(place)]
        reports += [report for place in self._due(subject, watermark) for report in self._judge(place)]
        self._release(subject, watermark)
        return reports

    def _accept(self, place: _Place, partial: Partial, known: Mapping[int, Partial]) -> Partial:
        """The partial as it is kept: with states where a final one left them out, refused where the
        window's other states are gone, so that they could not be merged any more."""
        before = known.get(partial.partition)
        if before is not None and partial.states is None:
            partial = msgspec.structs.replace(partial, states=before.states, refused=before.refused)
        gone = place in self._published and bool(known) and all(p.states is None for p in known.values())
        if gone and (before is None or before.refused):
            partial = msgspec.structs.replace(partial, states=None, refused=True)
        return partial

    def _due(self, subject: Subject, watermark: int) -> Iterator[_Place]:
        """Windows that close now, in order, those in which nothing came included."""
        starts = sorted(start for s, start in self._partials if s == subject)
        ready = [start for start in starts if start + self._size <= watermark]
        cursor = self._cursor.get(subject)
        if cursor is None:  # the first window is the first that anything was in time for
            cursor = next((start for start in ready if self._in_time((subject, start))), None)
            if cursor is None:
                return
            yield from ((subject, start) for start in ready if start < cursor)
        for start in [start for start in ready if start >= cursor]:
            yield from self._gap(subject, cursor, start)
            yield subject, start
            cursor = start + self._size
        if watermark != END_OF_TIME:
            until = watermark // self._size * self._size
            yield from self._gap(subject, cursor, until)
            cursor = max(cursor, until)
        self._cursor[subject] = cursor

    def _in_time(self, place: _Place) -> bool:
        return any(p.counts.records > p.counts.late for p in self._partials[place].values())

    def _gap(self, subject: Subject, start: int, stop: int) -> Iterator[_Place]:
        for at in range(max(start, stop - MAX_EMPTY * self._size), stop, self._size):
            yield subject, at

    def _judge(self, place: _Place) -> Iterator[Report]:
        """A report of each monitor; where the states are gone, the last findings with new counts."""
        subject, start = place
        partials = [self._partials[place][p] for p in sorted(self._partials.get(place, {}))]
        counts = reduce(Counts.merge, map(_counted, partials), Counts())
        published = self._published.setdefault(place, {})
        window = Window(start, start + self._size)
        for monitor in self._monitors(subject):
            before = published.get(monitor.name)
            if before is not None and any(partial.states is None for partial in partials):
                finding = before.finding
            else:
                states = [p.states[monitor.name] for p in partials if p.states is not None]
                finding = monitor.finish(reduce(lambda a, b: a.merge(b), states, monitor.observe(NO_ROWS)))
            revision = before.revision + 1 if before else 0
            report = Report(subject, monitor.name, window, revision, counts, finding)
            kept = Finding(finding.violations, finding.drift, {})  # documents are written once
            published[monitor.name] = msgspec.structs.replace(report, finding=kept)
            self.statuses[report.status] += 1
            if before:
                self.statuses[before.status] -= 1
            yield report
        self._dirty.add(place)

    def _release(self, subject: Subject, watermark: int) -> None:
        """Let go of states that can no longer change, and of reports that can no longer be revised."""
        held = self._size + max(self._retention, self._size)  # a partition that is new may still have a part
        for place in [p for p in self._partials if p[0] == subject and p in self._published]:
            if place[1] + held <= watermark and any(p.states for p in self._partials[place].values()):
                self._partials[place] = {
                    number: msgspec.structs.replace(partial, states=None)
                    for number, partial in self._partials[place].items()
                }
                self._dirty.add(place)
        horizon = self._size * (MEMORY + 1) + self._retention
        for place in [p for p in self._published if p[0] == subject and p[1] + horizon <= watermark]:
            del self._published[place]
            self._partials.pop(place, None)
            self._dirty.add(place)

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values."""
        dirty: dict[str, Stored | None] = {_group(place): self._dump(place) for place in self._dirty}
        watermarks = [(s, p, w) for (s, p), w in self._watermarks.items()]
        about = (watermarks, list(self._cursor.items()), dict(self.statuses))
        dirty["about"] = {key("about"): msgspec.msgpack.encode(about)}
        self._dirty.clear()
        return self._tracker.changes(dirty)

    def _dump(self, place: _Place) -> Stored | None:
        partials, published = self._partials.get(place, {}), self._published.get(place, {})
        if not partials and not published:
            return None
        counts = {number: partial.counts for number, partial in partials.items()}
        open_ = [number for number, partial in partials.items() if partial.states is not None]
        refused = [number for number, partial in partials.items() if partial.refused]
        head = (place[0], place[1], counts, open_, refused, list(published.values()))
        values = {key(_group(place)): msgspec.msgpack.encode(head)}
        for number, partial in partials.items():
            for monitor, state in (partial.states or {}).items():
                for part, raw in state.dump().items():
                    values[key(_group(place), number, monitor, part)] = raw
        return values

    def restore(self, stored: Stored) -> None:
        """Take up what checkpoints have stored so far."""
        self._tracker = Tracker(stored)
        states: dict[tuple[str, int], dict[str, dict[str, bytes]]] = {}
        for name, raw in stored.items():
            group, *rest = parts(name)
            if rest:
                number, monitor, part = rest
                states.setdefault((group, number), {}).setdefault(monitor, {})[part] = raw
        for name, raw in stored.items():
            group, *rest = parts(name)
            if group == "about":
                self._restore_about(raw)
            elif not rest:
                self._restore_window(group, raw, states)

    def _restore_about(self, raw: bytes) -> None:
        watermarks, cursor, statuses = msgspec.msgpack.decode(
            raw, type=tuple[list[tuple[Subject, int, int]], list[tuple[Subject, int]], dict[Status, int]]
        )
        self._watermarks = {(subject, partition): at for subject, partition, at in watermarks}
        self._cursor, self.statuses = dict(cursor), Counter(statuses)

    def _restore_window(
        self, group: str, raw: bytes, states: Mapping[tuple[str, int], Mapping[str, Mapping[str, bytes]]]
    ) -> None:
        subject, start, counts, open_, refused, published = msgspec.msgpack.decode(
            raw, type=tuple[Subject, int, dict[int, Counts], list[int], list[int], list[Report]]
        )
        window = Window(start, start + self._size)
        for number, counted in counts.items():
            loaded: dict[str, Any] | None = None
            if number in open_:
                dumped = states[group, number]
                loaded = {m.name: m.load(dumped[m.name]) for m in self._monitors(subject)}
            partial = Partial(subject, window, number, counted, loaded, number in refused)
            self._partials.setdefault((subject, start), {})[number] = partial
        if published:
            self._published[subject, start] = {report.monitor: report for report in published}


def _counted(partial: Partial) -> Counts:
    """Counts of a partial; what a refused one holds came too late for the window."""
    counts = partial.counts
    if not partial.refused:
        return counts
    return Counts(counts.records, 0, counts.bad, counts.records - counts.bad)


def _group(place: _Place) -> str:
    subject, start = place
    return key(subject.endpoint, subject.variant, subject.model, start)
