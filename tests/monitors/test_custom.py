"""Monitors that users write: what may be registered, what they are given, what becomes of errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitors.custom import Summed, is_whole, register, registering, typed
from monitors.guarded import Guarded, GuardedState
from schemas.errors import ConfigError
from schemas.layout import Layout
from schemas.report import Finding, Violation
from schemas.rows import NO_ROWS, Rows

LAYOUT = Layout({"score": "Fractional", "age": "Integral", "city": "String"})


class Young:
    """Share of rows with an age below 30."""

    name = "young"

    def observe(self, columns: pa.Table) -> dict[str, Any]:
        age = np.asarray(columns["age"].drop_null())
        if (age < 0).any():
            raise ValueError("a negative age")
        return {"young": (age < 30).sum(), "rows": len(age)}

    def finish(self, sums: dict[str, float]) -> float | None:
        return sums["young"] / sums["rows"] if sums["rows"] else None


def rows(*ages: Any) -> Rows:
    n = np.arange(len(ages))
    return Rows(pa.table({"age": list(ages)}), n, n)


def explain(error: BaseException) -> str:
    return f"young.py, line 9: {error}"


def guarded(**limits: float) -> Guarded:
    return Guarded(Summed(Young(), LAYOUT, **limits), explain)


@pytest.mark.parametrize(
    ("limits", "texts"),
    [
        ({}, []),
        ({"at_most": 0.5}, []),
        ({"at_most": 0.4}, ["Value: 0.5 does not meet the constraint requirement! It must be at most 0.4."]),
        (
            {"at_least": 0.6},
            ["Value: 0.5 does not meet the constraint requirement! It must be at least 0.6."],
        ),
        ({"at_least": 0.5, "at_most": 0.5}, []),
    ],
)
def test_a_value_that_passes_its_limit_is_a_violation(limits, texts):
    monitor = guarded(**limits)
    finding = monitor.finish(monitor.observe(rows(20)).merge(monitor.observe(rows(40))))
    assert finding.violations == [Violation("young", "custom_check", text) for text in texts]
    assert finding.documents["metrics.json"] == {"young": 0.5}
    assert finding.documents["constraint_violations.json"] == {"violations": finding.violations}


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_value_that_is_none_violates_nothing(value):
    class Nothing(Young):
        """Nothing."""

        def finish(self, sums):
            return value

    finding = (monitor := Summed(Nothing(), LAYOUT, at_most=0.0)).finish(monitor.observe(rows(20)))
    assert finding.violations == [] and finding.documents["metrics.json"] == {"young": None}


def test_a_window_that_nothing_came_in_is_not_asked_about():
    monitor = guarded(at_least=1.0)
    assert monitor.finish(monitor.observe(NO_ROWS)) == Finding([], [], {})


def test_columns_have_the_types_of_the_baseline_whatever_came():
    given = pa.table({"age": ["1", "x", None], "extra": [1, 2, 3]})
    table = typed(given, LAYOUT)
    assert table.schema.types == [pa.float64(), pa.int64(), pa.string()]
    assert table.to_pylist() == [{"score": None, "age": age, "city": None} for age in (1, None, None)]


def test_an_error_is_part_of_the_finding_and_the_rest_of_the_window_stays():
    monitor = guarded(at_most=0.4)
    state = monitor.observe(rows(20, 40)).merge(monitor.observe(rows(-1, 20, 20)))
    violations = monitor.finish(state).violations
    assert [v.constraint_check_type for v in violations] == ["custom_check", "monitor_error"]
    expected = "The monitor failed: young.py, line 9: a negative age. Rows that it did not see: 3."
    assert violations[1].description == expected
    again = monitor.load(state.dump())
    assert monitor.finish(again) == monitor.finish(state)


class Broken:
    """A whole monitor of which one method fails."""

    name = "broken"

    def __init__(self, method: str = "") -> None:
        self.method = method

    def fail(self, method: str) -> None:
        if method == self.method:
            raise RuntimeError(method)

    def observe(self, rows: Rows) -> Broken:
        self.fail("observe")
        return self

    def merge(self, other: Broken) -> Broken:
        self.fail("merge")
        return self

    def dump(self) -> dict[str, bytes]:
        self.fail("dump")
        return {"": b""}

    def load(self, parts: Any) -> Broken:
        self.fail("load")
        return self

    def finish(self, state: Broken) -> Any:
        self.fail("finish")
        return 3 if self.method == "result" else Finding([], [], {})


@pytest.mark.parametrize("method", ["observe", "merge", "dump", "load", "finish", "result"])
def test_whichever_method_fails_the_window_is_reported(method):
    monitor = Guarded(Broken(method), explain)
    merged = monitor.observe(rows(1)).merge(monitor.observe(rows(2)))
    finding = monitor.finish(monitor.load(merged.dump()))
    assert [v.constraint_check_type for v in finding.violations] == ["monitor_error"]
    assert "constraint_violations.json" in finding.documents


def test_errors_kept_are_few_and_the_same_in_any_order():
    states = [GuardedState(None, frozenset({f"error {i}"}), 1) for i in range(9)]
    forth, back = GuardedState(), GuardedState()
    for state in states:
        forth, back = forth.merge(state), state.merge(back)
    assert forth == back
    assert (len(forth.errors), forth.unseen) == (5, 9)


def test_a_class_is_registered_once_and_only_with_what_it_needs():
    with registering() as found:
        assert register(Young) is Young
        with pytest.raises(ConfigError, match="a second monitor of the name young"):
            register(type("Again", (Young,), {"__doc__": "Again."}))
        for members, reason in [
            ({"__doc__": None}, "has no docstring; say in it what wrong is"),
            ({"name": "Night Share"}, "name is 'Night Share'"),
            ({"name": "../x"}, "name is '../x'"),
            ({"observe": None}, "has no method observe"),
            ({"at_most": "much"}, "at_most is 'much', and must be a number"),
        ]:
            with pytest.raises(ConfigError, match=reason):
                register(type("Wrong", (Young,), {"__doc__": "Wrong.", "name": "wrong"} | members))
    assert found == {"young": Young}


def test_a_file_that_is_imported_by_a_test_registers_nothing():
    assert register(Young) is Young
    assert register(Young) is Young


def test_a_class_with_a_load_is_a_whole_monitor():
    assert is_whole(Broken) and not is_whole(Young)
