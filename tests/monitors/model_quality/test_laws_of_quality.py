"""What holds for every state of model quality: any split, any order, an empty identity, dump and load."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import as_tree, merged, split

from monitors.model_quality import confusion, scores
from monitors.model_quality.estimate import Estimate
from monitors.model_quality.monitor import ModelQuality
from schemas.labelled import NO_LABELS, Labelled
from schemas.quality import METRICS, Model
from schemas.rows import Rows

LABELS = ["1", "1.0", "True", "0", "0.0", "cat", "dog", "bird", "", "nan", "-3", "2.5", None]
labels = st.sampled_from(LABELS)
chances = st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.5, float("nan"), None]) | st.floats(0, 1)
ids = st.text("ab", max_size=2) | st.none()
data = st.lists(st.tuples(labels, labels, chances, ids), max_size=40)


def batch(rows: list[tuple[Any, ...]]) -> Labelled:
    prediction, label, probability, event_id = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Labelled(
        pa.array(prediction, pa.string()),
        pa.array(label, pa.string()),
        pa.array(probability, pa.float64()),
        pa.array(event_id, pa.string()),
    )


def table(rows: list[tuple[Any, ...]]) -> Rows:
    found, at = batch(rows), np.arange(len(rows))
    return Rows(pa.table({"answer": found.prediction, "score": found.probability}), at, at)


MONITORS = {problem: (ModelQuality(Model(problem, positive_label="true")), batch) for problem in METRICS} | {
    "estimate": (Estimate(Model("BinaryClassification", "answer", "truth", "score")), table)
}
of_every_monitor = pytest.mark.parametrize(("monitor", "made"), MONITORS.values(), ids=MONITORS)


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small examples reach the point where a state can no longer hold all that it saw."""
    monkeypatch.setattr(scores, "LIMIT", 8)
    monkeypatch.setattr(confusion, "MAX_CLASSES", 5)


def said(monitor: Any, state: Any) -> Any:
    """All that a state says, numbers nearly so: the last digits depend on the order of summation."""
    return near(msgspec.to_builtins(monitor.finish(state).documents))


def near(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: near(part) for name, part in value.items()}
    if isinstance(value, list):
        return [near(part) for part in value]
    return pytest.approx(value, rel=1e-9, abs=1e-7) if isinstance(value, float) else value


@of_every_monitor
@given(parts=split(data))
def test_any_split_in_any_order_says_the_same(monitor, made, parts):
    whole, pieces = parts
    states, empty = [monitor.observe(made(piece)) for piece in pieces], monitor.observe(made([]))
    expected = said(monitor, monitor.observe(made(whole)))
    kept = getattr(monitor.observe(made(whole)), "wrong", None)
    for joined in (merged(states, empty), as_tree(states, empty)):
        assert msgspec.to_builtins(monitor.finish(joined).documents) == expected
        assert near(getattr(joined, "wrong", None)) == kept


@of_every_monitor
@given(rows=data, more=data)
def test_the_empty_state_changes_nothing_and_a_stored_one_goes_on(monitor, made, rows, more):
    state, other, empty = (monitor.observe(made(part)) for part in (rows, more, []))
    before = state.dump()
    both = state.merge(other)
    assert state.dump() == before
    assert state.merge(empty) == empty.merge(state) == state
    again = monitor.load(before)
    assert again == state
    assert again.dump() == before
    assert again.merge(other) == both
    assert monitor.load(empty.dump()) == empty == empty.merge(empty)


@of_every_monitor
@given(rows=data)
def test_nothing_undefined_reaches_a_file_without_its_reason(monitor, made, rows):
    statistics = msgspec.to_builtins(monitor.finish(monitor.observe(made(rows))).documents)["statistics.json"]
    for part in statistics.values():
        for figure in part.values() if isinstance(part, dict) else ():
            if isinstance(figure, dict) and "standard_deviation" in figure:
                assert (figure["value"] is None) == ("reason" in figure)
                assert figure["value"] is None or math.isfinite(figure["value"])
    msgspec.json.encode(statistics)


def test_an_empty_window_says_why():
    for monitor, made in MONITORS.values():
        finding = monitor.finish(monitor.observe(made([])))
        assert finding.violations == []
        (figures,) = (
            part for name, part in finding.documents["statistics.json"].items() if name in [*METRICS.values()]
        )
        assert all(
            figure.value is None for name, figure in figures.items() if name in ("mae", "accuracy", "r2")
        )
    assert len(NO_LABELS) == 0


@given(seed=st.integers(0, 10_000), limit=st.sampled_from([30, 100, 250]))
def test_probabilities_are_in_bins_as_fine_as_there_is_room_for_in_any_order(seed, limit):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scores, "LIMIT", limit)
        check_bins(seed, limit)


def check_bins(seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.beta(*rng.uniform(1.0, 500.0, 2), 300)
    member = rng.random(300) < 0.5
    places = np.split(rng.permutation(300), np.sort(rng.integers(0, 300, 5)))
    parts = [scores.Scores.of(probability[at], member[at]) for at in places]
    whole = scores.Scores.of(probability, member)
    assert merged(parts, scores.Scores()) == as_tree(parts[::-1], scores.Scores()) == whole
    assert not whole.exact
    assert len(whole) <= limit or whole.bits == 6
    scores.LIMIT = 1_000  # nothing in bins yet
    assert whole.bits == 16 or len(scores.Scores.of(probability, member).binned(whole.bits + 1)) > limit
    assert np.all(np.diff(whole.values) > 0)
    assert (whole.group.sum(), whole.rest.sum()) == (member.sum(), (~member).sum())
