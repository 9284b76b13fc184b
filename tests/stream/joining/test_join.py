"""The join against a dictionary: any order, any cut into batches, a restart anywhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from schemas import ground_truth
from schemas.frame import Subject
from schemas.predictions import Predictions
from schemas.times import END_OF_TIME
from stream.joining.join import Join
from stream.joining.joined import Joined

HOUR = 3_600_000
DAY = 24 * HOUR
A, B = Subject("a"), Subject("b", "shadow")


class Prediction(Struct, frozen=True):
    subject: Subject
    id: str
    time: int
    values: tuple[Any, ...]


class Label(Struct, frozen=True):
    id: str
    values: tuple[str, ...]


def join(stored: dict[str, bytes] | None = None, max_bytes: int = 1 << 30, retention: int = 7 * DAY) -> Join:
    return Join(HOUR, retention, max_bytes, ground_truth.values, stored or {})


def feed(to: Join, batch: list[Prediction] | list[Label]) -> list[Joined]:
    """Take in one batch, of one kind."""
    if isinstance(batch[0], Label):
        labels = [b for b in batch if isinstance(b, Label)]
        text = ["C" + "\n".join(label.values) for label in labels]
        joined = to.labels(pa.array([label.id for label in labels]), pa.array(text))
        return [*joined, *to.corrected()]
    found = [b for b in batch if isinstance(b, Prediction)]
    kind = pa.string() if isinstance(found[0].values[0], str) else pa.float64()
    values = pa.array([list(p.values) for p in found], pa.list_(kind))
    probability = pa.array([[None] * len(p.values) for p in found], pa.list_(pa.float64()))
    new = Predictions(
        found[0].subject,
        np.arange(len(found)),
        pa.array([p.id for p in found]),
        np.array([p.time for p in found], np.int64),
        values,
        probability,
    )
    return to.predictions(new, np.full(len(found), -1, np.int64))


def kind_of(event: Prediction | Label) -> Any:
    return (event.subject, type(event.values[0])) if isinstance(event, Prediction) else Label


def batches(events: list[Prediction | Label], cuts: set[int]) -> list[list[Any]]:
    """Runs of one kind, cut further at `cuts`."""
    found: list[list[Any]] = []
    for place, event in enumerate(events):
        if place in cuts or not found or kind_of(found[-1][0]) != kind_of(event):
            found.append([])
        found[-1].append(event)
    return found


class Windows:
    """What is known of each window's rows, as a window's state would know it."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Subject, int], Counter[Any]] = {}

    def take(self, joined: list[Joined]) -> None:
        for part in joined:
            new: Counter[Any] = Counter()
            for rows in part.rows:
                new.update(zip(rows.prediction.to_pylist(), rows.label.to_pylist(), strict=True))
            key = (part.subject, part.start)
            self.rows[key] = new if part.whole else self.rows.get(key, Counter()) + new

    def found(self) -> dict[Any, Counter[Any]]:
        return {key: rows for key, rows in self.rows.items() if rows}


