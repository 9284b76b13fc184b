"""The judge stage: partials of all partitions into reports, once all have passed a window's end."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec
from msgspec import Struct

from schemas.frame import Subject
from schemas.report import (
    VIOLATIONS,
    Counts,
    Coverage,
    Report,
    Status,
    Window,
    violations_document,
)
from schemas.rows import NO_ROWS
from schemas.times import END_OF_TIME, milliseconds
from stream.changes import Changes, Place, Stored, Tracker, grouped, key, window_group
from stream.placing import BEFORE_ALL
from stream.settings import WindowSettings
from stream.since import dated, last_before, newest_with_data
from stream.watch import MEMORY, Dumped, Partial, dump_states, load_states
from stream.watermarks import Progress, Watermarks

MAX_EMPTY = (
    168  # a week of hours: windows without data reported in one gap; a longer one keeps the last of them
)


_Known = tuple[Counts, Coverage | None, int]  # of a partial: counts, labels and version
_Changed = list[tuple[Subject, dict[int, int]]]  # how often windows have changed, by their start


class _Timeline(Struct):
    """What is known of one subject: how far its partitions are, the start of the next window to close, and
    by start of window the newest partial of each partition and the last report of each monitor. `changed` is
    how many partials have changed a closed window since it was judged."""

    watermarks: Watermarks = msgspec.field(default_factory=Watermarks)
    cursor: int | None = None
    partials: dict[int, dict[int, Partial]] = {}
    published: dict[int, dict[str, Report]] = {}
    changed: dict[int, int] = {}


class Judge:
    """Merges the newest partial of each partition and judges windows in order.

    A window closes when the watermarks of all partitions that carry its subject have passed its end, and
    each other one of `partitions` has read what arrived until then: it may hold some of it too.
    Windows between the first and the watermark in which nothing came are reported as NoData. A partial
    that changes a closed window publishes it again, with the next revision. Where several have changed it
    before that, each counts as one: so a revision says the same however often windows were judged until then.
    A violation says since when it lasts; where a revision changes that for later windows, they are published
    again too.

    `nothing` is what its monitors observe when there is nothing: rows, or rows with labels.
    """

    def __init__(
        self,
        windows: WindowSettings,
        monitors: Callable[[Subject], Sequence[Any]],
        partitions: Sequence[int] = (),
        nothing: Any = NO_ROWS,
    ) -> None:
        self._size = milliseconds(windows.size)
        self._retention = milliseconds(windows.retention)
        self._horizon = self._size * (MEMORY + 1) + self._retention
        self._monitors = monitors
        self._partitions = partitions
        self._nothing = nothing
        self._read: dict[int, int] = {}
        self._timelines: dict[Subject, _Timeline] = {}
        self._dirty: set[Place] = set()
        self._tracker = Tracker()
        self.statuses: Counter[Status] = Counter()

    def observe(self, subject: Subject, partials: Sequence[Partial], progress: Progress) -> list[Report]:
        """Take in news of one partition; hands back the reports to publish, in order of their windows.

        Taking in the same again, or what is older, changes nothing.
        """
        timeline = self._hear(subject, partials, progress)
        again = [report for reports in self._again(subject, timeline) for report in reports]
        return again + self._advance(subject, timeline)

    def hear(self, subject: Subject, partials: Sequence[Partial], progress: Progress) -> list[Report]:
        """As `observe`, but windows that were closed before are not judged again until `revise` is asked."""
        return self._advance(subject, self._hear(subject, partials, progress))

    def revise(self) -> Iterator[list[Report]]:
        """Reports on closed windows that have changed since they were judged, a window at a time."""
        for subject, timeline in self._in_order():
            yield from self._again(subject, timeline)

    @property
    def changed(self) -> bool:
        """Whether `revise` has something to say."""
        return any(timeline.changed for timeline in self._timelines.values())

    def _hear(self, subject: Subject, partials: Sequence[Partial], progress: Progress) -> _Timeline:
        timeline = self._timelines.setdefault(subject, _Timeline())
        for partial in partials:
            start = partial.window.start
            if self._is_forgotten(timeline, start):
                continue  # told again: what the other partitions held of it is gone
            known = timeline.partials.setdefault(start, {})
            before = known.get(partial.partition)
            if before is not None and partial.extent <= before.extent:
                continue  # partials are cumulative: it tells nothing that is not known
            known[partial.partition] = _accept(timeline, partial)
            self._dirty.add((subject, start))
            if timeline.cursor is not None and start < timeline.cursor:
                timeline.changed[start] = timeline.changed.get(start, 0) + 1
        timeline.watermarks.move(progress)
        return timeline

    def _again(self, subject: Subject, timeline: _Timeline) -> Iterator[list[Report]]:
        while timeline.changed:
            changes = timeline.changed.pop(start := min(timeline.changed))
            yield list(self._judge(subject, timeline, start, changes))

    def _is_forgotten(self, timeline: _Timeline, start: int) -> bool:
        """Whether a window was closed so long ago that nothing is known of it any more."""
        if timeline.cursor is None or start >= timeline.cursor or start in timeline.published:
            return False
        return start + self._horizon <= timeline.watermarks.highest

    def heard(self, partition: int, until: int) -> list[Report]:
        """Take in that `partition` has read all that arrived in it before `until` (ms)."""
        self._read[partition] = max(until, self._read.get(partition, until))
        reports: list[Report] = []
        for subject, timeline in self._in_order():
            if partition not in timeline.watermarks.steps:
                reports += self._advance(subject, timeline)
        return reports

    def close(self, subject: Subject, until: int) -> list[Report]:
        """Take in that by the clock nothing more is expected of an idle subject before `until` (ms)."""
        timeline = self._timelines.setdefault(subject, _Timeline())
        timeline.watermarks.clock = max(until, timeline.watermarks.clock)
        return self._advance(subject, timeline)

    def idle(self) -> Iterator[tuple[Subject, int, int, int]]:
        """Subjects of which all partitions are idle: how far they are closed, the end of the last window that
        holds data, and when something last arrived (all in ms)."""
        for subject, timeline in self._in_order():
            watermarks = timeline.watermarks
            if watermarks.steps and watermarks.all_idle:
                last = max(timeline.partials, default=BEFORE_ALL) + self._size
                yield subject, watermarks.highest, last, watermarks.arrived

    def _in_order(self) -> list[tuple[Subject, _Timeline]]:
        return [(subject, self._timelines[subject]) for subject in sorted(self._timelines, key=str)]

    def _advance(self, subject: Subject, timeline: _Timeline) -> list[Report]:
        """Judge what can be closed now."""
        if not timeline.watermarks.steps:
            return []
        watermark = timeline.watermarks.low(self._partitions, self._read)
        reports: list[Report] = []
        for start in self._due(timeline, watermark):
            reports += self._judge(subject, timeline, start)
        self._release(subject, timeline, watermark)
        return reports

    def _due(self, timeline: _Timeline, watermark: int) -> Iterator[int]:
        """Starts of windows that close now, in order, those in which nothing came included."""
        ready = sorted(start for start in timeline.partials if start + self._size <= watermark)
        cursor = timeline.cursor
        if cursor is None:  # the first window is the first that anything was in time for
            cursor = next((start for start in ready if _in_time(timeline.partials[start])), None)
            if cursor is None:
                return
            yield from (start for start in ready if start < cursor)
        for start in [start for start in ready if start >= cursor]:
            yield from self._gap(cursor, start)
            yield start
            cursor = start + self._size
        if watermark != END_OF_TIME:
            until = watermark // self._size * self._size
            yield from self._gap(cursor, until)
            cursor = max(cursor, until)
        timeline.cursor = cursor

    def _gap(self, start: int, stop: int) -> Iterator[int]:
        yield from range(max(start, stop - MAX_EMPTY * self._size), stop, self._size)

    def _judge(self, subject: Subject, timeline: _Timeline, start: int, changes: int = 1) -> Iterator[Report]:
        """A report of each monitor; where the states are gone, the last findings with new counts."""
        known = timeline.partials.get(start, {})
        partials = [known[number] for number in sorted(known)]
        counts = reduce(Counts.merge, map(_counted, partials), Counts())
        found = [partial.labels for partial in partials if partial.labels is not None]
        labels = reduce(Coverage.merge, found, Coverage()) if self._nothing is not NO_ROWS else None
        published = timeline.published.setdefault(start, {})
        window = Window(start, start + self._size)
        for monitor in self._monitors(subject):
            before = published.get(monitor.name)
            if before is not None and any(partial.states is None for partial in partials):
                finding = before.finding
            else:
                states = [p.states[monitor.name] for p in partials if p.states is not None]
                finding = monitor.finish(
                    reduce(lambda a, b: a.merge(b), states, monitor.observe(self._nothing))
                )
            finding = dated(finding, start, last_before(timeline.published, monitor.name, start))
            revision = before.revision + changes if before else 0
            report = Report(subject, monitor.name, window, revision, counts, finding, labels)
            kept = msgspec.structs.replace(finding, documents={})  # documents are written once
            published[monitor.name] = msgspec.structs.replace(report, finding=kept)
            self.statuses[report.status] += 1
            if before:
                self.statuses[before.status] -= 1
            yield report
            yield from self._later(subject, timeline, monitor.name, start)
        self._dirty.add((subject, start))

    def _later(self, subject: Subject, timeline: _Timeline, monitor: str, start: int) -> Iterator[Report]:
        """Reports on later windows again, of which a violation is now known to be older or younger."""
        for later in sorted(known for known in timeline.published if known > start):
            report = timeline.published[later].get(monitor)
            if report is None or report.status == "NoData":
                continue
            finding = dated(report.finding, later, last_before(timeline.published, monitor, later))
            if finding is report.finding:
                return
            report = msgspec.structs.replace(report, revision=report.revision + 1, finding=finding)
            timeline.published[later][monitor] = report
            self._dirty.add((subject, later))
            document = {VIOLATIONS: violations_document(finding.violations)}
            told = msgspec.structs.replace(finding, documents=document)
            yield msgspec.structs.replace(report, finding=told)

    def _release(self, subject: Subject, timeline: _Timeline, watermark: int) -> None:
        """Let go of states that can no longer change, and of reports that can no longer be revised. At the
        end of all captures labels may still come."""
        if watermark == END_OF_TIME and self._nothing is not NO_ROWS:
            return
        held = self._size + max(self._retention, self._size)  # a partition that is new may still have a part
        old = [start for start in timeline.published if start + held <= watermark]
        for start in [start for start in old if start not in timeline.changed]:
            known = timeline.partials.get(start, {})
            if any(partial.states is not None for partial in known.values()):
                timeline.partials[start] = {n: _without_states(partial) for n, partial in known.items()}
                self._dirty.add((subject, start))
            if start + self._horizon <= watermark and start != newest_with_data(timeline.published):
                del timeline.published[start]
                timeline.partials.pop(start, None)
                self._dirty.add((subject, start))

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values."""
        dirty: dict[str, Stored | None] = {window_group(*place): self._dump(place) for place in self._dirty}
        progress = [(subject, t.watermarks, t.cursor) for subject, t in self._timelines.items()]
        about = (progress, dict(self.statuses), self._read)
        dirty["about"] = {key("about"): msgspec.msgpack.encode(about)}
        changed = [(subject, t.changed) for subject, t in self._timelines.items() if t.changed]
        dirty["changed"] = {key("changed"): msgspec.msgpack.encode(changed)} if changed else None
        self._dirty.clear()
        return self._tracker.changes(dirty)

    def _dump(self, place: Place) -> Stored | None:
        timeline, start = self._timelines[place[0]], place[1]
        partials, published = timeline.partials.get(start, {}), timeline.published.get(start, {})
        if not partials and not published:
            return None
        counts = {number: (p.counts, p.labels, p.version) for number, p in partials.items()}
        open_ = [number for number, partial in partials.items() if partial.states is not None]
        refused = [number for number, partial in partials.items() if partial.refused]
        head = (*place, counts, open_, refused, list(published.values()))
        group = window_group(*place)
        values = {key(group): msgspec.msgpack.encode(head)}
        for number, partial in partials.items():
            values |= dump_states(partial.states or {}, group, number)
        return values

    def restore(self, stored: Stored) -> None:
        """Take up what checkpoints have stored so far."""
        self._tracker = Tracker(stored)
        for group, raw, states in grouped(stored):
            if group == "about":
                self._restore_about(raw)
            elif group == "changed":
                for subject, changes in msgspec.msgpack.decode(raw, type=_Changed):
                    self._timelines.setdefault(subject, _Timeline()).changed = changes
            else:
                self._restore_window(raw, states)

    def _restore_about(self, raw: bytes) -> None:
        progress, statuses, self._read = msgspec.msgpack.decode(
            raw, type=tuple[list[tuple[Subject, Watermarks, int | None]], dict[Status, int], dict[int, int]]
        )
        self.statuses = Counter(statuses)
        for subject, watermarks, cursor in progress:
            timeline = self._timelines.setdefault(subject, _Timeline())
            timeline.watermarks, timeline.cursor = watermarks, cursor

    def _restore_window(self, raw: bytes, states: Dumped) -> None:
        subject, start, counts, open_, refused, published = msgspec.msgpack.decode(
            raw, type=tuple[Subject, int, dict[int, _Known], list[int], list[int], list[Report]]
        )
        timeline = self._timelines.setdefault(subject, _Timeline())
        window = Window(start, start + self._size)
        for number, (counted, labels, version) in counts.items():
            loaded: dict[str, Any] | None = None
            if number in open_:
                own = {tuple(place): part for (of, *place), part in states.items() if of == number}
                loaded = load_states(self._monitors(subject), own, self._nothing)
            is_refused = number in refused
            partial = Partial(subject, window, number, counted, loaded, is_refused, labels, version)
            timeline.partials.setdefault(start, {})[number] = partial
        if published:
            timeline.published[start] = {report.monitor: report for report in published}


def _accept(timeline: _Timeline, partial: Partial) -> Partial:
    """The partial as it is kept: with states where a final one left them out, refused where the window's
    other states are gone, so that they could not be merged any more."""
    start = partial.window.start
    known = timeline.partials.get(start, {})
    before = known.get(partial.partition)
    if before is not None and partial.states is None:
        partial = msgspec.structs.replace(partial, states=before.states, refused=before.refused)
    gone = start in timeline.published and bool(known) and all(p.states is None for p in known.values())
    if gone and (before is None or before.refused):
        partial = msgspec.structs.replace(partial, states=None, refused=True)
    return partial


def _in_time(partials: Mapping[int, Partial]) -> bool:
    return any(partial.counts.records > partial.counts.late for partial in partials.values())


def _without_states(partial: Partial) -> Partial:
    return msgspec.structs.replace(partial, states=None)


def _counted(partial: Partial) -> Counts:
    """Counts of a partial; what a refused one holds came too late for the window."""
    counts = partial.counts
    if not partial.refused:
        return counts
    late = counts.records - counts.bad - counts.filtered
    return Counts(counts.records, 0, counts.bad, late, counts.filtered)
