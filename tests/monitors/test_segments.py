"""Segments: which there are, what each is held against, and what a change in one of them looks like."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from monitors import segment_baseline
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, profile
from monitors.describe import suggest
from monitors.segments import Segments
from schemas import constraints
from schemas.report import Finding, Violation
from schemas.rows import NO_ROWS, Rows

CARRIERS = {"UA": 0.0, "DL": 5.0, "AA": 10.0, "HA": 15.0}  # each has its own usual delay


def flights(n: int, late: str = "", seed: int = 1) -> pa.Table:
    """Flights of all carriers alike; those of `late` have twenty minutes more of delay."""
    rng = np.random.default_rng(seed)
    carrier = rng.choice(list(CARRIERS), n)
    usual = np.array([CARRIERS[name] + 20 * (name == late) for name in carrier])
    return pa.table({"carrier": carrier, "delay": (usual + rng.normal(0, 4, n)).round(2)})


def as_rows(table: pa.Table) -> Rows:
    n = np.arange(len(table))
    return Rows(table, n, n)


TRAINING = flights(4_000)
DESCRIBED = profile(TRAINING)
WHOLE = Baseline.of(DESCRIBED, constraints.of(suggest(DESCRIBED)))
KINDS = {name: rule.kind for name, rule in WHOLE.constraints.rules.items()}
OWN = {
    key: DataQuality(segment_baseline.of_segment(described, WHOLE.constraints))
    for key, described in segment_baseline.profiles(TRAINING, KINDS, ["carrier"], 50)
}
BY_CARRIER = Segments("data_quality.carrier", ["carrier"], OWN, KINDS)


def found(monitor: Any, table: pa.Table) -> Finding:
    finding: Finding = monitor.finish(monitor.observe(as_rows(table)))
    return finding


def named(violations: list[Violation]) -> list[tuple[Any, str, str]]:
    return [(v.segment, v.feature_name, v.constraint_check_type) for v in violations]


def test_traffic_like_the_training_data_is_quiet_by_segment_and_over_all():
    assert found(DataQuality(WHOLE), flights(1_000, seed=2)).violations == []
    assert found(BY_CARRIER, flights(1_000, seed=2)).violations == []


def only(table: pa.Table, carrier: str) -> pa.Table:
    return table.filter(pc.equal(table["carrier"], carrier))


def test_a_change_in_one_small_segment_is_found_in_it_and_lost_over_all():
    usual = flights(1_000, seed=4)
    late = only(flights(240, late="HA", seed=5), "HA")
    window = pa.concat_tables([usual.filter(pc.not_equal(usual["carrier"], "HA")), late])
    assert 40 < len(late) < 80
    assert "delay" not in [v.feature_name for v in found(DataQuality(WHOLE), window).violations]
    assert named(found(BY_CARRIER, window).violations) == [
        ({"carrier": "HA"}, "delay", "baseline_drift_check")
    ]


def test_each_segment_is_listed_with_its_rows_and_other_values_are_counted():
    table = pa.table({"carrier": ["UA", "UA", "HA", "ZZ", None], "delay": [0.0, 1.0, 60.0, 1.0, 1.0]})
    finding = found(BY_CARRIER, table)
    listed = finding.documents["segments.json"]
    rows = {entry["segment"]["carrier"]: entry["rows"] for entry in listed["segments"]}
    assert rows == {"UA": 2, "HA": 1, "DL": 0, "AA": 0}
    assert listed["other"] == {"rows": 2}
    assert all(violation.segment for violation in finding.violations)


def test_without_rows_or_without_the_column_nothing_is_said():
    empty = BY_CARRIER.finish(BY_CARRIER.observe(NO_ROWS))
    assert (empty.violations, empty.documents["segments.json"]["other"]) == ([], {"rows": 0})
    finding = found(BY_CARRIER, pa.table({"delay": [1.0, 2.0]}))
    assert (finding.violations, finding.documents["segments.json"]["other"]) == ([], {"rows": 2})


def test_columns_that_are_missing_are_said_of_all_rows_and_not_of_each_segment():
    table = pa.table({"carrier": ["UA", "HA"], "gate": ["1", "2"]})
    checks = {v.constraint_check_type for v in found(DataQuality(WHOLE), table).violations}
    assert checks == {"missing_column_check", "extra_column_check"}
    assert found(BY_CARRIER, table).violations == []


def test_combinations_of_columns_are_segments_too_and_numbers_read_the_same_in_every_table():
    kinds = {"class": "Integral", "share": "Fractional"}
    rules = [{"name": name, "inferred_type": kind} for name, kind in kinds.items()]
    inner = DataQuality(Baseline.of(None, constraints.of({"features": rules})))
    monitor = Segments("x", ["class", "share"], {("1", "0.5"): inner, ("2", "1"): inner}, kinds)
    state = monitor.observe(as_rows(pa.table({"class": [1, 2, 1], "share": [0.5, 1.0, 1.0]})))
    state = state.merge(
        monitor.observe(as_rows(pa.table({"class": ["2", "x", "1"], "share": ["1.00", "1", "0.50"]})))
    )
    assert (state.rows, state.other) == ({("1", "0.5"): 2, ("2", "1"): 2}, 2)


def test_a_segment_that_is_none_any_more_is_counted_when_its_state_is_read_back():
    state = BY_CARRIER.observe(as_rows(pa.table({"carrier": ["UA", "HA"], "delay": [0.0, 15.0]})))
    fewer = Segments("data_quality.carrier", ["carrier"], {("UA",): OWN[("UA",)]}, KINDS)
    again = fewer.load(state.dump())
    assert (again.rows, again.other) == ({("UA",): 1}, 1)


def test_the_largest_segments_of_the_training_data_come_first_and_missing_values_are_none():
    table = pa.table({"a": ["x"] * 3 + ["y"] * 2 + ["z"] * 2 + [None], "b": [1, 1, 2, 1, 1, 1, 1, 1]})
    kinds = {"a": "String", "b": "Integral"}
    sizes = [
        (key, described.dataset.item_count)
        for key, described in segment_baseline.profiles(table, kinds, ["a", "b"], 3)
    ]
    assert sizes == [(("x", "1"), 2), (("y", "1"), 2), (("z", "1"), 2)]


def test_a_segment_keeps_the_rules_of_all_rows_and_may_lack_what_it_lacked_before():
    table = pa.table({"a": ["x"] * 4 + ["y"] * 4, "b": ["1", "2", None, "4", "5.5", "6", "7", "-8"]})
    described = profile(table)
    whole = constraints.of(suggest(described))
    kinds = {name: rule.kind for name, rule in whole.rules.items()}
    [(key, own), _] = segment_baseline.profiles(table, kinds, ["a"], 2)
    rules = segment_baseline.of_segment(own, whole).constraints.rules
    assert key == ("x",)
    assert rules["b"] == msgspec.structs.replace(whole.rules["b"], completeness=0.75)
    assert rules["a"].domains == {"x", "y"}


def test_values_that_a_baseline_has_counted_are_ranked():
    table = pa.table({"a": ["x", "x", "x", "y"], "b": ["p", "p", "q", "q"], "n": [1, 2, 3, 4]})
    described = profile(table)
    baseline = Baseline.of(described, constraints.of(suggest(described)))
    assert segment_baseline.frequent(baseline, ["a"], 1) == [("x",)]
    combined = [("x", "p"), ("x", "q"), ("y", "p"), ("y", "q")]
    assert segment_baseline.frequent(baseline, ["a", "b"], 9) == combined
    assert segment_baseline.frequent(baseline, ["a", "n"], 9) is None


@pytest.mark.parametrize("column", ["delay", "carrier"])
def test_the_order_of_rows_does_not_matter(column):
    table = flights(300, seed=9)
    forth, back = found(BY_CARRIER, table), found(BY_CARRIER, table.sort_by(column))
    assert forth == back
