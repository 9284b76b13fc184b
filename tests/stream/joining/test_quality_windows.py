"""Windows of joined rows: when they are told of, what of them is counted; restarts change nothing."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pyarrow as pa

from monitors.model_quality.monitor import ModelQuality
from schemas.frame import Subject
from schemas.labelled import NO_LABELS, Labelled
from schemas.quality import Model
from schemas.report import Coverage, Finding
from schemas.times import END_OF_TIME
from stream.joining.joined import Joined
from stream.joining.windows import QualityWindows
from stream.judge import Judge
from stream.placing import Timing
from stream.settings import WindowSettings
from stream.watermarks import Progress

HOUR = 3_600_000
DAY = 24 * HOUR
A = Subject("a")
SETTINGS = WindowSettings(size="1h", lateness="5m", retention="1d")


class Rows(msgspec.Struct, frozen=True):
    n: int = 0

    def merge(self, other: Rows) -> Rows:
        return Rows(self.n + other.n)

    def dump(self) -> Mapping[str, bytes]:
        return {"n": str(self.n).encode()}


class Counting:
    """A monitor that counts rows with labels."""

    name = "counting"

    def observe(self, batch: Labelled) -> Rows:
        return Rows(len(batch))

    def load(self, parts: Mapping[str, bytes]) -> Rows:
        return Rows(int(parts["n"]))

    def finish(self, state: Rows) -> Finding:
        return Finding([], [], {"rows.json": state.n})


def windows(stored: dict[str, bytes] | None = None) -> QualityWindows:
    return QualityWindows(0, Timing.of(SETTINGS), lambda _: (Counting(),), stored or {})


def rows(n: int) -> Labelled:
    return Labelled(pa.array(["1"] * n), pa.array(["1"] * n))


def joined(n: int, start: int = 0, whole: bool = False) -> Joined:
    return Joined(A, start, [rows(n)], n, None, whole)


def test_a_window_is_told_of_when_it_closes_and_again_when_labels_change_it():
    now = windows()
    now.came(A, {0: 3})
    now.joined([joined(1)])
    assert now.flush(1) == now.advance(A, HOUR - 1, 2) == []
    (closed,) = now.advance(A, HOUR, 4)
    assert (closed.labels, closed.states["counting"].n) == (Coverage(1, 2, 0), 1)
    assert now.advance(A, 2 * HOUR, 6) == now.flush(7) == []
    now.joined([joined(1)])
    ((_, (again,)),) = now.flush(9)
    assert (again.labels, again.states["counting"].n, now.watermark(A)) == (Coverage(2, 1, 0), 2, 2 * HOUR)
    assert again.extent > closed.extent


def test_what_waits_when_the_retention_is_over_has_expired():
    now = windows()
    now.came(A, {0: 3, HOUR: 1})
    now.joined([joined(1)])
    now.advance(A, 2 * HOUR, 2)
    (final,) = now.advance(A, HOUR + DAY, 4)
    assert final.labels == Coverage(1, 0, 2)
    now.joined([joined(1)])  # nobody is told: the window is final
    assert now.flush(9) == []


def test_at_the_end_of_a_source_what_waits_still_waits():
    now = windows()
    now.came(A, {0: 3})
    (last,) = now.advance(A, END_OF_TIME, 2)
    assert last.labels == Coverage(0, 3, 0)


def test_what_made_room_is_expired_before_its_time():
    now = windows()
    now.came(A, {0: 3})
    now.expired([(A, 0, 2), (A, HOUR, 7)])
    (told,) = now.advance(A, HOUR, 2)
    assert told.labels == Coverage(0, 1, 2)


def test_a_window_joined_anew_replaces_what_was_known():
    now = windows()
    now.came(A, {0: 3})
    now.joined([joined(2), joined(3, whole=True)])
    (told,) = now.advance(A, HOUR, 2)
    assert (told.labels, told.counts.rows, told.states["counting"].n) == (Coverage(3, 0, 0), 3, 3)


def test_a_restart_changes_nothing_and_the_judge_hears_only_what_is_new():
    stored: dict[str, bytes] = {}
    now, judge = windows(), Judge(SETTINGS, lambda _: (Counting(),), nothing=NO_LABELS)

    def heard(partials):
        return judge.observe(A, partials, Progress(now.watermark(A), 0))

    now.came(A, {0: 2})
    (first,) = heard(now.advance(A, HOUR, 2))
    assert (first.revision, first.labels, first.status) == (0, Coverage(0, 2, 0), "NoData")
    now.joined([joined(1)])
    stored.update({k: v for k, v in now.checkpoint().items() if v is not None})
    kept = {k: v for k, v in judge.checkpoint().items() if v is not None}
    for _ in range(2):  # as before the crash, and after it
        now = windows(stored)
        judge = Judge(SETTINGS, lambda _: (Counting(),), nothing=NO_LABELS)
        judge.restore(kept)
        ((_, partials),) = now.flush(3)
        (second,) = heard(partials)
        assert (second.revision, second.labels) == (1, Coverage(1, 1, 0))
        assert second.finding.documents == {"rows.json": 1}
        assert second.summary()["labels"] == {"matched": 1, "waiting": 1, "expired": 0}
        assert heard(partials) == []


def test_rows_of_many_small_parts_are_looked_at_together():
    looks: list[int] = []

    class Looking(Counting):
        def observe(self, batch: Labelled) -> Rows:
            looks.append(len(batch))
            return super().observe(batch)

    now = QualityWindows(0, Timing.of(SETTINGS), lambda _: (Looking(),), {})
    now.came(A, {0: 100})
    for _ in range(100):
        now.joined([joined(1)])
    (closed,) = now.advance(A, HOUR, 1)
    assert (looks, closed.states["counting"].n) == ([0, 100], 100)


def test_rows_that_differ_in_their_columns_are_of_one_window():
    number, text = pa.array([1.0, 0.0]), pa.array(["1", "0"])
    ids = pa.array(["a", "b"])
    parts = [
        Labelled(text, text),
        Labelled(number, text),
        Labelled(number, text, number),
        Labelled(number, text, number, ids),
        Labelled(number, text, number, ids, pa.table({"sex": text})),
        Labelled(number, text, number, ids, pa.table({"age": text})),
    ]
    monitor = ModelQuality(Model("BinaryClassification"))
    now = QualityWindows(0, Timing.of(SETTINGS), lambda _: (monitor,), {})
    now.came(A, {0: 24})
    for part in parts * 2:
        now.joined([Joined(A, 0, [part], 2, None)])
    (closed,) = now.advance(A, HOUR, 1)
    state = closed.states["model_quality"]
    assert (state.rows, state.scored, sum(state.certainty.count)) == (24, 24, 16)
    assert monitor.metrics(state)["accuracy"].value == 1.0


def test_what_takes_the_place_of_a_windows_rows_takes_that_of_those_not_looked_at_yet():
    now = windows()
    now.came(A, {0: 5})
    now.joined([joined(3), joined(2, whole=True), joined(1)])
    (closed,) = now.advance(A, HOUR, 1)
    assert (closed.labels.matched, closed.states["counting"].n) == (3, 3)
