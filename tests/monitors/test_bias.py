"""Bias on tables at the edge, missing values, types that are fixed, and the two rules of drift."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from bias_data import analysed, config, plan_of, values
from hypothesis import given
from hypothesis import strategies as st

from monitors.bias import facts, planning
from monitors.bias.describe import describe
from monitors.bias.facts import Facts
from monitors.bias.flip import measure
from monitors.bias.monitor import Bias
from schemas import analysis, analysis_config
from schemas.analysis import document
from schemas.constraints import Defaults
from schemas.errors import ConfigError
from schemas.rows import NO_ROWS, Rows

CLARIFY = Defaults(minimum_sample_size=0, false_discovery_rate=1.0)
CONFIG = config(
    {"sex": ["F"], "age": [40]},
    predicted_label="predicted",
    group_variable="group",
    intersections=[["sex", "age"]],
)


def people(n: int, seed: int = 1, gap: float = 0.0) -> pa.Table:
    """`n` people whose labels, and predictions, are by chance; women are predicted positive less by `gap`."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], n)
    share = np.where(sex == "F", 0.5 - gap, 0.5)
    return pa.table(
        {
            "sex": sex,
            "age": rng.uniform(18, 80, n),
            "group": rng.choice(["x", "y"], n),
            "label": rng.integers(0, 2, n),
            "predicted": (rng.random(n) < share).astype(int),
        }
    )


WHOLE = people(5_000)
PLAN = plan_of(WHOLE, CONFIG)
KNOWN = describe(PLAN, Bias(PLAN).of_table(WHOLE)).analysis


def as_rows(table: pa.Table) -> Rows:
    """Rows of a table whose column `id` has the ids of their records."""
    n = np.arange(len(table))
    ids = table["id"].combine_chunks()
    return Rows(table.drop_columns(["id"]), n, np.zeros_like(n), event_id=ids)


def measured(table: pa.Table):
    """Metrics by facet, value and name, of a table judged with the types of WHOLE."""
    return values(describe(PLAN, Bias(PLAN).of_table(table)).analysis)


one = st.fixed_dictionaries(
    {
        "sex": st.sampled_from(["F", "M", None]),
        "age": st.sampled_from([20.0, 60.0, float("nan"), None]),
        "group": st.sampled_from(["x", "y", None]),
        "label": st.sampled_from([0, 1, 2, None]),
        "predicted": st.sampled_from([0, 1, None]),
    }
)


@given(st.lists(one, max_size=6))
def test_any_few_rows_give_a_value_or_a_reason(rows):
    columns = {name: [row[name] for row in rows] for name in WHOLE.column_names}
    table = pa.table({name: pa.array(column, WHOLE[name].type) for name, column in columns.items()})
    monitor = Bias(PLAN, KNOWN)
    finding = monitor.finish(monitor.of_table(table))
    found = analysis.parse(json.dumps(finding.documents["analysis.json"], allow_nan=False).encode())
    for _, _, metric in found.metrics():
        assert (metric.number is None) == bool(metric.error), metric
    assert not finding.violations


def test_an_empty_window_has_reasons_and_no_violation():
    monitor = Bias(PLAN, KNOWN, CLARIFY)
    finding = monitor.finish(monitor.observe(NO_ROWS))
    metrics = [
        m for _, _, m in analysis.parse(json.dumps(finding.documents["analysis.json"]).encode()).metrics()
    ]
    assert len(metrics) == 3 * 21
    assert {m.value for m in metrics} == {None}
    assert {m.error for m in metrics if m.name == "CI"} == {"facet a has no row"}
    assert not finding.violations


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"sex": ["F"] * 6}, {"CI": "facet a has no row", "AD": "facet a has no row"}),
        ({"sex": ["M"] * 6}, {"CI": "facet d has no row", "GE": None}),
        ({"label": [1] * 6}, {"CDDL": "all labels are alike", "SD": "facet a has no negative label"}),
        ({"predicted": [0] * 6}, {"DI": "no row of either group is predicted positive", "DPPL": None}),
        ({"label": [None] * 6}, {"DPL": "facet a has no row with a label", "CI": None, "DPPL": None}),
        ({"group": [None] * 6}, {"CDDL": "all labels are alike"}),
    ],
)  # fmt: skip
def test_what_is_not_defined_has_its_reason(change, reasons):
    columns = {
        "sex": ["F", "F", "F", "M", "M", "M"],
        "age": [50.0] * 6,
        "group": ["x"] * 6,
        "label": [0, 1, 1, 0, 1, 1],
        "predicted": [0, 1, 0, 0, 1, 1],
    }
    found = measured(pa.table(columns | change))
    for name, why in reasons.items():
        metric = found["sex", "F", name]
        assert (metric.number is None, metric.error or None) == (why is not None, why), metric


def test_a_row_without_a_facet_is_on_neither_side():
    found = measured(pa.table({"sex": ["F", "M", "M", None, None]}))
    assert found["sex", "F", "CI"].number == pytest.approx(1 / 3)


