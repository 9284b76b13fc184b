"""The data-quality monitor as a whole: columns, windows without rows, and its documents."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, DataQualityState, profile
from monitors.describe import suggest
from schemas import constraints
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


def rows(
    table: pa.Table, beside: frozenset[str] = frozenset(), misfits: dict[int, int] | None = None
) -> Rows:
    n = np.arange(table.num_rows)
    return Rows(table, n, n, beside, misfits or {})


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
    assert msgspec.to_builtins(finding.violations) == real
    assert msgspec.to_builtins(finding.documents["constraint_violations.json"]) == {"violations": real}


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
