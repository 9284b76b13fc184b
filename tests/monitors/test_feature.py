"""What is kept of one feature, whatever types its column comes in."""

from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from states import text_array

from monitors.feature import FeatureState
from monitors.types import TypeCounts


def held(state: FeatureState) -> list[float]:
    return state.quantiles.weighted()[0].tolist()


@pytest.mark.parametrize(
    ("column", "types", "numbers"),
    [
        (pa.array([1, None, 3]), TypeCounts(integral=2), [1.0, 3.0]),
        (pa.array([1, 2], pa.uint8()), TypeCounts(integral=2), [1.0, 2.0]),
        (pa.array([2**53 + 1, -(2**63)]), TypeCounts(integral=2), [-(2.0**63), 2.0**53]),
        (pa.array([2**64 - 1], pa.uint64()), TypeCounts(integral=1), [2.0**64]),
        (pa.array([1.5, None, float("nan"), float("inf")]), TypeCounts(fractional=1), [1.5]),
        (pa.array(np.array([1.5], np.float16)), TypeCounts(fractional=1), [1.5]),
        (pa.array([Decimal("1.5")]), TypeCounts(fractional=1), [1.5]),
        (pa.array([True, None, False]), TypeCounts(boolean=2), []),
        (pa.chunked_array([[1], [2]]), TypeCounts(integral=2), [1.0, 2.0]),
        (pa.chunked_array([], pa.int64()), TypeCounts(), []),
        (pa.array([1, 2, 1]).dictionary_encode(), TypeCounts(integral=3), [1.0, 1.0, 2.0]),
        (pa.nulls(3), TypeCounts(), []),
        (pa.nulls(3, pa.int64()), TypeCounts(), []),
    ],
)
def test_typed_columns_are_numbers_without_their_missing_values(column, types, numbers):
    state = FeatureState.of(column)
    assert (state.types, held(state)) == (types, numbers)
    assert state.moments.n == len(numbers)


@pytest.mark.parametrize(
    ("column", "counts"),
    [
        (pa.array(["a", None, "b", "a"]), {"a": 2, "b": 1}),
        (pa.array(["a"], pa.large_string()), {"a": 1}),
        (pa.array(["a", "a"]).dictionary_encode(), {"a": 2}),
        (pa.DictionaryArray.from_arrays([0, 1, None], ["a", None]), {"a": 1}),
        (pa.array([True, False, True]), {"true": 2, "false": 1}),
        (pa.array([date(2025, 3, 4)]), {"2025-03-04": 1}),
        (pa.array([b"a", b"\xff"], pa.binary()), {"b'a'": 1, "b'\\xff'": 1}),
        (pa.array([[1, 2], None]), {"[1,2]": 1}),
        (pa.array([{"a": 1}]), {'{"a":1}': 1}),
    ],
)
def test_columns_that_are_no_numbers_are_counted_as_text(column, counts):
    assert FeatureState.of(column).categories.counts == counts


def test_stray_text_in_a_numeric_feature_is_told_apart_value_by_value():
    state = FeatureState.of(text_array(["1", "2.5", "x", "1e400", None]), "Integral")
    assert state.types == TypeCounts(integral=1, fractional=1, string=2)
    assert (held(state), state.categories.counts) == ([1.0, 2.5], {"x": 1, "1e400": 1})


def test_numbers_in_a_text_feature_are_text():
    state = FeatureState.of(text_array(["1", "2"]), "String")
    assert (state.types, held(state)) == (TypeCounts(string=2), [])


def test_a_fractional_feature_is_the_same_whether_its_column_came_typed_or_as_text():
    """Beside stray text a column stays text: 5 and 5.0 must count alike in both."""
    typed = FeatureState.of(pa.array([5.0, 2.5]), "Fractional")
    text = FeatureState.of(text_array(["5", "2.5"]), "Fractional")
    assert typed == text
    assert typed.merge(FeatureState.of(text_array(["x"]), "Fractional")).kind("Fractional") == "Fractional"


@pytest.mark.parametrize(
    ("values", "expected", "kind"),
    [
        (["1", "2"], None, "Integral"),
        (["1", "2.5"], None, "Fractional"),
        (["1", "x"], None, "String"),
        (["true", "false"], None, "Boolean"),
        ([None], None, "Unknown"),
        (["1", "2"], "Fractional", "Fractional"),
        (["1", "x"], "Integral", "Integral"),
        (["1", "x"], "Fractional", "Fractional"),
        (["1", "2.5", "x"], "Integral", "Fractional"),
        (["x", "y"], "Integral", "String"),
        (["true"], "Integral", "Boolean"),
        ([None], "Integral", "Unknown"),
        (["1", "2"], "String", "String"),
        (["x"], "Unknown", "String"),
    ],
)
def test_a_feature_keeps_its_type_as_long_as_one_value_fits(values, expected, kind):
    assert FeatureState.of(text_array(values), expected).kind(expected) == kind


def test_every_number_that_is_counted_is_summed():
    texts = ["1", "- 1", "+2.5", "1e300", "1e400", "9" * 400, "x", "true", " 7", "7 "]
    for kind in ("Integral", "Fractional", None):
        state = FeatureState.of(text_array(texts), kind)
        assert state.types.numeric == state.moments.n == state.quantiles.n == 5
        assert state.types.present == len(texts)
