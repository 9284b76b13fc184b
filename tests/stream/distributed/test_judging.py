"""Watch stages, the judge stage, and news between them that comes twice, late, in another order or torn."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from made import ARRIVED, HOUR, SUBJECT, T0, capture, settings_for, traffic
from schemas.frame import Frame, encode
from schemas.report import Report
from schemas.times import END_OF_TIME
from sinks.objects import Objects
from stream.distributed import cutting
from stream.distributed.judging import JudgeStage
from stream.distributed.news import Heard, Joiner, News, Sender, Told
from stream.distributed.watching import WatchStage
from stream.settings import Settings
from stream.setup import Setups
from stream.watermarks import Progress

PARTITIONS = 2


class Event:
    def __init__(self, offset: int, value: bytes, arrived: int = ARRIVED) -> None:
        self.offset, self.value, self.arrived = offset, value, arrived

    def ack(self) -> None:
        pass


class Kept:
    """The last report of each window."""

    def __init__(self) -> None:
        self.reports: dict[int, Report] = {}

    def publish(self, reports: Sequence[Report]) -> None:
        for report in reports:
            self.reports[report.window.start] = report

    def said(self) -> dict[int, object]:
        return {
            start: (report.status, report.counts, sorted(v.what for v in report.finding.violations))
            for start, report in self.reports.items()
        }

    def documents(self) -> set[tuple[str, ...]]:
        return {tuple(sorted(report.finding.documents)) for report in self.reports.values()}


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> tuple[Settings, Setups]:
    directory = tmp_path_factory.mktemp("judging")
    settings = settings_for(directory / "out", directory, kafka={"partitions": PARTITIONS})
    return settings, Setups(settings)


def watching(known, number: int, tell, stored=None, root: Path | None = None) -> WatchStage:
    settings, setups = known
    places = [Objects.at(root / name if root else Path("unused")) for name in ("rows", "errors")]
    return WatchStage(number, settings, setups, *places, tell, "log", stored or {})


@pytest.fixture(scope="module")
def told(known) -> list[list[bytes]]:
    """What each of two partitions tells of traffic that lies over them in turn."""
    records = traffic(240, hours=5)
    messages: list[list[bytes]] = []
    for number in range(PARTITIONS):
        sender = Sender(f"{number}/a")
        mine: list[bytes] = []
        stage = watching(known, number, lambda what, s=sender, m=mine: m.extend(s.messages(what)))
        part = records[number::PARTITIONS]
        for offset, start in enumerate(range(0, len(part), 12)):
            value = b"\n".join(part[start : start + 12])
            stage.take(Event(offset, value, ARRIVED + offset))
            stage.flush()
        stage.take(Event(99, encode(Frame.completion(SUBJECT, END_OF_TIME)), ARRIVED + 99))
        stage.caught_up(ARRIVED + 10_000)
        messages.append(mine)
    return messages


def judging(known, publisher: Kept, tell=lambda what: None, stored=None) -> JudgeStage:
    return JudgeStage(*known, publisher, tell, stored or {}, now=lambda: ARRIVED)


def judged(known, messages: Sequence[bytes], cuts: Sequence[int] = ()) -> Kept:
    """Reports on messages in this order; the judge is stored and restored at `cuts`."""
    kept, stored = Kept(), {}
    stage = judging(known, kept)
    for offset, message in enumerate(messages):
        stage.take(Event(offset, message))
        if offset in cuts:
            cut = stage.cut(0, offset)
            cut.deliver()
            stored = {k: v for k, v in (stored | cut.changes).items() if v is not None}
            stage = judging(known, kept, stored=stored)
    stage.cut(0, len(messages)).deliver()
    return kept


@pytest.fixture(scope="module")
def truth(known, told) -> Kept:
    return judged(known, [message for mine in told for message in mine])


def test_the_judge_says_something(truth):
    assert len(truth.reports) >= 5 and sum(r.counts.records for r in truth.reports.values()) == 240
    assert truth.documents() == {("constraint_violations.json", "statistics.json")}


@budget(max_examples=40)
@given(st.data())
def test_what_is_told_twice_or_late_or_between_restarts_gives_the_same_reports(known, told, truth, data):
    """Each partition's news keeps its order, but a sender that is restored tells some of it again."""
    queues = []
    for number, mine in enumerate(told):
        whats = [Joiner().add(message, 0) for message in mine]
        again = data.draw(st.integers(0, len(mine)))
        back = data.draw(st.integers(0, again))
        life = Sender(f"{number}/b")
        queues.append(mine[:again] + [m for what in whats[back:] for m in life.messages(what)])
    messages = []
    while any(queues):
        messages.append(data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    for _ in range(data.draw(st.integers(0, 3))):
        messages.insert(data.draw(st.integers(0, len(messages))), b"garbage")
    cuts = data.draw(st.lists(st.integers(0, len(messages) - 1), max_size=4))
    found = judged(known, messages, cuts)
    assert found.said() == truth.said()


def test_a_revision_that_waits_keeps_the_documents_of_the_one_before(known, told):
    """One that only says since when a violation lasts carries no statistics."""
    first, second = told
    kept = Kept()
    stage = judging(known, kept)
    for offset, message in enumerate([*first, *second]):
        stage.take(Event(offset, message))
    stage.cut(0, 1).deliver()
    assert {"statistics.json", "constraint_violations.json"} <= set.intersection(
        *(set(report.finding.documents) for report in kept.reports.values())
    )


def test_nothing_is_covered_that_a_torn_message_began(known, monkeypatch):
    monkeypatch.setattr(cutting, "MAX_BODY", 40)
    stage = judging(known, Kept())
    whole = Sender("0/a").messages(Heard(0, 1))
    torn = Sender("1/a").messages(News(SUBJECT, Progress(T0, 1), []))
    assert len(whole) == 1 and len(torn) > 1
    for offset, message in enumerate([*whole, torn[0], *whole]):
        stage.take(Event(offset, message))
    assert stage.cut(0, 2).until == 0


def test_idle_live_traffic_is_closed_by_the_clock_once(known):
    """
    records  0:00 ├─·──┤ 1:00        silent, and the clock goes on: 3:20
    lateness 5m                      windows until 3:00 are asked to be closed
    """
    asked: list[Told] = []
    clock = T0 + int(3.34 * HOUR)
    stage = JudgeStage(*known, Kept(), asked.append, {}, now=lambda: clock)
    sender, messages = Sender("0/a"), []
    watch = watching(known, 0, lambda what: messages.extend(sender.messages(what)))
    watch.take(Event(0, capture(T0 + HOUR // 2, [(0.5, 40, "rome")], "e"), T0 + HOUR // 2 + 1_000))
    watch.caught_up(T0 + HOUR // 2 + 2_000)
    watch.caught_up(T0 + 2 * HOUR)
    messages += Sender("1/a").messages(Heard(1, T0 + 2 * HOUR))
    for offset, message in enumerate(messages):
        stage.take(Event(offset, message))
    stage.close_idle()
    stage.close_idle()
    assert [(closed.subject, closed.until) for closed in asked] == [(SUBJECT, clock - 5 * 60_000)]


def test_silence_is_told_once_with_all_that_is_open(known):
    told: list[Told] = []
    watch = watching(known, 0, told.append)
    watch.take(Event(0, capture(T0, [(0.5, 40, "rome")], "e"), ARRIVED))
    watch.behind()
    assert Heard(0, 0) in told  # it waits to be decoded with others
    watch.flush()
    watch.behind()
    assert Heard(0, ARRIVED) in told and not [w for w in told if isinstance(w, News) and w.progress.idle]
    for later in (0, 10, 20):
        watch.caught_up(ARRIVED + later * 60_000)
    (idle,) = [what for what in told if isinstance(what, News) and what.progress.idle]
    assert [part.counts.records for part in idle.parts] == [1]
    watch.take(Event(1, capture(T0 + 60_000, [(0.5, 40, "rome")], "f"), ARRIVED + HOUR))
    watch.caught_up(ARRIVED + HOUR)
    watch.caught_up(ARRIVED + 2 * HOUR)
    assert len([what for what in told if isinstance(what, News) and what.progress.idle]) == 2


@given(cuts=st.lists(st.integers(1, 59), max_size=5), seed=st.integers(0, 3))
@budget(max_examples=25)
def test_a_watch_that_is_restored_delivers_the_same_objects(known, tmp_path_factory, cuts, seed):
    """A range that is cut again after a crash has the same objects with the same content."""
    records = traffic(60, seed)
    edges = sorted({0, *cuts, 60})
    root = tmp_path_factory.mktemp("watch")
    stored: dict[str, bytes] = {}
    for first, until in pairwise(edges):
        bodies = []
        for place in ("once", "again"):
            stage = watching(known, 0, lambda what: None, stored, root / place)
            for offset in range(first, until):
                stage.take(Event(offset, records[offset]))
                if random.Random(offset).random() < 0.2:
                    stage.flush()
            cut = stage.cut(first, until - 1)
            cut.deliver()
            assert cut.until == until - 1
            bodies.append({p.relative_to(root / place): p.read_bytes() for p in (root / place).rglob("*.*")})
        assert bodies[0] == bodies[1]
        stored = {k: v for k, v in (stored | cut.changes).items() if v is not None}
