"""p-values against SciPy on raw data, and the procedure of Benjamini and Hochberg against their own table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitors.significance import (
    adjusted,
    cramers_v,
    holds,
    homogeneity,
    incompleteness,
    kolmogorov_smirnov,
)

counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 50), max_size=6)


@pytest.mark.parametrize(("n", "m"), [(30, 10_000), (200, 2_000), (5_000, 10_000)])
@pytest.mark.parametrize("p", [0.5, 0.05, 0.01, 1e-3])
def test_the_p_value_of_a_numeric_distance_is_that_of_the_exact_distribution(n, m, p):
    distance = stats.kstwo.isf(p, round(n * m / (n + m)))
    assert kolmogorov_smirnov(distance, n, m) == pytest.approx(p, rel=0.05)


def test_the_p_value_of_raw_values_is_scipys():
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.1, 0.3):
        a, b = rng.normal(shift, 1, 300), rng.normal(0, 1, 3000)
        expected = stats.ks_2samp(a, b, method="asymp")
        assert kolmogorov_smirnov(expected.statistic, 300, 3000) == pytest.approx(expected.pvalue, rel=0.05)


def test_the_same_distribution_has_a_p_value_of_1():
    assert kolmogorov_smirnov(0.0, 100, 100) == 1.0
    assert kolmogorov_smirnov(1.0, 10_000, 10_000) == 0.0


def contingency(current, baseline) -> list[list[int]]:
    keys = sorted({*current, *baseline})
    return [[side.get(key, 0) for key in keys] for side in (current, baseline)]


@pytest.mark.parametrize(
    ("current", "baseline"),
    [
        ({"a": 60, "b": 40}, {"a": 450, "b": 550}),
        ({"a": 60, "b": 40, "c": 30}, {"a": 700, "b": 400, "c": 300}),
        ({"a": 300, "new": 300}, {"a": 500, "gone": 400}),
    ],
)
def test_the_p_value_of_categories_is_scipys_where_none_is_rare(current, baseline):
    expected = stats.chi2_contingency(contingency(current, baseline), correction=False)
    assert homogeneity(current, baseline) == pytest.approx(expected.pvalue)


def test_rare_categories_are_pooled_until_the_test_may_be_used():
    """c, d and e have 1 expected each in the window; pooled with b they are 5 and more."""
    current = {"a": 80, "b": 10, "c": 1, "d": 1, "e": 1}
    baseline = {"a": 800, "b": 100, "c": 10, "d": 10, "e": 10}
    assert homogeneity(current, baseline) == 1.0


@pytest.mark.parametrize(
    ("current", "baseline"),
    [
        ({"a": 120, "d": 80}, {"a": 6000, "b": 4000}),
        ({"d": 200}, {"a": 10_000}),
        ({"a": 150, "b": 50}, {"a": 9_990, "b": 10}),
        ({"7": 100} | {str(i): 1 for i in range(100, 200)}, {str(i): 10 for i in range(1000)}),
    ],
    ids=["renamed", "replaced", "rare becomes frequent", "one of a thousand"],
)
def test_a_change_is_found_where_pooling_alone_would_hide_it(current, baseline):
    p = homogeneity(current, baseline)
    assert p is not None and p < 1e-12


@pytest.mark.parametrize("size", [3, 50, 1000])
def test_p_values_of_categories_are_never_too_small_on_the_whole(size):
    """Of draws from one distribution 5 % have a p-value below 0.05, with few and with many categories."""
    rng = np.random.default_rng(2)
    shares = 1 / np.arange(1, size + 1)
    shares /= shares.sum()

    def draw(n: int) -> dict[str, int]:
        return {str(i): int(c) for i, c in enumerate(rng.multinomial(n, shares)) if c}

    found = np.array([homogeneity(draw(200), draw(5000)) for _ in range(400)])
    for level in (0.01, 0.05, 0.2):
        assert (found <= level).mean() <= level + 3 * np.sqrt(level / 400)


@given(counts, counts)
def test_a_p_value_is_one_and_of_the_same_counts_it_is_1(a, b):
    found = homogeneity(a, b)
    assert (found is None) == (not sum(a.values()) or not sum(b.values()))
    assert found is None or 0.0 <= found <= 1.0
    assert homogeneity(a, a) in (None, pytest.approx(1.0))


def test_cramers_v_is_scipys():
    a, b = {"a": 60, "b": 40, "c": 5}, {"a": 450, "b": 550, "d": 9}
    expected = stats.contingency.association(np.array(contingency(a, b)), method="cramer")
    assert cramers_v(a, b) == pytest.approx(expected)
    assert cramers_v(a, {}) is cramers_v({}, a) is None
    assert cramers_v({"a": 1}, {"a": 2}) == 0.0


@pytest.mark.parametrize(
    ("missing", "rows", "baseline_rows"), [(9, 200, 10_000), (0, 50, 400), (40, 60, 100)]
)
def test_missing_values_are_tested_as_fisher_does(missing, rows, baseline_rows):
    before = round(0.05 * baseline_rows)
    table = [[missing, rows - missing], [before, baseline_rows - before]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert incompleteness(missing, rows, 0.05, baseline_rows) == pytest.approx(expected)


def test_where_the_baselines_rows_are_not_known_missing_values_are_tested_against_its_share():
    expected = stats.binomtest(9, 200, 0.02, alternative="greater").pvalue
    assert incompleteness(9, 200, 0.02) == pytest.approx(expected)
    assert incompleteness(0, 200, 0.02) == 1.0


def test_a_baseline_of_few_rows_proves_less_than_one_of_many():
    few, many, sure = (incompleteness(9, 200, 0.02, rows) for rows in (50, 10_000, None))
    assert few > many > sure


BENJAMINI_HOCHBERG_1995 = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
    *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]  # section 4.1: fifteen tests of which the first four are discoveries at 0.05


def test_discoveries_are_those_of_the_paper():
    tests = {f"{p}": p for p in reversed(BENJAMINI_HOCHBERG_1995)}
    found = adjusted(tests)
    assert list(found) == list(tests)
    assert sorted(float(test) for test, q in found.items() if q <= 0.05) == BENJAMINI_HOCHBERG_1995[:4]
    assert found["0.0095"] == pytest.approx(0.0095 * 15 / 4)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_q_values_keep_the_order_and_are_not_below_the_p_values(values):
    found = adjusted(dict(enumerate(values)))
    assert len(found) == len(values)
    for i, p in enumerate(values):
        assert p <= found[i] + 1e-15 and found[i] <= 1.0
        assert all(found[i] <= found[j] for j, other in enumerate(values) if p < other)


def test_a_rate_of_1_takes_everything_and_any_other_needs_a_q_value():
    assert holds(None, 1.0) and holds(1.0, 1.0)
    assert not holds(None, 0.05)
    assert holds(0.05, 0.05) and not holds(0.051, 0.05)