def test_rows_without_a_label_count_for_predictions_alone():
    table = people(200)
    half = pa.array([None] * 100, pa.int64())
    unlabelled = table.set_column(3, "label", pa.chunked_array([half, table["label"].combine_chunks()[100:]]))
    all_, some, last = measured(table), measured(unlabelled), measured(table.slice(100))
    assert some["sex", "F", "DPPL"].number == all_["sex", "F", "DPPL"].number
    assert some["sex", "F", "AD"].number == last["sex", "F", "AD"].number
    assert some["sex", "F", "DPL"].number == last["sex", "F", "DPL"].number


def test_types_are_those_of_the_whole_and_not_of_a_window():
    """A label of 0 and 1 in 40 rows has one different value in 20, which Clarify takes for a quantity."""
    window = people(40, seed=3)
    found = measured(window)
    d = np.array(window["sex"]) == "F"
    labels = np.array(window["label"])
    assert found["sex", "F", "DPL"].number == pytest.approx(labels[~d].mean() - labels[d].mean())
    assert not Facts("Integral", 40, 2).continuous
    kinds = {
        "sex": "String",
        "age": "Fractional",
        "label": "Integral",
        "predicted": "Integral",
        "group": "String",
    }
    parsed = analysis_config.parse(json.dumps(CONFIG).encode())
    again = planning.build(parsed, facts.of_baseline(kinds, None))
    assert (
        describe(again, Bias(again).of_table(window)).analysis
        == describe(PLAN, Bias(PLAN).of_table(window)).analysis
    )


def test_a_configuration_may_say_that_a_number_is_a_quantity():
    table = pa.table({"age": [30, 41, 40, 50] * 300, "label": [1, 0, 1, 1] * 300})
    chosen = config({"age": [40]})
    assert {value for _, value, _ in values(analysed(table, chosen))} == {"40"}
    chosen["facet"][0]["continuous"] = True
    assert {value for _, value, _ in values(analysed(table, chosen))} == {"(40, 50]"}


def test_a_pair_of_facets_is_compared_with_all_other_rows():
    found = measured(WHOLE)
    (key,) = {(facet, value) for facet, value, _ in found if "&" in facet}
    assert key[0] == "sex & age" and key[1].startswith("F & (40.0, 79.9")
    d = (np.array(WHOLE["sex"]) == "F") & (np.array(WHOLE["age"]) > 40)
    predicted = np.array(WHOLE["predicted"])
    expected = predicted[~d].mean() - predicted[d].mean()
    assert found[(*key, "DPPL")].number == pytest.approx(expected)


def test_text_and_numbers_mean_the_same():
    texts = pa.table({name: WHOLE[name].cast(pa.string()) for name in WHOLE.column_names})
    assert describe(PLAN, Bias(PLAN).of_table(texts)).analysis == KNOWN


def test_a_probability_is_compared_with_its_threshold():
    table = pa.table({"sex": ["F", "F", "M", "M"], "score": [0.5, 0.7, 0.9, 0.8], "label": [0, 1, 1, 1]})
    found = values(analysed(table, config({"sex": ["F"]}, probability="score")))
    assert found["sex", "F", "DPPL"].number == 0.5  # 0.5 is not above 0.5


def test_half_of_the_parts_may_come_before_the_other_and_nothing_changes():
    monitor = Bias(PLAN)
    table = WHOLE.append_column("id", pa.array([f"e{i}" for i in range(5_000)]))
    parts = [monitor.observe(as_rows(table.slice(at, 250))) for at in range(0, 5_000, 250)]
    whole, state = monitor.observe(as_rows(table)), monitor.observe(NO_ROWS)
    for part in reversed(parts):
        state = state.merge(monitor.load(part.dump()))
    assert state == whole
    assert monitor.finish(state) == monitor.finish(whole)


def test_a_state_of_another_plan_is_let_go():
    other = Bias(plan_of(WHOLE, config({"group": []}, predicted_label="predicted")))
    state = Bias(PLAN).of_table(WHOLE)
    assert other.load(state.dump()).rows == 0


def test_the_flip_test_does_not_depend_on_order_and_is_close_on_a_sample():
    rng = np.random.default_rng(5)
    n = 20_000
    table = pa.table(
        {
            "sex": rng.integers(0, 2, n),
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
            "label": rng.integers(0, 2, n),
        }
    )
    x, sex = np.array(table["x"]), np.array(table["sex"])
    table = table.append_column("predicted", pa.array((x > np.where(sex == 0, 0.5, 0.0)).astype(int)))
    monitor = Bias(plan_of(table, config({"sex": [0]}, predicted_label="predicted")))
    table = table.append_column("id", pa.array([f"e{i}" for i in range(n)]))
    state = monitor.observe(as_rows(table))
    shuffled = monitor.observe(as_rows(table.take(pa.array(rng.permutation(n)))))
    assert state == shuffled and len(state.sample) == 2_000
    found = measure(state.sample, 0, 0, 2, [])
    share = -((x[sex == 0] > 0) & (x[sex == 0] <= 0.5)).mean()  # those that only differ by their sex
    assert found.value == pytest.approx(share, abs=4 * found.standard_error)
    assert 0.005 < found.standard_error < 0.03


