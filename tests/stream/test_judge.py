"""When windows close, what is said of empty ones, and how partitions come together."""

from itertools import count

import pytest

from made import ARRIVED, HOUR, SUBJECT, T0, baseline, capture, frames
from monitors.data_quality import DataQuality
from schemas.decode import decode
from schemas.frame import Frame, Subject
from schemas.report import Counts, Report
from schemas.times import END_OF_TIME
from stream import judge as judge_module
from stream.judge import Judge
from stream.settings import WindowSettings
from stream.watch import Watch

KNOWN = baseline()
MONITORS = (DataQuality(KNOWN),)
LAYOUT = KNOWN.layout()
_ids = count()


class Pipeline:
    """Some partitions and the judge, stored and restored at will."""

    def __init__(self, partitions: int = 1, **window: object) -> None:
        self.settings = WindowSettings.model_validate({"size": "1h", "lateness": "0s", **window})
        self.stored: dict[str, dict[str, bytes]] = {}
        self.numbers = range(partitions)
        self.restart()

    def restart(self) -> None:
        self.watches = [Watch(n, self.settings, lambda _: MONITORS) for n in self.numbers]
        self.judge = Judge(self.settings, lambda _: MONITORS)
        for name, stage in self.stages():
            stage.restore(self.stored.get(name, {}))

    def stages(self):
        return [*((f"watch{n}", w) for n, w in enumerate(self.watches)), ("judge", self.judge)]

    def checkpoint(self) -> None:
        for name, stage in self.stages():
            values = self.stored.setdefault(name, {})
            for key, value in stage.checkpoint().items():
                if value is None:
                    del values[key]  # a key that goes must have been there
                else:
                    values[key] = value

    def feed(self, frame: Frame, partition: int = 0) -> list[Report]:
        watched = self.watches[partition].observe(decode(frame, LAYOUT))
        return self.judge.observe(watched.subject, watched.partials, watched.progress)

    def at(self, *hours: float, partition: int = 0) -> list[Report]:
        records = [capture(T0 + int(h * HOUR), [(0.5, 40, "rome")], f"r{next(_ids)}") for h in hours]
        return self.feed(frames(records)[0], partition)

    def faulty(self, *hours: float, age: str = "x") -> list[Report]:
        """Records whose age is no number."""
        records = [capture(T0 + int(h * HOUR), [(0.5, age, "rome")], f"r{next(_ids)}") for h in hours]
        return self.feed(frames(records)[0])

    def end(self, partition: int = 0) -> list[Report]:
        return self.feed(Frame.completion(SUBJECT, END_OF_TIME), partition)


def said(reports: list[Report]) -> list[tuple[float, str, int, int]]:
    """(hour, status, revision, rows) of each report."""
    return [((r.window.start - T0) / HOUR, r.status, r.revision, r.counts.rows) for r in reports]


def test_a_window_closes_when_the_watermark_reaches_its_end_and_not_before():
    """
    window  0:00 ├──────────┤ 1:00
    lateness 10m            1:00├───┤1:10 closes
    """
    pipeline = Pipeline(lateness="10m")
    assert said(pipeline.at(0.0, 0.5, 1 + 9.99 / 60)) == []
    assert said(pipeline.at(1 + 10 / 60)) == [(0, "Completed", 0, 2)]


def test_an_event_at_the_end_of_a_window_belongs_to_the_next():
    pipeline = Pipeline()
    assert said(pipeline.at(0.0, 1.0)) == [(0, "Completed", 0, 1)]
    assert said(pipeline.end()) == [(1, "Completed", 0, 1)]


def test_hours_without_data_are_reported_as_no_data_and_not_as_failures():
    reports = Pipeline().at(0.5, 3.5)
    assert said(reports) == [(0, "Completed", 0, 1), (1, "NoData", 0, 0), (2, "NoData", 0, 0)]
    assert reports[1].finding.violations == []
    assert reports[1].finding.documents["statistics.json"].dataset.item_count == 0


def test_a_very_long_gap_is_reported_in_part(monkeypatch):
    monkeypatch.setattr(judge_module, "MAX_EMPTY", 3)
    pipeline = Pipeline()
    pipeline.at(0.5)
    assert [hour for hour, *_ in said(pipeline.at(200.5))] == [0, 197, 198, 199]


