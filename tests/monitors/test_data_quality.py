"""The data-quality monitor as a whole: columns, windows without rows, and its documents."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy import stats

from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, profile
from monitors.describe import suggest
from monitors.quality_state import DataQualityState
from monitors.significance import incompleteness
from schemas import constraints
from schemas.constraints import Defaults
from schemas.report import Finding
from schemas.rows import NO_ROWS, Rows
from schemas.statistics import parse

TRAINING = pa.table(
    {"age": [20, 30, 40, 50] * 50, "score": [0.1, 0.2, 0.3, 0.4] * 50, "city": ["rome", "oslo"] * 100}
)


def monitor(table: pa.Table = TRAINING, **config: Any) -> DataQuality:
    statistics = profile(table)
    document = suggest(statistics)
    document["monitoring_config"] = document["monitoring_config"] | config
    return DataQuality(Baseline.of(statistics, constraints.of(document)))


def window(of: DataQuality, table: pa.Table) -> Finding:
    return of.finish(of.observe(rows(table)))


def rows(
    table: pa.Table, beside: frozenset[str] = frozenset(), misfits: dict[int, int] | None = None
) -> Rows:
    n = np.arange(table.num_rows)
    ids = pa.array([f"id{i:04}" for i in n.tolist()], pa.string())
    return Rows(table, n, n, beside, misfits or {}, ids)


def checks(*batches: Rows, of: DataQuality | None = None) -> list[tuple[str, str]]:
    """(feature, check) of each violation in a window of `batches`."""
    of = of or monitor()
    state = of.observe(NO_ROWS)
    for batch in batches:
        state = state.merge(of.observe(batch))
    return [(v.feature_name, v.constraint_check_type) for v in of.finish(state).violations]


def column_message(*batches: Rows) -> str:
    of = monitor()
    state = of.observe(NO_ROWS)
    for batch in batches:
        state = state.merge(of.observe(batch))
    return of.finish(state).violations[0].description


def test_the_training_data_itself_violates_nothing():
    assert checks(rows(TRAINING)) == []
    drift = monitor().finish(monitor().observe(rows(TRAINING))).drift
    assert [(d.feature_name, d.kind, d.distance) for d in drift] == [
        ("age", "numeric", 0.0),
        ("score", "numeric", 0.0),
        ("city", "categorical", 0.0),
    ]


def test_a_window_without_rows_has_no_violation_and_still_a_document():
    of = monitor()
    for state in (DataQualityState(), of.observe(NO_ROWS), of.observe(rows(TRAINING.slice(0, 0)))):
        finding = of.finish(state)
        assert (finding.violations, finding.drift) == ([], [])
        assert parse(msgspec.json.encode(finding.documents["statistics.json"])).dataset.item_count == 0


def test_every_kind_of_violation_is_found_in_one_window():
    bad = pa.table(
        {
            "age": ["-1", "x"] * 200,
            "score": pa.array([9.0, None] * 200),
            "city": ["rome", "paris"] * 200,
            "more": [1] * 400,
        }
    )
    assert sorted(checks(rows(bad))) == [
        ("Extra columns", "extra_column_check"),
        ("age", "baseline_drift_check"),
        ("age", "data_type_check"),
        ("age", "non_negative_check"),
        ("city", "baseline_drift_check"),
        ("city", "categorical_values_check"),
        ("score", "baseline_drift_check"),
        ("score", "completeness_check"),
    ]


def test_a_column_that_never_came_is_missing_in_model_monitors_words():
    batch = rows(TRAINING.select(["age", "score"]))
    assert checks(batch) == [("Missing columns", "missing_column_check")]
    assert column_message(batch) == (
        "There are missing columns in current dataset. Number of columns in current dataset: 2, "
        "Number of columns in baseline constraints: 3"
    )


def test_a_column_that_came_in_one_batch_of_the_window_is_not_missing():
    assert checks(rows(TRAINING.select(["age", "score"])), rows(TRAINING)) == [("city", "completeness_check")]


def test_an_unknown_column_is_extra_but_an_output_beside_the_baseline_is_not():
    wide = TRAINING.append_column("output_0", pa.array([0.5] * 200))
    assert checks(rows(wide, frozenset({"output_0"}))) == []
    assert checks(rows(wide)) == [("Extra columns", "extra_column_check")]
    assert column_message(rows(wide)) == (
        "There are extra columns in current dataset. Number of columns in current dataset: 4, "
        "Number of columns in baseline constraints: 3"
    )


@pytest.mark.parametrize(
    ("misfits", "expected", "seen"),
    [
        ({1: 5}, ["missing_column_check"], 1),
        ({2: 1, 1: 1}, ["missing_column_check"], 1),
        ({5: 2}, ["extra_column_check"], 5),
        ({2: 1, 4: 1}, ["missing_column_check", "extra_column_check"], 2),
        ({3: 1}, [], None),
        ({}, [], None),
    ],
)
def test_records_of_another_width_are_a_violation_even_where_no_row_came(misfits, expected, seen):
    batch = rows(pa.table({}), misfits=misfits)
    assert [check for _, check in checks(batch)] == expected
    if expected:
        assert f"Number of columns in current dataset: {seen}," in column_message(batch)


def test_a_real_violation_of_missing_columns_has_the_same_words(shared):
    """A real job read three CSV rows of one request as a single column."""
    name = "data/captures/audio-endpoint-constraint_violations.json"
    real = json.loads((shared / name).read_text())["violations"]
    rules = constraints.parse((shared / "data/captures/audio-endpoint-constraints.json").read_bytes())
    of = DataQuality(Baseline.of(None, rules))
    finding = of.finish(of.observe(rows(pa.table({}), misfits={1: 211})))
    ours = msgspec.to_builtins(finding.violations)
    assert msgspec.to_builtins(finding.documents["constraint_violations.json"]) == {"violations": ours}
    assert ours == [real[0] | {"rows": 211, "severity": "high"}]


def test_switches_of_the_configuration_are_obeyed():
    bad = pa.table({"age": ["x"] * 400, "score": [9.0] * 400, "city": ["paris"] * 400})
    drift = {"distribution_constraints": {"perform_comparison": "Disabled"}}
    assert not any(check == "baseline_drift_check" for _, check in checks(rows(bad), of=monitor(**drift)))
    assert checks(rows(bad), of=monitor(evaluate_constraints="Disabled")) == []
    assert ("age", "data_type_check") not in checks(rows(bad), of=monitor(datatype_check_threshold=0.0))


def test_without_statistics_everything_but_drift_is_judged():
    rules = constraints.of(suggest(profile(TRAINING)))
    of = DataQuality(Baseline.of(None, rules))
    far = pa.table({"age": [-500] * 400, "score": [0.1] * 400, "city": ["paris"] * 400})
    finding = of.finish(of.observe(rows(far)))
    assert finding.drift == []
    assert [v.constraint_check_type for v in finding.violations] == [
        "non_negative_check",
        "categorical_values_check",
    ]


def test_features_are_described_in_the_order_of_the_constraints():
    shuffled = TRAINING.select(["city", "age", "score"])
    of = monitor()
    described = of.finish(of.observe(rows(shuffled))).documents["statistics.json"]
    assert [feature.name for feature in described.features] == ["age", "score", "city"]


def test_of_a_hundred_thousand_unknown_columns_only_some_names_are_kept():
    """JSON keys may be data: a state must not grow with them."""
    of = monitor()
    states = [of.observe(rows(pa.table({f"k{i}": [1] for i in range(n, n + 150)}))) for n in (0, 150)]
    merged = states[0].merge(states[1])
    assert len(merged.extra) == 100
    assert (
        merged.extra
        == states[1].merge(states[0]).extra
        == frozenset(sorted(f"k{i}" for i in range(300))[:100])
    )


def test_each_part_of_a_stored_state_belongs_to_one_feature_whatever_its_name():
    """pandas writes a CSV whose first column has no name; a column may be called as anything else is."""
    table = pa.table({"": [1, 2], "about": ["a", "b"], "feature:": [0.5, 0.5]})
    of = monitor(table)
    state = of.observe(rows(table))
    parts = state.dump()
    assert len(parts) == 4
    assert of.load(parts) == state
    assert of.finish(of.load(parts)) == of.finish(state)


def test_a_full_state_fits_a_log_message_part_by_part():
    rng = np.random.default_rng(6)
    table = pa.table(
        {
            "age": rng.integers(0, 10**9, 50_000),
            "score": rng.random(50_000),
            "city": [f"{i:060}" for i in range(50_000)],
        }
    )
    state = monitor().observe(rows(table))
    some = monitor().observe(rows(table.slice(0, 4096)))
    assert max(map(len, [*state.dump().values(), *some.dump().values()])) < 500_000


def test_documents_hold_nothing_that_json_lacks():
    extreme = pa.table(
        {
            "age": ["1e308", "-1e308", "9" * 500],
            "score": [1.7e308, -1.7e308, None],
            "city": ["\x00", "é", None],
        }
    )
    of = monitor()
    finding = of.finish(of.observe(rows(extreme)))
    for document in (*finding.documents.values(), finding.drift):
        json.loads(msgspec.json.encode(document), parse_constant=pytest.fail)
    parse(msgspec.json.encode(finding.documents["statistics.json"]))


# samples of a size, and many tests at once


def with_missing(share: float, n: int = 1000) -> pa.Table:
    gone = pa.array(np.arange(n) < share * n)
    return pa.table({"age": pc.if_else(gone, None, pa.array([30] * n)), "other": [1] * n})


def test_a_few_more_missing_values_are_no_violation_and_many_are():
    of = monitor(with_missing(0.05))
    assert checks(rows(with_missing(0.06, 500)), of=of) == []
    assert checks(rows(with_missing(0.10, 500)), of=of) == [("age", "completeness_check")]


def test_switched_off_the_checks_are_model_monitors():
    exact = monitor(with_missing(0.05), minimum_sample_size=0, false_discovery_rate=1.0)
    assert checks(rows(with_missing(0.06, 500)), of=exact) == [("age", "completeness_check")]
    assert checks(rows(with_missing(0.5, 2)), of=exact) == [("age", "completeness_check")]
    far = pa.table({"age": [99] * 20, "score": [0.1] * 20, "city": ["rome"] * 20})
    drift = {"distribution_constraints": {"comparison_method": "Simple"}}
    assert ("age", "baseline_drift_check") not in checks(rows(far), of=monitor(**drift))
    off = monitor(**drift, minimum_sample_size=0, false_discovery_rate=1.0)
    assert ("age", "baseline_drift_check") in checks(rows(far), of=off)


def test_what_the_file_leaves_open_the_program_decides():
    far = pa.table({"age": [99] * 20, "score": [0.1] * 20, "city": ["rome"] * 20})
    statistics = profile(TRAINING)
    drift = {"distribution_constraints": {"comparison_method": "Simple"}}

    def found(defaults: Defaults, **config: Any) -> bool:
        document = suggest(statistics)
        document["monitoring_config"] = {**drift, **config}
        of = DataQuality(Baseline.of(statistics, constraints.of(document)), defaults)
        return ("age", "baseline_drift_check") in checks(rows(far), of=of)

    assert not found(Defaults())
    assert found(Defaults(minimum_sample_size=10))
    assert not found(Defaults(minimum_sample_size=10, false_discovery_rate=0.0))
    assert not found(Defaults(minimum_sample_size=10), minimum_sample_size=21)
    assert not found(Defaults(minimum_sample_size=10), false_discovery_rate=0.0)


def test_below_the_minimum_a_drift_is_reported_and_says_so():
    far = pa.table({"age": [99] * 20, "score": [0.1] * 20, "city": ["rome"] * 20})
    (age, *_) = window(monitor(), far).drift
    assert (age.feature_name, age.enough, age.rows, age.q_value) == ("age", False, 20, None)
    assert age.effect == 1.0 and age.p_value is not None and age.p_value < 1e-9


def test_q_values_are_over_all_tests_of_the_window_completeness_included():
    training = pa.table({"age": with_missing(0.05)["age"], "score": [0.1, 0.2] * 500})
    of = monitor(training)
    now = pa.table({"age": with_missing(0.10, 500)["age"], "score": [0.1, 0.2] * 240 + [0.1] * 20})
    drift = {d.feature_name: d for d in window(of, now).drift}
    p_missing = incompleteness(50, 500, 0.05, 1000)
    tests = [p_missing, *(d.p_value for d in drift.values())]
    expected = stats.false_discovery_control(tests)
    assert [d.q_value for d in drift.values()] == pytest.approx(expected[1:])


def test_features_that_are_not_compared_are_no_tests():
    off = {"distribution_constraints": {"perform_comparison": "Disabled"}}
    assert window(monitor(**off), TRAINING).drift == []


def test_a_violation_names_the_records_that_show_it():
    bad = pa.table({"age": ["-1", "x"] * 200, "score": pa.array([9.0, None] * 200), "city": ["paris"] * 400})
    found = {v.what[:2]: v.sample_event_ids for v in window(monitor(), bad).violations}
    even, odd = ([f"id{i:04}" for i in range(start, 10, 2)] for start in (0, 1))
    assert found == {
        ("age", "data_type_check"): odd,
        ("age", "non_negative_check"): even,
        ("age", "baseline_drift_check"): even,
        ("score", "completeness_check"): odd,
        ("score", "baseline_drift_check"): even,
        ("city", "categorical_values_check"): [f"id{i:04}" for i in range(5)],
        ("city", "baseline_drift_check"): [f"id{i:04}" for i in range(5)],
    }


# values withheld


def test_withheld_statistics_hold_no_value_of_a_single_row():
    table = pa.table({"age": [21, 34, 55, 34] * 5, "rare": ["a"] * 16 + ["b"] * 4, "often": ["a", "b"] * 10})
    open_, closed = (msgspec.to_builtins(profile(table, withhold=w))["features"] for w in (False, True))
    assert "sketch" in open_[0]["numerical_statistics"]["distribution"]["kll"]
    assert closed[0]["numerical_statistics"]["distribution"]["kll"].keys() == {"buckets"}
    assert "distribution" not in closed[1]["string_statistics"]
    assert closed[2] == open_[2]
    assert "domains" not in json.dumps(suggest(profile(table, withhold=True))["features"][1])


def test_a_withheld_baseline_judges_windows_nearly_as_the_whole_one_does():
    rng = np.random.default_rng(8)
    training = pa.table({"age": rng.normal(40, 10, 5000).round(1)})
    now = pa.table({"age": rng.normal(46, 10, 2000).round(1)})
    exact, coarse = (
        window(DataQuality(Baseline.of(s, constraints.of(suggest(s)))), now)
        for s in (profile(training), profile(training, withhold=True))
    )
    assert [v.what for v in exact.violations] == [v.what for v in coarse.violations]
    assert coarse.drift[0].effect == pytest.approx(exact.drift[0].effect, abs=0.05)


def test_a_monitor_that_withholds_keeps_values_out_of_its_documents_and_its_report():
    statistics = profile(TRAINING)
    of = DataQuality(Baseline.of(statistics, constraints.of(suggest(statistics))), withhold=True)
    now = pa.table({"age": [31] * 100, "score": [0.1] * 100, "city": ["rome"] * 98 + ["Ada's house"] * 2})
    finding = window(of, now)
    text = msgspec.json.encode((finding.documents, finding.drift, finding.violations)).decode()
    assert "sketch" not in text and "Ada" not in text
    assert "(other)" in text
    city = next(v for v in finding.violations if v.constraint_check_type == "categorical_values_check")
    assert city.sample_event_ids == ["id0098", "id0099"]
