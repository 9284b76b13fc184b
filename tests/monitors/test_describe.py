"""statistics.json and suggested constraints: exactly Model Monitor's keys, and never a number JSON lacks."""

import json
import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import text_array

from monitors import describe
from monitors.data_quality import profile
from monitors.feature import FeatureState
from schemas.statistics import parse

NUMERIC = {
    "common": {"num_present": 0, "num_missing": 0},
    "mean": 0,
    "sum": 0,
    "std_dev": 0,
    "min": 0,
    "max": 0,
    "approximate_num_distinct_values": 0,
    "completeness": 0,
    "distribution": {"kll": {"buckets": [], "sketch": {"parameters": {"c": 0, "k": 0}, "data": []}}},
}
STRING = {"common": {"num_present": 0, "num_missing": 0}, "distinct_count": 0, "completeness": 0}


def shape(found: Any) -> Any:
    """Keys alone, in order; lists and values left out."""
    return [(key, shape(value)) for key, value in found.items()] if isinstance(found, dict) else None


def document(table: pa.Table) -> dict[str, Any]:
    """A statistics.json as it is written: text that a strict reader of JSON takes."""
    text = msgspec.json.encode(profile(table)).decode()
    assert parse(text.encode()) == profile(table)
    return json.loads(text, parse_constant=pytest.fail)


def feature(column: pa.Array) -> dict[str, Any]:
    return document(pa.table({"f": column}))["features"][0]


def test_a_document_has_exactly_model_monitors_keys():
    found = document(pa.table({"n": [1, 2], "s": ["a", "b"], "u": pa.nulls(2)}))
    assert shape(found) == [("dataset", [("item_count", None)]), ("features", None), ("version", None)]
    number, text, unknown = found["features"]
    assert shape(number) == [
        ("name", None),
        ("inferred_type", None),
        ("numerical_statistics", shape(NUMERIC)),
    ]
    categorical = STRING | {"distribution": {"categorical": {"buckets": []}}}
    assert shape(text) == [("name", None), ("inferred_type", None), ("string_statistics", shape(categorical))]
    assert shape(unknown) == [("name", None), ("inferred_type", None)]
    assert found["version"] == 0.0
    assert shape(number["numerical_statistics"]["distribution"]["kll"]["buckets"][0]) == [
        ("lower_bound", None),
        ("upper_bound", None),
        ("count", None),
    ]


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("data/pairs/sdk-data-quality/statistics.json", pa.array([1.5])),
        ("data/captures/sdk-monitor/statistics.json", pa.array(["a"])),
    ],
)
def test_its_keys_are_those_of_a_real_file(shared, path, column):
    real = json.loads((shared / path).read_text())
    ours = document(pa.table({"f": column}))
    assert ours.keys() == real.keys()
    found, theirs = ours["features"][0], real["features"][0]
    assert found.keys() == theirs.keys()
    block = list(found)[-1]
    newer = {"completeness", "approximate_num_distinct_values"}  # keys that came in 2024
    assert found[block].keys() - newer == theirs[block].keys()
    assert shape(found[block]["distribution"]) == shape(theirs[block]["distribution"])


def test_values_of_a_feature_and_its_missing_ones():
    found = feature(pa.array([1, 2, None, 4]))["numerical_statistics"]
    assert found["common"] == {"num_present": 3, "num_missing": 1}
    assert (found["mean"], found["sum"], found["min"], found["max"], found["completeness"]) == (
        7 / 3,
        7.0,
        1.0,
        4.0,
        0.75,
    )
    assert found["distribution"]["kll"]["sketch"]["data"] == [[1.0, 2.0, 4.0]]


def test_a_feature_without_any_value_is_unknown_and_has_no_statistics():
    for column in (pa.nulls(3), pa.nulls(3, pa.int64()), text_array([None] * 3)):
        assert feature(column) == {"name": "f", "inferred_type": "Unknown"}
    state = FeatureState.of(text_array([None, None]), "Integral")
    assert describe.statistics({"f": state}, 2, {"f": "Integral"}).features[0].inferred_type == "Unknown"


def test_no_rows_at_all_are_described_too():
    assert document(pa.table({"f": pa.array([], pa.string())})) == {
        "dataset": {"item_count": 0},
        "features": [{"name": "f", "inferred_type": "Unknown"}],
        "version": 0.0,
    }


def test_booleans_are_described_as_text():
    found = feature(pa.array([True, False, None, True]))
    assert found["inferred_type"] == "String"
    assert found["string_statistics"]["distribution"]["categorical"]["buckets"] == [
        {"value": "false", "count": 1},
        {"value": "true", "count": 2},
    ]


@pytest.mark.parametrize(("count", "listed"), [(120, True), (121, False)])
def test_categories_are_listed_up_to_120(count, listed):
    found = feature(text_array([f"v{i:03}" for i in range(count)]))["string_statistics"]
    assert found["distinct_count"] == float(count)
    assert ("distribution" in found) == listed


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.none(), max_size=20))
def test_no_document_ever_holds_an_infinity_or_loses_a_value(values):
    column = pa.array(values, pa.float64())
    found = feature(column)
    finite = [v for v in values if v is not None and math.isfinite(v)]
    if not finite:
        assert found["inferred_type"] == "Unknown"
        return
    numbers = found["numerical_statistics"]
    buckets = numbers["distribution"]["kll"]["buckets"]
    assert len(buckets) == 10
    assert sum(bucket["count"] for bucket in buckets) == len(finite) == numbers["common"]["num_present"]
    assert all(bucket["lower_bound"] <= bucket["upper_bound"] for bucket in buckets)
    assert (numbers["min"], numbers["max"]) == (min(finite), max(finite))


def test_a_sum_that_no_double_holds_is_null_and_a_mean_is_still_there():
    numbers = feature(pa.array([1.7e308, 1.7e308, -1.7e308]))["numerical_statistics"]
    assert (numbers["std_dev"], numbers["mean"]) == (None, pytest.approx(1.7e308 / 3))


def test_integers_beyond_a_double_are_described_by_their_nearest_double():
    numbers = feature(pa.array([2**63 - 1, 2**53 + 1]))["numerical_statistics"]
    assert (numbers["min"], numbers["max"]) == (2.0**53, 2.0**63)
    assert feature(text_array(["9" * 30]))["numerical_statistics"]["max"] == 1e30


def suggestion(column: pa.Array) -> dict[str, Any]:
    return describe.suggest(profile(pa.table({"f": column})))["features"][0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (
            pa.array([0, 1, None, 3]),
            {"inferred_type": "Integral", "completeness": 0.75, "num_constraints": {"is_non_negative": True}},
        ),
        (
            pa.array([-0.5, 1.0]),
            {
                "inferred_type": "Fractional",
                "completeness": 1.0,
                "num_constraints": {"is_non_negative": False},
            },
        ),
        (
            pa.array(["b", "a", None, "a"]),
            {"inferred_type": "String", "completeness": 0.75, "string_constraints": {"domains": ["a", "b"]}},
        ),
        (text_array([str(i) + "x" for i in range(121)]), {"inferred_type": "String", "completeness": 1.0}),
        (pa.nulls(2), {"inferred_type": "Unknown", "completeness": 0.0}),
    ],
)
def test_constraints_are_suggested_as_model_monitor_does(column, expected):
    found = suggestion(column)
    assert found == {"name": "f"} | expected
    assert list(found)[:3] == ["name", "inferred_type", "completeness"]