def test_the_slowest_partition_holds_a_window_open_and_all_are_merged():
    pipeline = Pipeline(partitions=2)
    assert said(pipeline.at(0.2, 0.3, partition=0)) == []
    assert said(pipeline.at(0.4, partition=1)) == []
    assert said(pipeline.at(1.5, partition=0)) == []
    assert said(pipeline.at(1.1, partition=1)) == [(0, "Completed", 0, 3)]


def test_a_partition_that_never_carried_the_subject_does_not_hold_it_back():
    pipeline = Pipeline(partitions=2)
    other = Subject("other")
    frame = frames([capture(T0, [(0.5, 40, "rome")], "x")])[0]
    elsewhere = Frame(other, frame.data, frame.arrived, frame.line)
    assert said(pipeline.feed(elsewhere, partition=1)) == []
    assert said(pipeline.at(0.5, 1.5, partition=0)) == [(0, "Completed", 0, 1)]


def test_a_late_record_of_one_partition_reopens_the_window_of_all_within_the_retention():
    pipeline = Pipeline(partitions=2, retention="5h")
    pipeline.at(0.1, partition=1)
    pipeline.at(0.2, 1.5, partition=0)
    assert said(pipeline.at(1.5, partition=1)) == [(0, "Completed", 0, 2)]
    assert said(pipeline.at(0.4, partition=1)) == [(0, "Completed", 1, 3)]
    assert said(pipeline.at(0.5, partition=0)) == [(0, "Completed", 2, 4)]


def test_a_partition_that_appears_after_a_window_was_judged_is_merged_while_that_is_possible():
    pipeline = Pipeline(partitions=2)
    assert said(pipeline.at(0.2, 1.2, partition=0)) == [(0, "Completed", 0, 1)]
    assert said(pipeline.at(0.3, 0.4, 1.1, partition=1)) == [(0, "Completed", 1, 3)]


def test_a_partition_that_appears_too_late_to_be_merged_is_counted_as_late():
    pipeline = Pipeline(partitions=2)
    pipeline.at(0.2, 5.2, partition=0)
    for more in (1, 2):  # the same window told of twice, the second time as final
        reports = pipeline.at(*([0.3, 1.1] if more == 1 else [0.4]), partition=1)
        of_first = [r for r in reports if r.window.start == T0]
        assert of_first[-1].counts == Counts(1 + more, 1, 0, more)
        pipeline.checkpoint()
        pipeline.restart()


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_told_again_of_a_window_that_is_forgotten_changes_nothing(ended):
    """A partition that was restored tells again what it had told, however far the others are by now."""
    pipeline = Pipeline(partitions=2)
    told = []
    for partition in (0, 1):
        records = [capture(T0 + int(h * HOUR), [(0.5, 40, "rome")], f"p{partition}-{h}") for h in (0.5, 1.5)]
        told.append(pipeline.watches[partition].observe(decode(frames(records)[0], LAYOUT)))
        pipeline.judge.observe(SUBJECT, told[-1].partials, told[-1].progress)
    for partition in (0, 1):
        if ended:
            pipeline.end(partition)
        else:
            pipeline.at(400.0, partition=partition)
    assert [p.counts.records for watched in told for p in watched.partials] == [1, 1]
    for watched in told:
        assert pipeline.judge.observe(SUBJECT, watched.partials, watched.progress) == []


def test_late_records_past_the_retention_change_the_counts_and_nothing_else():
    pipeline = Pipeline()
    first = pipeline.at(0.2, 5.5)[0]
    again = pipeline.at(0.3)[0]
    assert (again.revision, again.counts) == (1, Counts(2, 1, 0, 1))
    assert again.finding.drift == first.finding.drift


def test_the_same_partials_twice_change_nothing():
    pipeline = Pipeline(retention="5h")
    frame = frames([capture(T0 + int(h * HOUR), [(0.5, 40, "rome")], f"e{h}") for h in (0.2, 0.3, 1.5)])[0]
    watched = pipeline.watches[0].observe(decode(frame, LAYOUT))
    assert len(pipeline.judge.observe(watched.subject, watched.partials, watched.progress)) == 1
    assert pipeline.judge.observe(watched.subject, watched.partials, watched.progress) == []


