"""The quantile sketch: exact while it holds every value, within its rank error beyond."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from states import as_tree, merged

from monitors.quantiles import RANK_ERROR, K, Quantiles, bin_counts


@given(st.integers(0, K), st.integers(1, 500), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_up_to_2048_values_every_value_is_held_once_however_they_came(n, size, seed):
    values = np.random.default_rng(seed).normal(size=n).round(2)
    parts = [Quantiles.of(values[i : i + size]) for i in range(0, n, size)]
    for found in (merged(parts, Quantiles()), as_tree(parts, Quantiles())):
        kept, weights = found.weighted()
        assert kept.tolist() == sorted(values.tolist())
        assert (weights == 1).all()
        assert found.levels() == [sorted(values.tolist())]


@pytest.mark.parametrize("shape", ["uniform", "sorted", "few values", "heavy tail"])
@pytest.mark.parametrize("parts", [1, 40])
def test_beyond_2048_values_ranks_are_within_the_error(shape, parts):
    rng = np.random.default_rng(3)
    values = {
        "uniform": rng.random(60_000),
        "sorted": np.arange(60_000.0),
        "few values": rng.integers(0, 5, 60_000).astype(np.float64),
        "heavy tail": rng.pareto(1.0, 60_000),
    }[shape]
    found = as_tree([Quantiles.of(part) for part in np.array_split(values, parts)], Quantiles())
    kept, weights = found.weighted()
    assert found.n == weights.sum() == len(values)
    exact = np.searchsorted(np.sort(values), kept, side="right")
    last_of_ties = np.append(kept[1:] != kept[:-1], True)
    error = np.abs(np.cumsum(weights) - exact)[last_of_ties].max() / len(values)
    assert error <= RANK_ERROR


def test_a_state_stays_small_however_much_it_has_seen():
    rng = np.random.default_rng(4)
    found = as_tree([Quantiles.of(rng.random(20_000)) for _ in range(50)], Quantiles())
    assert len(found.weighted()[0]) < 7_000
    assert len(found.dump()) < 60_000


def test_weights_are_powers_of_two_by_level():
    found = Quantiles.of(np.random.default_rng(5).random(50_000))
    assert sum(2**i * len(level) for i, level in enumerate(found.levels())) == 50_000
    assert sum(map(len, found.levels())) == len(found.weighted()[0])


def test_values_are_read_out_once_and_nobody_may_change_them():
    found = Quantiles.of(np.array([2.0, 1.0]))
    values, weights = found.weighted()
    assert found.weighted()[0] is values
    for part in (values, weights):
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 9.0


def test_a_read_only_array_can_be_sketched():
    values = np.arange(3.0)
    values.setflags(write=False)
    assert Quantiles.of(values).n == 3


def test_equality_is_that_of_what_is_held():
    assert Quantiles.of(np.array([1.0, 2.0])) == Quantiles.of(np.array([2.0, 1.0]))
    assert Quantiles.of(np.array([1.0])) != Quantiles.of(np.array([2.0]))
    assert Quantiles.of(np.array([1.0])) != Quantiles()
    assert Quantiles() != "a sketch"


@given(
    st.lists(st.integers(-5, 15).map(float), max_size=30).map(sorted),
    st.lists(st.integers(0, 10).map(float), min_size=2, max_size=6).map(sorted),
)
def test_bins_are_closed_below_open_above_and_the_last_is_closed_on_both_sides(values, edges):
    r"""below │ [e0, e1) │ … │ [e9, e10] │ above"""
    found = bin_counts(np.array(values), np.ones(len(values)), np.array(edges))
    inner = [
        sum(
            low <= v < high or (high == edges[-1] == v and place == len(edges) - 2)
            for v in values
            if v >= edges[0]
        )
        for place, (low, high) in enumerate(itertools.pairwise(edges))
    ]
    below, above = sum(v < edges[0] for v in values), sum(v > edges[-1] for v in values)
    assert found.sum() == len(values)
    assert (found[0], found[-1]) == (below, above)
    if len(set(edges)) == len(edges):
        assert found[1:-1].tolist() == inner


def test_a_constant_feature_falls_into_the_last_of_its_empty_bins():
    assert bin_counts(np.array([3.0]), np.array([5.0]), np.full(11, 3.0)).tolist() == [0.0] * 10 + [5.0, 0.0]
