"""Moments against exact arithmetic, and at the limits of a double."""

from fractions import Fraction
from math import inf, isfinite, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import merged

from monitors.moments import Moments


@given(st.lists(st.integers(-(10**6), 10**6).map(float), min_size=1, max_size=50), st.integers(1, 10))
def test_moments_are_those_of_exact_arithmetic(values, size):
    parts = [Moments.of(np.array(values[i : i + size])) for i in range(0, len(values), size)]
    found = merged(parts, Moments())
    mean = Fraction(sum(map(int, values)), len(values))
    variance = sum((Fraction(int(v)) - mean) ** 2 for v in values) / len(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(float(mean), rel=1e-12, abs=1e-9)
    assert found.total == pytest.approx(sum(values), rel=1e-12, abs=1e-9)
    assert found.std() == pytest.approx(sqrt(variance), rel=1e-9, abs=1e-6)
    assert (found.low, found.high) == (min(values), max(values))


def test_the_standard_deviation_is_the_populations():
    assert Moments.of(np.array([1.0, 3.0])).std() == 1.0
    assert Moments.of(np.array([5.0])).std() == 0.0


def test_nothing_seen_has_no_standard_deviation():
    assert Moments().std() is None
    assert Moments.of(np.empty(0)) == Moments() == Moments().merge(Moments())


def test_a_large_offset_does_not_swallow_a_small_spread():
    values = 1e9 + np.arange(1000.0)
    parts = [Moments.of(part) for part in np.array_split(values, 37)]
    assert merged(parts, Moments()).std() == pytest.approx(np.arange(1000.0).std(), rel=1e-9)


@pytest.mark.parametrize(
    "values", [[1.7e308, 1.7e308], [1.7e308, -1.7e308], [1.7e308, -1.7e308, 1.0], [1e308] * 20]
)
def test_values_near_the_largest_double_keep_a_mean_however_they_are_split(values):
    """Their sum and spread pass what a double can hold; the statistics then say that there is none."""
    whole = Moments.of(np.array(values))
    single = merged([Moments.of(np.array([v])) for v in values], Moments())
    for found in (whole, single):
        assert found.mean == pytest.approx(
            sum(Fraction(v) for v in values) / len(values), rel=1e-9, abs=1e300
        )
        assert isfinite(found.mean)
        assert (found.n, found.low, found.high) == (len(values), min(values), max(values))


def test_a_sum_too_large_for_a_double_is_infinite_and_warns_nobody():
    assert Moments.of(np.array([1.7e308, 1.7e308])).total == inf