@pytest.mark.parametrize("retention", ["0s", "2h"])
def test_restoring_between_any_two_frames_changes_nothing(retention):
    steps = [
        (0.2, 0),
        (0.4, 1),
        (1.2, 0),
        (1.3, 1),
        (0.5, 0),
        (3.5, 1),
        (3.6, 0),
        (2.9, 0),
        (8.0, 1),
        (8.1, 0),
    ]

    def run(restart: bool) -> list[object]:
        pipeline = Pipeline(partitions=2, retention=retention)
        reports: list[Report] = []
        for hour, partition in steps:
            reports += pipeline.at(hour, partition=partition)
            if restart:
                pipeline.checkpoint()
                pipeline.restart()
        return [*said(reports + pipeline.end(0) + pipeline.end(1)), pipeline.judge.statuses]

    assert run(restart=True) == run(restart=False)


def test_what_is_stored_shrinks_when_windows_are_done():
    pipeline = Pipeline()
    sizes = []
    for hour in range(40):
        pipeline.at(hour + 0.5)
        pipeline.checkpoint()
        sizes.append(sum("data_quality" in key for values in pipeline.stored.values() for key in values))
    assert max(sizes[5:]) == sizes[5] == sizes[-1]  # one open window, and those the judge can still merge


def test_a_future_record_is_refused_and_closes_nothing():
    pipeline = Pipeline()
    ahead = (ARRIVED - T0) / HOUR + 2
    assert said(pipeline.at(0.5, ahead)) == []
    assert pipeline.watches[0].reasons == {"future": 1}
    assert pipeline.watches[0].totals == Counts(2, 1, 1, 0)


def since(reports: list[Report]) -> list[tuple[float, int, list[str]]]:
    """(hour, revision, since when each type violation lasts) of each report."""
    return [
        (
            (r.window.start - T0) / HOUR,
            r.revision,
            [
                v.first_seen[11:16]
                for v in r.finding.violations
                if v.constraint_check_type == "data_type_check" and isinstance(v.first_seen, str)
            ],
        )
        for r in reports
    ]


def test_a_violation_says_since_when_it_lasts_and_begins_anew_after_a_good_window():
    """
    hour    0      1      2      3      4      5
    age     good   bad    bad    good   bad
    since          01:00  01:00         04:00
    """
    pipeline = Pipeline()
    reports = [*pipeline.at(0.5), *pipeline.faulty(1.5, 2.5), *pipeline.at(3.5), *pipeline.faulty(4.5)]
    assert since(reports + pipeline.end()) == [
        (0, 0, []),
        (1, 0, ["01:00"]),
        (2, 0, ["01:00"]),
        (3, 0, []),
        (4, 0, ["04:00"]),
    ]


def test_the_document_of_violations_says_it_too():
    pipeline = Pipeline()
    pipeline.faulty(0.5)
    reports = pipeline.faulty(1.5) + pipeline.end()
    for report in reports:
        assert report.finding.documents["constraint_violations.json"] == {
            "violations": report.finding.violations
        }
    assert [found for _, _, found in since(reports)] == [["00:00"], ["00:00"]]


@pytest.mark.parametrize("gap", [3, 250])
def test_hours_without_data_do_not_end_a_run_however_many_and_a_restart_does_not(gap):
    pipeline = Pipeline()
    pipeline.faulty(0.5)
    pipeline.checkpoint()
    pipeline.restart()
    pipeline.faulty(gap + 0.5)
    pipeline.checkpoint()
    pipeline.restart()
    (*_, last) = pipeline.end()
    assert since([last]) == [(gap, 0, ["00:00"])]


def test_a_revision_that_changes_since_when_a_later_violation_lasts_publishes_that_again():
    """
    hour    0      1      2      3
    age     bad    good   bad    bad
    late           bad
    """
    pipeline = Pipeline(retention="9h")
    pipeline.faulty(0.5)
    pipeline.at(1.5)
    first = [*pipeline.faulty(2.5, 3.5), *pipeline.at(4.5)]
    assert [found for _, _, found in since(first)][-2:] == [["02:00"], ["02:00"]]
    again = pipeline.faulty(1.6)
    assert since(again) == [(1, 1, ["00:00"]), (2, 1, ["00:00"]), (3, 1, ["00:00"])]
    for report in again[1:]:
        violations = report.finding.documents["constraint_violations.json"]["violations"]
        assert violations == report.finding.violations
    pipeline.checkpoint()
    pipeline.restart()
    assert since(pipeline.faulty(1.7)) == [(1, 2, ["00:00"])]


