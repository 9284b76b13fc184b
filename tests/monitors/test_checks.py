"""Each check fires when it must, stays quiet at its boundary, and says it in Model Monitor's words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from scipy import stats
from states import text_array

from monitors import categories, checks
from monitors.feature import FeatureState
from monitors.samples import Samples
from schemas.constraints import Rule
from schemas.layout import Kind
from schemas.report import Violation


def state(values: list[str | None], kind: Kind = "Integral") -> FeatureState:
    return FeatureState.of(text_array(values), kind)


def found(values: list[str | None], rule: Rule) -> list[Violation]:
    """Violations as Model Monitor has them: any value that is missing too much is one."""
    known = state(values, rule.kind)
    incomplete = checks.completeness(known, rule, len(values))
    return [*checks.values(known, rule), *([incomplete] if incomplete else [])]


def words(violations: list[Violation]) -> list[tuple[str, str, str]]:
    return [(v.feature_name, v.constraint_check_type, v.description) for v in violations]


def more(violation: Violation) -> dict[str, Any]:
    """What a violation says beside Model Monitor's keys."""
    return dict(list(msgspec.to_builtins(violation).items())[3:])


# data type


def test_one_stray_value_among_1977_is_a_violation_in_model_monitors_words():
    """The text is that of a real job's output (1970 of 1977)."""
    assert words(found(["1"] * 1970 + ["x"] * 7, Rule("Churn", "Integral"))) == [
        (
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
        words(violations)
        == [("f", "completeness_check", "Value: 0.75 does not meet the constraint requirement!")] * fires
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
        words(violations)
        == [("f", "non_negative_check", "Value: -1.0 does not meet the constraint requirement!")] * fires
    )


# domain


@pytest.mark.parametrize(
    ("threshold", "fires"), [(1.0, True), (0.75, False), (0.7500001, True), (0.0, False)]
)
def test_a_share_inside_the_domain_at_its_threshold_is_no_violation(threshold, fires):
    rule = Rule("f", "String", domains=frozenset({"a", "b"}), domain_share=threshold)
    assert (
        words(found(["a", "b", "a", "new", None], rule))
        == [("f", "categorical_values_check", "Value: 0.75 does not meet the constraint requirement!")]
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


# what else a violation says


def test_a_violation_says_how_many_values_it_rests_on_and_how_many_break_the_rule():
    ids = Samples(("t",), ("m",), ("n",), ("o",), ("s",))
    text = ["1", "-2", "x", "y", None]
    rule = Rule("f", "Integral", completeness=1.0, non_negative=True)
    by_type, by_sign = checks.values(state(text), rule, ids)
    missing = checks.completeness(state(text), rule, 5, samples=ids)
    assert more(by_type) == {"rows": 4, "affected": 2, "severity": "high", "sample_event_ids": ["t"]}
    assert more(by_sign) == {"rows": 2, "affected": 1, "severity": "high", "sample_event_ids": ["n"]}
    assert more(missing) == {"rows": 5, "affected": 1, "severity": "high", "sample_event_ids": ["m"]}
    known = state(["a"] * 97 + ["b", "b", "c"], "String")
    (outside,) = checks.values(known, Rule("f", "String", domains=frozenset("a")), ids)
    assert more(outside) == {"rows": 100, "affected": 3, "severity": "medium", "sample_event_ids": ["o"]}


def test_what_cannot_be_counted_or_was_not_kept_is_left_out(monkeypatch):
    monkeypatch.setattr(categories, "LIMIT", 10)
    (violation,) = found([str(i) for i in range(100)], Rule("f", "String", domains=frozenset({"0"})))
    assert more(violation) == {"rows": 100, "severity": "high"}


@pytest.mark.parametrize(("stray", "severity"), [(9, "low"), (10, "medium"), (99, "medium"), (101, "high")])
def test_severity_is_by_the_share_that_a_constraint_is_missed_by(stray, severity):
    (violation,) = found(["1"] * (1000 - stray) + ["x"] * stray, Rule("f", "Integral"))
    assert violation.severity == severity


def test_severity_does_not_count_what_the_constraint_allows():
    (violation,) = found(["1"] * 495 + [None] * 505, Rule("f", "Integral", completeness=0.5))
    assert (violation.affected, violation.severity) == (505, "low")


# completeness as a test


def test_missing_values_are_tested_only_where_some_are_allowed():
    known = state(["1"] * 90 + [None] * 10)
    tested = {
        wanted: checks.completeness_p_value(known, Rule("f", "Integral", completeness=wanted), 100, 1000)
        for wanted in (None, 0.0, 0.95, 1.0)
    }
    assert [wanted for wanted, p in tested.items() if p is not None] == [0.95]
    exact = stats.fisher_exact([[10, 90], [50, 950]], alternative="greater").pvalue
    assert tested[0.95] == pytest.approx(exact)


def test_a_few_more_missing_values_than_in_the_baseline_are_a_violation_only_if_it_is_shown():
    rule = Rule("f", "Integral", completeness=0.95)
    known = state(["1"] * 90 + [None] * 10)
    assert checks.completeness(known, rule, 100, shown=False) is None
    assert checks.completeness(known, rule, 100, shown=True) is not None
    assert checks.completeness(state(["1"] * 95 + [None] * 5), rule, 100) is None


def test_where_nothing_may_be_missing_one_missing_value_is_enough():
    known = state(["1"] * 99 + [None])
    assert checks.completeness(known, Rule("f", "Integral", completeness=1.0), 100, shown=False) is not None
