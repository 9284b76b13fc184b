"""Drift of one feature: distance, size, probability, and when it is a violation."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from states import text_array

from monitors.baseline import Reference
from monitors.distances import Sample
from monitors.drift import measure, violation
from monitors.feature import FeatureState
from monitors.methods import CATEGORICAL, NUMERIC
from monitors.quantiles import RANK_ERROR
from schemas.constraints import CategoricalMethod, NumericMethod, Rule
from schemas.layout import Kind
from schemas.report import Drift, Violation

EDGES = np.linspace(0.0, 10.0, 11)


def state(values: list[str | None], kind: Kind = "Integral") -> FeatureState:
    return FeatureState.of(text_array(values), kind)


def numeric(values: list[float]) -> Reference:
    return Reference(Sample(np.sort(np.array(values, np.float64)), np.ones(len(values))), EDGES)


def drift(values: list[str | None], rule: Rule, reference: Reference, **more: int) -> Drift:
    drifted = measure(state(values, rule.kind), rule, reference, **more)
    assert drifted is not None
    return drifted


def words(found: Violation | None) -> tuple[str, str, str]:
    assert found is not None
    return found.feature_name, found.constraint_check_type, found.description


def test_a_distance_above_its_threshold_is_a_violation_in_words_that_awss_sample_code_can_read():
    at = Drift("f", "numeric", 0.1, 0.1, "Robust", [], [], [])
    above = Drift("f", "numeric", 0.2371, 0.1, "Robust", [], [], [])
    assert violation(at) is None
    assert words(violation(above)) == (
        "f",
        "baseline_drift_check",
        "Baseline drift distance: 0.2371 exceeds threshold: 0.1",
    )


def test_a_p_value_below_its_threshold_is_a_violation():
    at = Drift("f", "categorical", 0.1, 0.1, "ChiSquared", [], [], [])
    below = Drift("f", "categorical", 0.0999, 0.1, "ChiSquared", [], [], [])
    assert violation(at) is None
    assert words(violation(below)) == (
        "f",
        "baseline_drift_check",
        "Baseline drift p-value: 0.0999 is below threshold: 0.1",
    )


def test_a_distance_that_cannot_be_computed_is_no_violation():
    assert violation(Drift("f", "numeric", None, 0.1, "Robust", [], [], [])) is None


def test_numeric_drift_is_simple_or_corrected_as_the_rule_says():
    baseline, values = numeric([1, 2, 3, 4]), ["3", "4", "5", "6"]
    assert drift(values, Rule("f", "Integral", method="Simple"), baseline).distance == 0.5
    assert drift(values, Rule("f", "Integral"), baseline).distance == 0.0
    far = drift(["9"] * 1000, Rule("f", "Integral"), numeric([1] * 1000))
    assert far.distance == pytest.approx(1 - 1.8 * np.sqrt(0.002))


def test_categorical_drift_is_simple_corrected_or_a_p_value_as_the_rule_says():
    baseline = Reference(counts={"a": 500, "b": 500})
    values = ["a"] * 300 + ["b"] * 700
    simple = drift(values, Rule("f", "String", method="Simple", categorical_distance=0.3), baseline)
    robust = drift(values, Rule("f", "String"), baseline)
    p = drift(values, Rule("f", "String", categorical_method="ChiSquared"), baseline)
    assert (simple.distance, simple.threshold, simple.method) == (pytest.approx(0.2), 0.3, "LInfinity")
    assert robust.distance == pytest.approx(0.2 - 1.8 * np.sqrt(0.002))
    assert (p.method, p.distance) == ("ChiSquared", pytest.approx(0.0, abs=1e-30))


def test_drift_is_measured_on_the_numbers_of_a_feature_with_stray_text():
    rule = Rule("f", "Integral", method="Simple")
    assert drift(["1", "2", "x", None], rule, numeric([1, 2])).distance == 0.0


def test_a_window_without_values_has_no_distance():
    assert drift([None], Rule("f", "Integral"), numeric([1])).distance is None
    assert drift([None], Rule("f", "String"), Reference(counts={"a": 1})).distance is None


def test_a_feature_without_a_reference_does_not_drift():
    assert measure(state(["1"]), Rule("f", "Integral"), Reference()) is None


numbers = st.lists(st.floats(-20, 20), min_size=1, max_size=40)
texts = st.lists(st.integers(0, 60).map(str) | st.just("(other)"), min_size=1, max_size=120)


@given(numbers, numbers)
def test_numeric_shares_sum_to_one(values, baseline):
    """below │ ten bins │ above"""
    found = drift(
        [repr(v) if "e" not in repr(v) else "0.5" for v in values], Rule("f", "Fractional"), numeric(baseline)
    )
    assert len(found.baseline) == len(found.current) == len(found.bins) + 1 == 12
    assert sum(found.baseline) == pytest.approx(1.0, abs=1e-12)
    assert sum(found.current) == pytest.approx(1.0, abs=1e-12)


@given(texts, texts)
def test_categorical_shares_sum_to_one_however_many_values_there_are(values, baseline):
    counts = {value: baseline.count(value) for value in baseline}
    found = drift(values, Rule("f", "String"), Reference(counts=counts))
    assert len(found.bins) == len(found.baseline) == len(found.current) <= 24
    for shares in (found.baseline, found.current):
        assert sum(shares) == pytest.approx(1.0, abs=1e-12)
        assert all(share >= 0 for share in shares)


def test_the_most_frequent_categories_are_shown_and_the_rest_is_one_bin():
    values = [str(i) for i in range(30) for _ in range(30 - i)]
    found = drift(values, Rule("f", "String"), Reference(counts={"0": 1}))
    assert found.bins == [*map(str, range(23)), "(other)"]
    assert found.current[-1] == pytest.approx(sum(range(1, 8)) / sum(range(1, 31)))
    assert found.baseline == [1.0] + [0.0] * 23


# methods


def test_every_method_that_a_file_can_name_has_a_distance():
    assert {"Simple", "Robust", *NUMERIC} == set(get_args(NumericMethod))
    assert set(CATEGORICAL) == set(get_args(CategoricalMethod))


@pytest.mark.parametrize("method", get_args(NumericMethod))
def test_every_numeric_method_is_0_of_the_baseline_and_grows_with_a_shift(method):
    values = np.random.default_rng(1).normal(5, 1, 2000)
    found = [
        drift(
            [f"{v + shift:.6f}" for v in values],
            Rule("f", "Fractional", method=method),
            numeric(values.round(6)),
        )
        for shift in (0.0, 0.5, 1.0, 2.0)
    ]
    distances = [d.distance for d in found]
    assert distances[0] == pytest.approx(0.0, abs=1e-12)
    assert all(a < b for a, b in pairwise(distances))
    assert {d.method for d in found} == {method}
    if method == "Wasserstein":
        assert distances[2] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("method", [m for m in get_args(CategoricalMethod) if m != "ChiSquared"])
@pytest.mark.parametrize("numeric_method", ["Robust", "PSI"])
def test_every_categorical_method_is_0_of_the_baseline_and_grows_with_a_change(method, numeric_method):
    rule = Rule("f", "String", method=numeric_method, categorical_method=method)
    reference = Reference(counts={"a": 5000, "b": 5000})
    distances = [
        drift(["a"] * (1000 + more) + ["b"] * (1000 - more), rule, reference).distance
        for more in (0, 300, 900)
    ]
    assert distances[0] == 0.0
    assert all(a < b for a, b in pairwise(distances))


def test_linfinity_is_corrected_where_the_numeric_method_is_robust_and_only_there():
    values, reference = ["a"] * 300 + ["b"] * 700, Reference(counts={"a": 500, "b": 500})
    found = {
        m: drift(values, Rule("f", "String", method=m), reference).distance for m in get_args(NumericMethod)
    }
    assert found.pop("Robust") == pytest.approx(0.2 - 1.8 * np.sqrt(0.002))
    assert list(found.values()) == [pytest.approx(0.2)] * 5


# effect and probability


def test_the_effect_of_a_number_is_the_largest_difference_whatever_the_method():
    baseline = numeric([1, 2, 3, 4])
    for method in get_args(NumericMethod):
        assert drift(["3", "4", "5", "6"], Rule("f", "Integral", method=method), baseline).effect == 0.5


def test_the_effect_of_a_category_is_the_largest_difference_of_a_share_or_cramers_v():
    reference, values = Reference(counts={"a": 50, "b": 50}), ["a"] * 75 + ["b"] * 25
    assert drift(values, Rule("f", "String"), reference).effect == pytest.approx(0.25)
    v = drift(values, Rule("f", "String", categorical_method="ChiSquared"), reference).effect
    table = [[75, 25], [50, 50]]
    assert v == pytest.approx(stats.contingency.association(table, method="cramer"))


def test_a_numeric_p_value_is_scipys_of_the_raw_values():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.2, 1, 300).round(6), rng.normal(0, 1, 2000).round(6)
    found = drift([f"{v:.6f}" for v in a], Rule("f", "Fractional"), numeric(b))
    assert found.p_value == pytest.approx(stats.ks_2samp(a, b, method="asymp").pvalue, rel=0.05)


def test_where_a_sketch_had_to_drop_values_its_error_is_taken_off_before_the_p_value():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, 20_000).round(6), rng.normal(0.03, 1, 2000).round(6)
    found = drift([f"{v:.6f}" for v in a], Rule("f", "Fractional"), numeric(b))
    least, most = (stats.ks_2samp(a, b, method="asymp").statistic + RANK_ERROR * sign for sign in (-2, 0))
    n = round(20_000 * 2000 / 22_000)
    assert stats.kstwo.sf(most, n) * 0.95 <= found.p_value <= stats.kstwo.sf(least, n) * 1.05


# few values


def test_below_the_minimum_on_either_side_there_is_a_distance_and_no_violation():
    rule = Rule("f", "Integral", method="Simple")
    for values, baseline in ((["9"] * 29, [1] * 30), (["9"] * 30, [1] * 29)):
        found = drift(values, rule, numeric(baseline), minimum=30)
        assert (found.distance, found.enough, violation(found)) == (1.0, False, None)
    found = drift(["9"] * 30 + [None, "x"], rule, numeric([1] * 30), minimum=30)
    assert (found.rows, found.enough) == (30, True)
    assert violation(found) is not None


def test_a_minimum_counts_the_categories_of_both_sides():
    for n, m, enough in ((29, 30, False), (30, 29, False), (30, 30, True)):
        found = drift(["b"] * n, Rule("f", "String"), Reference(counts={"a": m}), minimum=30)
        assert (found.enough, found.rows) == (enough, n)


@pytest.mark.parametrize(
    ("q_value", "rate", "fires"),
    [(0.05, 0.05, True), (0.0501, 0.05, False), (None, 0.05, False), (None, 1.0, True), (1.0, 1.0, True)],
)
def test_a_distance_is_a_violation_only_as_a_discovery(q_value, rate, fires):
    found = Drift("f", "numeric", 0.2, 0.1, "Robust", [], [], [], q_value=q_value)
    assert (violation(found, rate) is not None) == fires


# what a violation says


@pytest.mark.parametrize(
    ("method", "distance", "severity"),
    [
        ("PSI", 0.1499, "low"),
        ("PSI", 0.1501, "medium"),
        ("PSI", 0.2499, "medium"),
        ("PSI", 0.2501, "high"),
        ("ChiSquared", 0.09, "low"),
        ("ChiSquared", 0.05, "medium"),
        ("ChiSquared", 0.01, "high"),
        ("ChiSquared", 0.0, "high"),
    ],
)
def test_severity_is_by_distance_over_threshold(method, distance, severity):
    found = Drift("f", "categorical", distance, 0.1, method, [], [], [], rows=70)
    said = msgspec.to_builtins(violation(found, event_ids=("a", "b")))
    assert (said["severity"], said["rows"], said["sample_event_ids"]) == (severity, 70, ["a", "b"])
    assert "affected" not in said


def test_a_threshold_of_0_makes_every_drift_high():
    found = violation(Drift("f", "numeric", 0.01, 0.0, "Simple", [], [], []))
    assert found is not None and found.severity == "high"


# withheld values


def coarse(values: np.ndarray) -> Reference:
    """What is left of a baseline of which only buckets are known."""
    edges = np.linspace(values.min(), values.max(), 11)
    counts, _ = np.histogram(values, edges)
    return Reference(Sample(edges[1:], counts.astype(np.float64)), edges, coarse=True)


@pytest.mark.parametrize("method", get_args(NumericMethod))
@pytest.mark.parametrize("shape", ["uniform", "integers", "constant"])
def test_a_baseline_of_buckets_alone_has_no_distance_from_its_own_values(method, shape):
    rng = np.random.default_rng(4)
    values = {
        "uniform": rng.random(1000).round(6),
        "integers": rng.integers(0, 11, 1000).astype(np.float64),
        "constant": np.full(1000, 3.0),
    }[shape]
    rule = Rule("f", "Fractional", method=method)
    found = drift([f"{v:.6f}" for v in values], rule, coarse(values))
    assert found.distance == pytest.approx(0.0, abs=1e-9)
    assert found.p_value == pytest.approx(1.0)
    if shape != "constant":
        assert found.current == pytest.approx(found.baseline)


@pytest.mark.parametrize("method", get_args(NumericMethod))
@pytest.mark.parametrize("shift", [-0.5, 0.5])
def test_a_shift_from_a_baseline_of_buckets_alone_is_seen(method, shift):
    values = np.random.default_rng(5).random(1000)
    rule = Rule("f", "Fractional", method=method)
    found = drift([f"{v + shift:.6f}" for v in values], rule, coarse(values))
    assert found.effect == pytest.approx(0.5, abs=0.06)
    assert violation(found) is not None


def test_categories_that_hardly_anybody_has_are_not_named_where_values_are_withheld():
    values = ["a"] * 50 + ["b"] * 5 + ["rare"] * 4
    found = drift(values, Rule("f", "String"), Reference(counts={"a": 60, "c": 4}), least=5)
    assert found.bins == ["a", "b", "(other)"]
    assert found.current == pytest.approx([50 / 59, 5 / 59, 4 / 59])
    assert found.baseline == pytest.approx([60 / 64, 0, 4 / 64])
