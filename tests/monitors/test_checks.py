"""Each check fires when it must, stays quiet at its boundary, and says it in Model Monitor's words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import text_array

from monitors import categories, checks
from monitors.baseline import Reference
from monitors.distances import Sample
from monitors.feature import FeatureState
from schemas.constraints import Rule
from schemas.layout import Kind
from schemas.report import Drift, Violation

EDGES = np.linspace(0.0, 10.0, 11)


def state(values: list[str | None], kind: Kind = "Integral") -> FeatureState:
    return FeatureState.of(text_array(values), kind)


def found(values: list[str | None], rule: Rule) -> list[Violation]:
    return list(checks.values(state(values, rule.kind), rule, len(values)))


def numeric(values: list[float]) -> Reference:
    return Reference(Sample(np.sort(np.array(values, np.float64)), np.ones(len(values))), EDGES)


def drift(values: list[str | None], rule: Rule, reference: Reference) -> Drift:
    drifted = checks.drift(state(values, rule.kind), rule, reference)
    assert drifted is not None
    return drifted


# data type


def test_one_stray_value_among_1977_is_a_violation_in_model_monitors_words():
    """The text is that of a real job's output (1970 of 1977)."""
    assert found(["1"] * 1970 + ["x"] * 7, Rule("Churn", "Integral")) == [
        Violation(
            "Churn",
            "data_type_check",
            "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. "
            "Observed: Only 99.64592817400101% of data is Integral.",
        )
    ]


@pytest.mark.parametrize(("threshold", "fires"), [(0.75, False), (0.7500001, True), (0.0, False)])
def test_a_type_share_at_its_threshold_is_no_violation(threshold, fires):
    assert bool(found(["1", "2", "3", "x"], Rule("f", "Integral", type_share=threshold))) == fires


@pytest.mark.parametrize(
    ("kind", "values", "fires"),
    [
        ("Integral", ["1", "2"], False),
        ("Integral", ["1", "2.0"], True),
        ("Fractional", ["1", "2.5"], False),
        ("Fractional", ["1", "x"], True),
        ("Boolean", ["true", "false"], False),
        ("Boolean", ["true", "1"], True),
        ("String", ["1", "x"], False),
        ("Unknown", ["1", "x"], False),
        ("Integral", [None, None], False),
        ("Integral", ["0.81"], True),
    ],
)
def test_which_values_match_which_type(kind, values, fires):
    assert [v.constraint_check_type for v in found(values, Rule("f", kind))] == ["data_type_check"] * fires


# completeness


@pytest.mark.parametrize(
    ("wanted", "fires"), [(0.75, False), (0.7500001, True), (None, False), (0.0, False), (1.0, True)]
)
def test_completeness_is_a_violation_below_the_baselines_only(wanted, fires):
    violations = found(["1", "2", "3", None], Rule("f", "Integral", completeness=wanted))
    assert (
        violations
        == [Violation("f", "completeness_check", "Value: 0.75 does not meet the constraint requirement!")]
        * fires
    )


def test_the_completeness_of_a_baseline_is_met_by_the_same_share_of_another_number_of_rows():
    rule = Rule("f", "Integral", completeness=11 / 12)
    assert found(["1"] * 22 + [None] * 2, rule) == []


def test_stray_text_is_present():
    assert found(["x", "y"], Rule("f", "Integral", completeness=1.0, type_share=0.0)) == []


# sign


@pytest.mark.parametrize(
    ("values", "non_negative", "fires"),
    [
        (["0", "1"], True, False),
        (["-0", "1"], True, False),
        (["1", "-1"], True, True),
        (["1", "-1"], False, False),
        (["1", "-1"], None, False),
        ([None], True, False),
    ],
)
def test_a_negative_value_is_a_violation_where_the_baseline_had_none(values, non_negative, fires):
    violations = found(values, Rule("f", "Integral", non_negative=non_negative))
    assert (
        violations
        == [Violation("f", "non_negative_check", "Value: -1.0 does not meet the constraint requirement!")]
        * fires
    )


# domain


@pytest.mark.parametrize(
    ("threshold", "fires"), [(1.0, True), (0.75, False), (0.7500001, True), (0.0, False)]
)
def test_a_share_inside_the_domain_at_its_threshold_is_no_violation(threshold, fires):
    rule = Rule("f", "String", domains=frozenset({"a", "b"}), domain_share=threshold)
    assert (
        found(["a", "b", "a", "new", None], rule)
        == [
            Violation(
                "f", "categorical_values_check", "Value: 0.75 does not meet the constraint requirement!"
            )
        ]
        * fires
    )


def test_a_missing_value_is_outside_no_domain():
    assert found([None, None], Rule("f", "String", domains=frozenset({"a"}))) == []
    assert found(["x"], Rule("f", "String")) == []


def test_more_values_than_can_be_counted_are_still_outside_a_small_domain(monkeypatch):
    monkeypatch.setattr(categories, "LIMIT", 10)
    rule = Rule("f", "String", domains=frozenset({"0", "1"}))
    violation = found([str(i) for i in range(100)], rule)[0]
    assert violation.constraint_check_type == "categorical_values_check"
    most = float(violation.description.split()[1])
    assert 0.02 <= most <= 0.1
    assert (
        found([str(i) for i in range(100)], Rule("f", "String", domains=frozenset(map(str, range(100)))))
        == []
    )


# drift


def test_a_distance_above_its_threshold_is_a_violation_in_words_that_awss_sample_code_can_read():
    at = Drift("f", "numeric", 0.1, 0.1, "Robust", [], [], [])
    above = Drift("f", "numeric", 0.2371, 0.1, "Robust", [], [], [])
    assert checks.drift_violation(at) is None
    assert checks.drift_violation(above) == Violation(
        "f", "baseline_drift_check", "Baseline drift distance: 0.2371 exceeds threshold: 0.1"
    )


def test_a_p_value_below_its_threshold_is_a_violation():
    at = Drift("f", "categorical", 0.1, 0.1, "ChiSquared", [], [], [])
    below = Drift("f", "categorical", 0.0999, 0.1, "ChiSquared", [], [], [])
    assert checks.drift_violation(at) is None
    assert checks.drift_violation(below) == Violation(
        "f", "baseline_drift_check", "Baseline drift p-value: 0.0999 is below threshold: 0.1"
    )


def test_a_distance_that_cannot_be_computed_is_no_violation():
    assert checks.drift_violation(Drift("f", "numeric", None, 0.1, "Robust", [], [], [])) is None


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
    assert checks.drift(state(["1"]), Rule("f", "Integral"), Reference()) is None


numbers = st.lists(st.floats(-20, 20), min_size=1, max_size=40)
words = st.lists(st.integers(0, 60).map(str) | st.just("(other)"), min_size=1, max_size=120)


@given(numbers, numbers)
def test_numeric_shares_sum_to_one(values, baseline):
    """below │ ten bins │ above"""
    found = drift(
        [repr(v) if "e" not in repr(v) else "0.5" for v in values], Rule("f", "Fractional"), numeric(baseline)
    )
    assert len(found.baseline) == len(found.current) == len(found.bins) + 1 == 12
    assert sum(found.baseline) == pytest.approx(1.0, abs=1e-12)
    assert sum(found.current) == pytest.approx(1.0, abs=1e-12)


@given(words, words)
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
