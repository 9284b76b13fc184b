"""Distances against vectors worked by hand (test-vectors.json), SciPy, and what must hold for any data."""

import json
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitors.distances import Sample, chi_squared, kolmogorov_smirnov, l_infinity, robust

values = st.lists(st.integers(-20, 20).map(float), min_size=3, max_size=60)  # SciPy divides by n - 1
counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 50), max_size=6)
VECTORS = ("numeric_linf", "categorical_linf", "chi_squared", "robust_correction_1.8")


def sample(found) -> Sample:
    return Sample(np.sort(np.asarray(found, np.float64)), np.ones(len(found)))


@pytest.fixture
def vectors(shared):
    found = json.loads((shared / "spec/examples/model-monitor/test-vectors.json").read_text())
    assert all(found[name] for name in VECTORS)
    return found


def test_numeric_distances_are_those_of_the_vectors(vectors):
    for vector in vectors["numeric_linf"]:
        a, b = sample(vector["current"]), sample(vector["baseline"])
        simple = kolmogorov_smirnov(a, b)
        assert simple == pytest.approx(vector["simple"], abs=1e-12)
        assert robust(simple, a.n, b.n) == pytest.approx(vector["robust"], abs=1e-12)


def test_categorical_distances_are_those_of_the_vectors(vectors):
    for vector in vectors["categorical_linf"]:
        a, b = vector["current"], vector["baseline"]
        simple = l_infinity(a, b)
        assert simple == pytest.approx(vector["simple"], abs=1e-12)
        assert robust(simple, sum(a.values()), sum(b.values())) == pytest.approx(vector["robust"], abs=1e-12)


def test_chi_squared_p_values_are_those_of_the_vectors(vectors):
    for vector in vectors["chi_squared"]:
        p = chi_squared(vector["current"], vector["baseline"])
        assert p == pytest.approx(vector["expected"]["p_value"], rel=1e-12)


def test_the_correction_of_robust_is_that_of_the_vectors(vectors):
    for vector in vectors["robust_correction_1.8"]:
        n, m = vector["n"], vector["m"]
        assert 1.0 - robust(1.0, n, m) == pytest.approx(min(vector["correction"], 1.0), abs=1e-12)


@given(values, values)
def test_the_numeric_distance_is_scipys(a, b):
    expected = stats.ks_2samp(a, b, method="asymp").statistic
    assert kolmogorov_smirnov(sample(a), sample(b)) == pytest.approx(expected, abs=1e-12)


@given(values, values, st.integers(1, 5))
def test_a_weight_counts_as_that_many_values(a, b, weight):
    once, b_sample = sample(a), sample(b)
    heavy = Sample(once.values, np.full(len(a), float(weight)))
    repeated = kolmogorov_smirnov(sample(a * weight), b_sample)
    assert kolmogorov_smirnov(heavy, b_sample) == pytest.approx(repeated, abs=1e-12)


@given(values, values)
def test_the_numeric_distance_is_symmetric_in_0_to_1_and_0_of_itself(a, b):
    found = kolmogorov_smirnov(sample(a), sample(b))
    assert found == pytest.approx(kolmogorov_smirnov(sample(b), sample(a)), abs=1e-12)
    assert found is not None and 0.0 <= found <= 1.0
    assert kolmogorov_smirnov(sample(a), sample(a)) == 0.0


@given(counts, counts)
def test_the_categorical_distance_is_symmetric_in_0_to_1_and_none_without_values(a, b):
    found = l_infinity(a, b)
    assert found == l_infinity(b, a)
    assert (found is None) == (not sum(a.values()) or not sum(b.values()))
    if found is not None:
        assert 0.0 <= found <= 1.0
        assert l_infinity(a, a) == 0.0


@given(counts, counts)
def test_a_p_value_is_one_or_there_is_nothing_to_test(a, b):
    found = chi_squared(a, b)
    assert found is None or 0.0 <= found <= 1.0
    if (same := chi_squared(b, b)) is not None:
        assert same == pytest.approx(1.0)


def test_without_values_there_is_no_distance():
    none = sample([])
    assert kolmogorov_smirnov(none, sample([1])) is kolmogorov_smirnov(sample([1]), none) is None
    assert (
        chi_squared({"new": 5}, {"a": 5, "b": 5})
        is chi_squared({}, {"a": 5})
        is chi_squared({"a": 5}, {})
        is None
    )


def test_a_category_that_the_baseline_counts_zero_times_is_unknown_to_it():
    baseline = {"a": 50, "b": 50, "c": 50, "d": 50, "e": 50}
    current = {"a": 20, "b": 20, "c": 20, "d": 20, "e": 20, "z": 9}
    assert chi_squared(current, baseline | {"z": 0}) == chi_squared(current, baseline) == pytest.approx(1.0)


def test_two_categories_of_which_one_is_rare_cannot_be_tested():
    assert chi_squared({"a": 90, "b": 10}, {"a": 91, "b": 9}) is None
    assert chi_squared({"a": 90, "b": 10}, {"a": 90, "b": 10}) == pytest.approx(1.0)


def test_robust_takes_off_what_samples_differ_by_and_is_never_below_0():
    assert robust(0.5, 1000, 1000) == pytest.approx(0.5 - 1.8 * sqrt(0.002))
    assert robust(0.05, 1000, 1000) == 0.0