# Drift


def judged(table: pa.Table, defaults: Defaults, baseline: pa.Table | None = None):
    known = KNOWN if baseline is None else describe(PLAN, Bias(PLAN).of_table(baseline)).analysis
    monitor = Bias(PLAN, known, defaults)
    finding = monitor.finish(monitor.of_table(table))
    assert finding.documents["constraint_violations.json"]["violations"] == finding.violations
    return finding.violations


def test_clarifys_rule_alerts_at_the_smallest_excess_and_ours_does_not():
    window = people(400, seed=9)
    found = [(v.facet, v.metric_name) for v in judged(window, CLARIFY)]
    assert len(found) > 10
    assert [name for facet, name in found if facet == "sex"] == sorted(n for f, n in found if f == "sex")
    assert judged(window, Defaults()) == []


def test_a_large_gap_is_found_by_both_with_rows_and_severity():
    window = people(2_000, seed=9, gap=0.2)
    for defaults in (CLARIFY, Defaults()):
        found = {(v.facet, v.metric_name): v for v in judged(window, defaults)}
        violation = found["sex", "DPPL"]
        assert (violation.facet_value, violation.severity, violation.rows) == ("F", "high", 2_000)
        assert violation.affected == int((np.array(window["sex"]) == "F").sum())
        assert violation.constraint_check_type == "bias_drift_check"
        assert violation.description.startswith("Metric value 0.2")
    assert ("sex", "DI") in found  # which Clarify's rule leaves alone where it falls
    assert ("sex", "DI") not in {(v.facet, v.metric_name) for v in judged(window, CLARIFY)}


def test_small_groups_are_not_judged():
    window = people(2_000, seed=9, gap=0.3)
    women = np.flatnonzero(np.array(window["sex"]) == "F")
    few = window.take(pa.array(np.concatenate([women[:29], np.flatnonzero(np.array(window["sex"]) == "M")])))
    assert not [v for v in judged(few, Defaults()) if v.facet == "sex" and v.metric_name != "GE"]


def test_a_baseline_of_few_rows_is_less_sure():
    window = people(2_000, seed=9, gap=0.1)
    assert [v for v in judged(window, Defaults()) if v.facet == "sex" and v.metric_name == "DPPL"]
    small = people(120, seed=4)
    assert not [v for v in judged(window, Defaults(), small) if v.facet == "sex" and v.metric_name == "DPPL"]


def test_an_interval_of_a_facet_matches_whatever_its_largest_number_is():
    older = people(3_000, seed=2)
    older = older.set_column(1, "age", pa.array(np.array(older["age"]) + 10))
    assert any(v.facet == "age" and v.facet_value.startswith("(40.0, 89.9") for v in judged(older, CLARIFY))


def test_a_value_that_reads_as_an_interval_has_the_limits_of_its_own():
    """A column of bins: its values are texts, not thresholds."""
    names = {"F": "(18, 30]", "M": "(30, 99]"}

    def binned(table: pa.Table) -> pa.Table:
        return table.set_column(0, "band", pa.array([names[sex] for sex in table["sex"].to_pylist()]))

    whole = binned(people(5_000))
    plan = plan_of(whole, config({"band": ["(18, 30]"]}, predicted_label="predicted"))
    known = describe(plan, Bias(plan).of_table(whole)).analysis
    worse = Bias(plan, known).of_table(binned(people(5_000, 2, 0.2)))
    assert {v.feature_name for v in Bias(plan, known).finish(worse).violations} == {"band"}


def test_what_is_written_can_be_read():
    assert analysis.parse(json.dumps(document(KNOWN)).encode()) == KNOWN


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (config({"age": []}), "facet age is a quantity"),
        (config({"nobody": []}), "facet nobody: its values are not known"),
        (config({"age": ["old"]}), "age is a quantity, and 'old' is no threshold"),
        ({"facet": [{"name_or_index": 99}], "lable": "x"}, "did you mean label"),
        (config({"sex": ["F"]}, methods={"pre_training_bias": {"methods": ["ABC"]}}), "no metric ABC"),
        (config({"sex": ["F"]}, intersections=[["sex", "race"]]), "intersections: no facet race"),
    ],
)
def test_mistakes_in_a_configuration_are_told(chosen, said):
    with pytest.raises(ConfigError, match=said):
        plan_of(WHOLE, chosen)


def test_toml_says_the_same_as_json():
    text = """
        label = "label"
        label_values_or_threshold = [1]
        predicted_label = "predicted"
        group_variable = "group"
        intersections = [["sex", "age"]]
        [[facet]]
        name_or_index = "sex"
        value_or_threshold = ["F"]
        [[facet]]
        name_or_index = 1
        value_or_threshold = [40]
    """
    parsed = analysis_config.parse(text.encode(), "bias.toml", WHOLE.column_names)
    assert parsed == analysis_config.parse(json.dumps(CONFIG).encode())
