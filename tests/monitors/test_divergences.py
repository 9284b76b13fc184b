"""Distances that Model Monitor does not have, against SciPy, figures worked by hand, and what must hold."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from monitors.distances import Sample
from monitors.divergences import FLOOR, hellinger, jensen_shannon, psi, wasserstein
from monitors.methods import CATEGORICAL, NUMERIC

values = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=60)
counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 50), max_size=6)
weight = st.just(0.0) | st.floats(1e-6, 1)  # with less, SciPy's own arithmetic overflows
weights = st.lists(weight, min_size=2, max_size=8).filter(lambda w: sum(w) > 1e-6)
OF_SHARES = pytest.mark.parametrize("of", [psi, jensen_shannon, hellinger])


def sample(found) -> Sample:
    return Sample(np.sort(np.asarray(found, np.float64)), np.ones(len(found)))


def shares(found) -> np.ndarray:
    return np.array(found) / np.sum(found)


@given(st.tuples(weights, weights).filter(lambda ab: len(ab[0]) == len(ab[1])))
def test_jensen_shannon_is_scipys_to_base_2(ab):
    p, q = map(shares, ab)
    with np.errstate(invalid="ignore"):  # of shares that hardly differ SciPy may take the root of -1e-17
        expected = np.nan_to_num(distance.jensenshannon(p, q, base=2))
    assert jensen_shannon(p, q) == pytest.approx(expected, abs=1e-7)


def test_hellinger_of_three_shares_worked_by_hand():
    p, q = np.array([0.25, 0.25, 0.5]), np.array([0.5, 0.25, 0.25])
    overlap = sqrt(0.125) + 0.25 + sqrt(0.125)
    assert hellinger(p, q) == pytest.approx(sqrt(1 - overlap))


def test_psi_of_three_shares_worked_by_hand():
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    assert psi(p, q) == pytest.approx(-0.1 * log(2 / 3) + 0.1 * log(5 / 4))


def test_an_empty_bin_counts_as_a_ten_thousandth():
    found = psi(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert found == pytest.approx(2 * (1 - FLOOR) * log(1 / FLOOR))
    assert found < 18.5
    assert psi(np.array([0.999, 0.001, 0.0]), np.array([0.999, 0.001, 0.0])) == 0.0


@OF_SHARES
@given(ab=st.tuples(weights, weights).filter(lambda ab: len(ab[0]) == len(ab[1])))
def test_distances_of_shares_are_symmetric_not_negative_and_0_of_the_same(of, ab):
    p, q = map(shares, ab)
    assert of(p, q) == pytest.approx(of(q, p), abs=1e-9)
    assert 0.0 <= of(p, q) <= (18.5 if of is psi else 1.0)
    assert of(p, p) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("of", [jensen_shannon, hellinger])
def test_nothing_in_common_is_a_distance_of_1(of):
    assert of(np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.5, 0.5])) == pytest.approx(1.0)


@given(values, values, st.integers(1, 4))
def test_wasserstein_is_scipys_in_standard_deviations_and_a_weight_counts_as_values(a, b, weight):
    found = wasserstein(Sample(np.sort(a), np.full(len(a), float(weight))), sample(b))
    expected = stats.wasserstein_distance(a * weight, b) / (np.std(b) or 1.0)
    assert found == pytest.approx(expected, abs=1e-9)


def test_wasserstein_of_what_no_double_holds_is_none():
    assert wasserstein(sample([1e308]), sample([-1e308, 1e308])) is None
    assert wasserstein(sample([1e308]), sample([-1e308])) is None
    assert wasserstein(sample([]), sample([1.0])) is wasserstein(sample([1.0]), sample([])) is None


def test_a_constant_baseline_is_measured_in_the_features_own_unit():
    assert wasserstein(sample([3.5, 4.5]), sample([1.0, 1.0])) == 3.0


def test_deciles_of_a_baseline_hold_a_tenth_of_it_each():
    rng = np.random.default_rng(0)
    found = sample(rng.normal(size=10_000))
    assert found.shares(found.deciles) == pytest.approx(np.full(10, 0.1))
    assert found.deciles == pytest.approx(np.quantile(found.values, np.arange(1, 10) / 10), abs=0.01)


def test_deciles_follow_the_weights_of_a_sketch():
    heavy = Sample(np.arange(1.0, 6.0), np.array([1.0, 2.0, 4.0, 2.0, 1.0]))
    assert heavy.deciles.tolist() == sample([1, 2, 2, 3, 3, 3, 3, 4, 4, 5]).deciles.tolist()


def test_a_value_that_is_a_large_part_of_the_baseline_has_a_bin_of_its_own():
    """A flag, and a constant: what lies below must not be counted with them."""
    flag = sample([0.0] * 80 + [1.0] * 20)
    assert flag.deciles.tolist() == [np.nextafter(0.0, -1.0), 0.0, 1.0]
    assert flag.shares(flag.deciles).tolist() == pytest.approx([0.0, 0.8, 0.2, 0.0])
    constant = sample([7.0] * 50)
    assert constant.shares(constant.deciles).tolist() == [0.0, 1.0, 0.0]
    for moved in (6.0, 8.0):
        assert NUMERIC["Hellinger"](sample([moved] * 50), constant) == pytest.approx(1.0)


def test_bins_are_open_below_and_closed_above():
    found = sample([1.0, 2.0, 2.0, 3.0])
    assert found.shares(np.array([1.0, 2.0])).tolist() == [0.25, 0.5, 0.25]


def test_psi_of_a_shifted_normal_is_near_the_closed_form_of_its_divergence():
    """Jeffreys' divergence of N(d, 1) and N(0, 1) is d squared; ten bins lose a little of it."""
    at = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert NUMERIC["PSI"](sample(at + 0.5), sample(at)) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("method", CATEGORICAL)
@given(a=counts, b=counts)
def test_categories_have_a_distance_where_both_sides_have_values(method, a, b):
    found = CATEGORICAL[method](a, b)
    if not sum(a.values()) or not sum(b.values()):
        assert found is None
    elif method != "ChiSquared":
        assert found is not None and found >= 0.0


@pytest.mark.parametrize("method", NUMERIC)
def test_without_values_there_is_no_numeric_distance(method):
    assert NUMERIC[method](sample([]), sample([1.0])) is None
    assert NUMERIC[method](sample([1.0]), sample([])) is None


def test_of_categories_new_ones_count_too():
    assert CATEGORICAL["Hellinger"]({"b": 5}, {"a": 9}) == pytest.approx(1.0)
    expected = (0.5 - FLOOR) * log(0.5 / FLOOR) + (0.5 - 1.0) * log(0.5)
    assert CATEGORICAL["PSI"]({"a": 5, "b": 5}, {"a": 9}) == pytest.approx(expected)
