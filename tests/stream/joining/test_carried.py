"""What predictions carry through the join: any order, any cut, a restart anywhere, subjects that differ."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs

from monitors.bias import planning
from monitors.bias.facts import Facts
from monitors.bias.joined import ModelBias
from monitors.bias.state import BiasState
from schemas import ground_truth
from schemas.analysis_config import AnalysisConfig, FacetConfig
from schemas.frame import Subject
from schemas.labelled import NO_LABELS, Labelled
from schemas.predictions import Predictions
from stream.joining.join import Join
from stream.joining.joined import Joined

HOUR = 3_600_000
DAY = 24 * HOUR
A, B = Subject("a"), Subject("b")
CONFIG = AnalysisConfig(
    "y",
    (1,),
    (FacetConfig("sex", ("F",)), FacetConfig("age", (40,))),
    group="city",
    predicted="y",
    intersections=(("sex", "age"),),
)
FACTS = {"y": Facts("Integral", 100, 2), "age": Facts("Fractional"), "sex": Facts("String")}
MONITOR = ModelBias(planning.of_joined(CONFIG, FACTS, None, False))

Cells = dict[str, tuple[str | None, ...]]


class Prediction(Struct, frozen=True):
    subject: Subject
    id: str
    time: int
    values: tuple[Any, ...]
    carried: tuple[tuple[str, tuple[str | None, ...]], ...]  # by name, a value each row

    @property
    def kind(self) -> Any:
        return self.subject, type(self.values[0]), tuple(name for name, _ in self.carried)


class Label(Struct, frozen=True):
    id: str
    values: tuple[str, ...]
    kind: Any = None


def join(stored: dict[str, bytes] | None = None, max_bytes: int = 1 << 30) -> Join:
    return Join(HOUR, 7 * DAY, max_bytes, ground_truth.values, stored or {})


def made(batch: list[Prediction]) -> Predictions:
    kind = pa.string() if isinstance(batch[0].values[0], str) else pa.float64()
    names = batch[0].kind[2]
    return Predictions(
        batch[0].subject,
        np.arange(len(batch)),
        pa.array([p.id for p in batch]),
        np.array([p.time for p in batch], np.int64),
        pa.array([list(p.values) for p in batch], pa.list_(kind)),
        pa.array([[None] * len(p.values) for p in batch], pa.list_(pa.float64())),
        {
            name: pa.array([list(dict(p.carried)[name]) for p in batch], pa.list_(pa.string()))
            for name in names
        },
    )


def feed(to: Join, batch: list[Any]) -> list[Joined]:
    if isinstance(batch[0], Prediction):
        through = Predictions.from_table(made(batch).to_table(), batch[0].subject)
        return to.predictions(through, np.full(len(batch), -1, np.int64))
    text = ["C" + "\n".join(label.values) for label in batch]
    return [*to.labels(pa.array([label.id for label in batch]), pa.array(text)), *to.corrected()]


def batches(events: list[Prediction | Label], cuts: set[int]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for place, event in enumerate(events):
        if place in cuts or not found or found[-1][0].kind != event.kind:
            found.append([])
        found[-1].append(event)
    return found


Row = tuple[Any, str, str | None, str | None, str | None]  # prediction, label, sex, age, city


def rows_of(some: Labelled) -> list[Row]:
    columns = {} if some.columns is None else some.columns.to_pydict()
    carried = [columns.get(name, [None] * len(some)) for name in ("sex", "age", "city")]
    return list(zip(some.prediction.to_pylist(), some.label.to_pylist(), *carried, strict=True))


def naive(events: list[Prediction | Label]) -> dict[Any, list[Row]]:
    labels = {event.id: event.values for event in events if isinstance(event, Label)}
    found: dict[Any, list[Row]] = {}
    for event in events:
        if isinstance(event, Prediction) and len(labels.get(event.id, ())) == len(event.values):
            none = (None,) * len(event.values)
            carried = [dict(event.carried).get(name, none) for name in ("sex", "age", "city")]
            rows = zip(event.values, labels[event.id], *carried, strict=True)
            found.setdefault((event.subject, event.time // HOUR * HOUR), []).extend(rows)
    return found


def observed(rows: list[Row]) -> BiasState:
    """The state of rows that never went through a join."""
    states = [MONITOR.observe(NO_LABELS)]
    for kind in (str, float):
        mine = [row for row in rows if isinstance(row[0], kind)]
        if mine:
            prediction, label, *carried = map(list, zip(*mine, strict=True))
            columns = {
                name: pa.array(values, pa.string())
                for name, values in zip(("sex", "age", "city"), carried, strict=True)
            }
            states.append(
                MONITOR.observe(Labelled(pa.array(prediction), pa.array(label), columns=pa.table(columns)))
            )
    return reduce(lambda a, b: a.merge(b), states)


class Windows:
    """Rows of each window, and its state."""

    def __init__(self) -> None:
        self.rows: dict[Any, list[Row]] = {}
        self.states: dict[Any, BiasState] = {}

    def take(self, joined: list[Joined]) -> None:
        for part in joined:
            place = (part.subject, part.start)
            if part.whole or place not in self.rows:
                self.rows[place], self.states[place] = [], MONITOR.observe(NO_LABELS)
            for rows in part.rows:
                self.rows[place] += rows_of(rows)
                self.states[place] = self.states[place].merge(MONITOR.observe(rows))


SOME = {
    "sex": st.sampled_from(["F", "M", None]),
    "age": st.sampled_from(["40", "40.5", "1e3", "old", None]),
    "city": st.sampled_from(["rome", "x" * 300, "", None]),
}


@st.composite
def predictions(draw: Any) -> Prediction:
    n = draw(st.integers(1, 3))
    answers = draw(st.sampled_from([(0.0, 1.0), ("1", "true", "no")]))
    values = tuple(draw(st.sampled_from(answers)) for _ in range(n))
    names = draw(st.sampled_from([(), ("sex", "age"), ("age", "city"), ("sex", "age", "city")]))
    carried = tuple((name, tuple(draw(SOME[name]) for _ in range(n))) for name in names)
    subject, name = draw(st.sampled_from([A, B])), draw(st.sampled_from("abcdef"))
    return Prediction(subject, name, draw(st.integers(0, 3 * HOUR)), values, carried)


labels = st.builds(
    Label,
    st.sampled_from("abcdef"),
    st.lists(st.sampled_from(["0", "1", "1.0", "true", "False"]), min_size=1, max_size=3).map(tuple),
)


@given(
    events=st.lists(st.one_of(predictions(), labels), max_size=25),
    cuts=st.sets(st.integers(0, 25)),
    restarts=st.sets(st.integers(0, 25)),
)
def test_rows_and_their_bias_are_those_of_a_dictionary(events, cuts, restarts):
    known = Windows()
    stored: dict[str, bytes] = {}
    now = join()
    for number, batch in enumerate(batches(events, cuts)):
        known.take(feed(now, batch))
        if number in restarts:
            for name, value in now.checkpoint().items():
                stored.pop(name, None) if value is None else stored.update({name: value})
            now = join(stored)
    expected = naive(events)
    assert {place: Counter(rows) for place, rows in known.rows.items() if rows} == {
        place: Counter(rows) for place, rows in expected.items()
    }
    for place, rows in expected.items():
        assert known.states[place] == observed(rows)


def people(n: int, names: tuple[str, ...] = ("sex", "city"), subject: Subject = A) -> list[Prediction]:
    values = {"sex": "F", "city": "rome"}
    carried = tuple((name, (values[name],)) for name in names)
    return [Prediction(subject, f"p{i}", 0, (1.0,), carried) for i in range(n)]


def test_what_is_carried_counts_as_memory_by_its_rows_and_not_by_its_runs():
    plain, at_once, one_by_one = join(), join(), join()
    feed(plain, people(60, ()))
    feed(at_once, people(60))
    for prediction in people(60):
        feed(one_by_one, [prediction])
    cells = 60 * (2 * 9 + len("F") + len("rome"))
    assert at_once.nbytes == one_by_one.nbytes == plain.nbytes + cells
    feed(at_once, people(60, (), B))
    assert at_once.nbytes == 2 * plain.nbytes + cells


def test_long_values_make_room_for_themselves():
    value = (("city", ("x" * 5_000,)),)
    long = [structs.replace(p, time=i * HOUR, carried=value) for i, p in enumerate(people(100))]
    now = join(max_bytes=300_000)
    feed(now, long)
    assert now.nbytes > 500_000
    gone = now.make_room()
    assert now.nbytes <= 300_000
    assert now.predictions_kept == 100 - len(gone) == 52  # as many as fit into nine tenths


def columns(now: Join) -> set[str]:
    return {name for runs in now._sides.values() for run in runs for name in run.columns.column_names}


def others(i: int) -> list[Prediction]:
    """People of a subject that carries nothing."""
    return [structs.replace(p, id=f"{i}{p.id}") for p in people(10, (), B)]


def test_columns_that_nobody_carries_any_more_are_let_go():
    """Runs are merged four at a time: first those of both subjects, then with those of one alone."""
    now = join()
    feed(now, people(2))
    for i in range(3):
        feed(now, others(i))
    assert "carried city" in columns(now)
    now.advance(A, 9 * DAY)
    assert now.predictions_kept == 30 and "carried city" in columns(now)
    for i in range(3, 6):
        feed(now, others(i))
    assert now.predictions_kept == 60 and "carried city" not in columns(now)


def test_state_of_a_configuration_without_facets_is_read_and_its_rows_lack_them():
    before = join()
    feed(before, people(3, ()))
    stored = {name: value for name, value in before.checkpoint().items() if value is not None}
    assert not any(b"carried" in value for value in stored.values())
    now = join(stored)
    feed(now, [structs.replace(p, id="q" + p.id) for p in people(3)])
    known = Windows()
    known.take(feed(now, [Label(name, ("1",)) for i in range(3) for name in (f"p{i}", f"qp{i}")]))
    assert Counter(known.rows[A, 0]) == Counter(
        {(1.0, "1", None, None, None): 3, (1.0, "1", "F", None, "rome"): 3}
    )


@pytest.mark.parametrize("label", ["1", "1.0", "true", "True", " 1 ", '"1"', "1e0"])
def test_a_label_is_positive_however_it_is_written(label):
    state = MONITOR.observe(Labelled(pa.array([1.0]), pa.array([label]), columns=pa.table({"sex": ["F"]})))
    assert state.tables["sex"].counts[0].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("value", "text", "label", "counts"),
    [
        ("007", ["007"], "7", 0),
        ("007", ["007"], "007", 1),
        (">50K", [" >50K"], " >50K ", 1),
        (True, ["true"], "TRUE", 1),
        (False, ["0"], "false", 1),
        (2, ["2"], "1", 0),
    ],
)
def test_classes_are_told_apart_as_in_model_quality(value, text, label, counts):
    config = structs.replace(CONFIG, positive=(value,))
    monitor = ModelBias(planning.of_joined(config, FACTS | {"y": Facts("String")}, None, False))
    state = monitor.observe(Labelled(pa.array(text), pa.array([label]), columns=pa.table({"sex": ["F"]})))
    assert state.tables["sex"].counts[0, :, 1].sum() == 1, "the prediction is positive"
    assert state.tables["sex"].counts[0, 1].sum() == counts


def test_a_quantity_is_positive_above_its_threshold():
    config = structs.replace(CONFIG, positive=(2.5,))
    monitor = ModelBias(planning.of_joined(config, {"y": Facts("Fractional")}, None, True))
    rows = Labelled(
        pa.array([2.5, 3.0, None, 1.0, 9.0]),
        pa.array(["2.6", " 2.5", "3", "inf", "many"]),
        columns=pa.table({"sex": ["F"] * 5}),
    )
    found = monitor.observe(rows).tables["sex"].counts[0]
    assert found.tolist() == [[0, 1, 0], [1, 0, 1], [1, 1, 0]]
    assert monitor.observe(rows).highest == {"y": 3.0}


def test_a_label_that_nothing_is_known_of_is_a_quantity_where_the_model_predicts_one():
    config = structs.replace(CONFIG, label="price", predicted="prediction", positive=(100,))
    for quantity, label in ((True, "(100.0, 100.0]"), (False, "100")):
        found = planning.of_joined(config, {}, None, quantity).label
        assert found is not None and found.text(0, None) == label