def test_events_that_broke_a_rule_are_named_across_partitions():
    pipeline = Pipeline(partitions=2)
    for partition, names in ((0, ["b", "d"]), (1, ["a", "c", "e", "f"])):
        records = [capture(T0 + 60_000, [(0.5, "x", "rome")], name) for name in names]
        pipeline.feed(frames(records)[0], partition)
    pipeline.checkpoint()
    pipeline.restart()
    (report,) = pipeline.end(0) + pipeline.end(1)
    (violation,) = [v for v in report.finding.violations if v.constraint_check_type == "data_type_check"]
    assert (violation.rows, violation.affected) == (6, 6)
    assert violation.sample_event_ids == ["a", "b", "c", "d", "e"]


def test_each_window_names_its_own_records():
    """In an order that is not that of time, among good ones, and more than one row a record."""
    pipeline = Pipeline(lateness="2h")
    ages = {
        "a": (1.5, "x"),
        "b": (0.5, "x"),
        "c": (1.6, "40"),
        "d": (0.6, "40"),
        "e": (1.7, "x"),
        "f": (0.7, "x"),
    }
    records = [
        capture(T0 + int(hour * HOUR), [(0.5, age, "rome"), (0.5, age, "oslo")], name)
        for name, (hour, age) in ages.items()
    ]
    reports = pipeline.feed(frames(records)[0]) + pipeline.end()
    named = {
        r.window.start: v.sample_event_ids
        for r in reports
        for v in r.finding.violations
        if v.constraint_check_type == "data_type_check"
    }
    assert named == {T0: ["b", "f"], T0 + HOUR: ["a", "e"]}


def test_windows_that_change_may_be_judged_again_later_and_once_for_all_changes():
    """
    1:00-2:00  partition 0  ··      closed, then two late records: judged once, which waits for a restart too,
               partition 1  · ·     and of the same revision as if it had been at each of them
    """
    now, never = Pipeline(2, lateness="0s", retention="3h"), Pipeline(2, lateness="0s", retention="3h")

    def hear(hours: float, partition: int) -> list[Report]:
        record = capture(T0 + int(hours * HOUR), [(0.5, 40, "rome")], f"r{next(_ids)}")
        watched = now.watches[partition].observe(decode(frames([record])[0], LAYOUT))
        return now.judge.hear(watched.subject, watched.partials, watched.progress)

    for place, hours in enumerate((1.2, 1.3, 2.1)):
        hear(hours, place % 2)
        never.at(hours, partition=place % 2)
    assert said(hear(2.2, 1)) == said(never.at(2.2, partition=1)) == [(1.0, "Completed", 0, 2)]
    assert not now.judge.changed
    assert hear(1.4, 0) == hear(1.5, 1) == [] and now.judge.changed
    now.checkpoint()
    now.restart()
    (revised,) = now.judge.revise()
    never.at(1.4, partition=0)
    assert said(revised) == said(never.at(1.5, partition=1)) == [(1.0, "Completed", 2, 4)]
    assert not now.judge.changed and list(now.judge.revise()) == []
    now.checkpoint()
    assert not [key for key in now.stored["judge"] if "changed" in key]


def test_a_change_that_waits_is_judged_although_its_window_is_final_by_then():
    now = Pipeline(1, lateness="0s", retention="1h")
    now.at(0.1, 1.1)
    record = capture(T0 + HOUR // 2, [(0.5, 40, "rome")], "late")
    watched = now.watches[0].observe(decode(frames([record])[0], LAYOUT))
    assert now.judge.hear(watched.subject, watched.partials, watched.progress) == []
    later = now.watches[0].observe(
        decode(frames([capture(T0 + 9 * HOUR, [(0.5, 40, "rome")], "z")])[0], LAYOUT)
    )
    now.judge.hear(later.subject, later.partials, later.progress)
    (revised,) = now.judge.revise()
    assert said(revised) == [(0.0, "Completed", 1, 2)]
