"""Different values of a number: exact while few, then within the stated error, whatever the split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import as_tree, merged

from monitors import distinct
from monitors.distinct import LIMIT, Distinct

SHAPES = {
    "counted": lambda n: np.arange(float(n)),
    "cents": lambda n: np.arange(n) / 100 - 50,
    "times": lambda n: 1.7e12 + 1000.0 * np.arange(n),
    "powers": lambda n: 4096.0 * np.arange(n),
    "single": lambda n: np.unique(np.random.default_rng(1).normal(size=2 * n).astype(np.float32))[:n].astype(
        float
    ),
    "random": lambda n: np.random.default_rng(2).random(n),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [0, 1, 10, 1_000, LIMIT])
def test_up_to_the_limit_the_number_is_exact(shape, n):
    values = SHAPES[shape](n)
    again = np.random.default_rng(0).permutation(np.concatenate((values, values)))
    assert Distinct.of(again).estimate() == n
    assert as_tree([Distinct.of(part) for part in np.array_split(again, 7)], Distinct()).estimate() == n


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [5_000, 100_000, 1_000_000])
def test_beyond_it_is_within_three_standard_errors(shape, n):
    found = Distinct.of(SHAPES[shape](n))
    assert found.estimate() == pytest.approx(n, rel=3 * 0.031)
    assert len(found.dump()[1]) <= 8 * LIMIT


def test_the_error_of_many_is_about_3_percent():
    rng = np.random.default_rng(3)
    errors = [Distinct.of(rng.random(20_000)).estimate() / 20_000 - 1 for _ in range(100)]
    assert 0.015 < np.std(errors) < 0.031
    assert abs(np.mean(errors)) < 0.009


def test_minus_zero_is_zero_and_neighbours_are_different():
    values = np.array([0.0, -0.0, 5e-324, 1.0, np.nextafter(1.0, 2.0)])
    assert Distinct.of(values).estimate() == 4


@given(
    st.lists(st.integers(-300, 300).map(float), max_size=300),
    st.lists(st.integers(0, 300), max_size=8).map(sorted),
    st.booleans(),
)
def test_what_is_kept_depends_on_the_values_alone(values, places, in_tree):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "LIMIT", 16)
        patch.setattr(distinct, "_FEW", 3)
        parts = [Distinct.of(part) for part in np.split(np.array(values), places)]
        found = (as_tree if in_tree else merged)(parts, Distinct())
        assert found == Distinct.of(np.array(sorted(set(values))))


def test_values_that_are_known_change_nothing():
    values = np.random.default_rng(4).integers(0, 2_000, 200_000) / 7
    whole = Distinct.of(values)
    assert whole.estimate() == len(np.unique(values))
    assert whole.merge(Distinct.of(values[:8192])) == whole
    few = Distinct.of(np.arange(8192) % 10.0)
    assert few.merge(few).merge(Distinct.of(np.arange(10.0))).estimate() == 10.0


def test_nothing_is_nothing():
    assert Distinct().estimate() == 0.0
    assert Distinct.load(Distinct().dump()) == Distinct() == Distinct.of(np.empty(0))
    assert Distinct() != "a sketch"


@given(st.lists(st.integers(-20, 20).map(float), max_size=300).map(sorted))
def test_of_values_in_order_it_is_the_same(values):
    assert Distinct.of_sorted(np.array(values)) == Distinct.of(np.array(values))