def naive(events: list[Prediction | Label]) -> dict[Any, Counter[Any]]:
    labels = {event.id: event.values for event in events if isinstance(event, Label)}
    rows: dict[Any, Counter[Any]] = {}
    for event in events:
        if isinstance(event, Prediction) and len(labels.get(event.id, ())) == len(event.values):
            key = (event.subject, event.time // HOUR * HOUR)
            rows.setdefault(key, Counter()).update(zip(event.values, labels[event.id], strict=True))
    return rows


ids = st.sampled_from([f"id-{i}" for i in range(8)] + ["x" * 80])
answers = st.one_of(
    st.lists(st.sampled_from([0.0, 1.5]), min_size=1, max_size=3),
    st.lists(st.sampled_from(["yes", "no"]), min_size=1, max_size=3),
).map(tuple)
predicted = st.builds(Prediction, st.sampled_from([A, B]), ids, st.integers(0, 5 * HOUR), answers)
labelled = st.builds(Label, ids, st.lists(st.sampled_from(["0", "1"]), min_size=1, max_size=3).map(tuple))


@given(
    events=st.lists(st.one_of(predicted, labelled), max_size=30),
    cuts=st.sets(st.integers(0, 30)),
    restarts=st.sets(st.integers(0, 30)),
)
def test_any_order_any_cut_and_a_restart_anywhere_give_what_a_dictionary_gives(events, cuts, restarts):
    known = Windows()
    stored: dict[str, bytes] = {}
    now = join()
    for number, batch in enumerate(batches(events, cuts)):
        known.take(feed(now, batch))
        if number in restarts:
            for name, value in now.checkpoint().items():
                stored.pop(name, None) if value is None else stored.update({name: value})
            now = join(stored)
    assert known.found() == naive(events)
    waiting, alone = now.waiting
    assert now.counts.predictions == sum(isinstance(e, Prediction) for e in events) == now.predictions_kept
    assert now.labels_kept == len({e.id for e in events if isinstance(e, Label)})
    assert now.counts.duplicates == now.counts.labels - now.labels_kept
    assert 0 <= waiting <= now.predictions_kept and 0 <= alone <= now.labels_kept


def predictions(n: int, time: int = 0, subject: Subject = A) -> list[Prediction]:
    return [Prediction(subject, f"{time}-{i}", time, (float(i),)) for i in range(n)]


def labels_of(found: list[Prediction], value: str = "1") -> list[Label]:
    return [Label(p.id, (value,) * len(p.values)) for p in found]


def test_a_label_finds_its_prediction_before_it_and_after_it():
    now, made = join(), predictions(4)
    assert feed(now, labels_of(made[:2])) == []
    (before,) = feed(now, made)
    (after,) = feed(now, labels_of(made[2:]))
    assert (before.records, after.records) == (2, 2)
    assert after.rows[0].event_id.to_pylist() == ["0-2", "0-3"]
    assert (now.counts.matched, now.waiting) == (4, (0, 0))


def test_a_label_that_comes_again_is_counted_and_joined_once():
    now, made = join(), predictions(3)
    feed(now, made)
    assert len(feed(now, labels_of(made))) == 1
    assert feed(now, labels_of(made)) == []
    assert (now.counts.matched, now.counts.duplicates, now.counts.corrected) == (3, 3, 0)


def test_another_label_for_what_is_joined_gives_the_window_anew():
    now, made = join(), predictions(3)
    feed(now, made)
    feed(now, labels_of(made))
    written, whole = feed(now, labels_of(made[:1], "0"))
    assert written.rows == [] and written.merged.label.to_pylist() == ["C0"]
    assert whole.whole and sorted(whole.rows[0].label.to_pylist()) == ["0", "1", "1"]
    assert (now.counts.matched, now.counts.corrected, whole.records) == (3, 1, 3)


def test_a_label_for_another_number_of_rows_is_counted_and_can_be_mended():
    now = join()
    feed(now, [Prediction(A, "x", 0, (1.0, 2.0))])
    assert feed(now, [Label("x", ("1",))]) == []
    assert (now.counts.mismatched, now.waiting) == (1, (1, 1))
    (mended,) = feed(now, [Label("x", ("1", "0"))])
    assert mended.rows[0].label.to_pylist() == ["1", "0"]
    assert mended.rows[0].event_id.to_pylist() == ["x", "x"]


def test_what_never_comes_expires_and_a_label_after_that_is_alone():
    now, made = join(retention=DAY), predictions(2)
    feed(now, made)
    feed(now, labels_of(predictions(1, HOUR)))
    now.advance(A, HOUR)
    feed(now, labels_of(predictions(1, 2 * HOUR)))
    now.advance(A, DAY + HOUR - 1)
    assert now.counts.expired_predictions == 0
    now.advance(A, DAY + HOUR)
    assert now.counts.expired_predictions == 2
    assert now.counts.expired_labels == 1  # the other came before there was any time
    assert feed(now, labels_of(made)) == []
    now.advance(A, END_OF_TIME)
    assert (now.predictions_kept, now.labels_kept) == (0, 3)


def test_when_there_is_too_much_the_joined_make_room_before_those_that_wait():
    now = join(max_bytes=60_000)
    old, joined, young = (predictions(400, hour * HOUR) for hour in (0, 1, 2))
    for made in (old, joined, young):
        feed(now, made)
    feed(now, labels_of(joined))
    now.advance(A, 3 * HOUR)
    assert now.make_room() == [(A, 0, 400)]
    assert now.nbytes <= 60_000
    assert (now.counts.expired_predictions, now.waiting[0]) == (400, 400)
    (late,) = feed(now, labels_of(young))
    assert late.records == 400


def test_a_label_that_would_change_what_has_made_room_is_stale():
    now, made = join(max_bytes=10_000), predictions(200)
    feed(now, made)
    feed(now, labels_of(made[:1]))
    now.make_room()
    assert now.predictions_kept == 0
    feed(now, made[:2])
    feed(now, labels_of(made[:1]))
    assert not any(part.whole for part in feed(now, labels_of(made[:1], "0")))
    assert now.counts.stale == 1
