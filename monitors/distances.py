"""Distances between a window's distribution and the baseline's, as Deequ and Model Monitor define them.

All are in [0, 1]; 0 is no change. `None` means that there is nothing to compare.
"""

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_ROBUST = 1.8  # Deequ's constant, about the 0.3 % point of the two-sample Kolmogorov-Smirnov statistic


class Sample:
    """A numeric sample with weights, as a sketch gives it: `values` ascending and finite, shape (n,)."""

    __slots__ = ("n", "values", "weights")

    def __init__(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        self.values = values
        self.weights = weights
        self.n = float(weights.sum())

    def cdf(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the sample that is at most each of `at`."""
        ranks = np.concatenate(([0.0], np.cumsum(self.weights)))
        return ranks[np.searchsorted(self.values, at, side="right")] / self.n


def kolmogorov_smirnov(current: Sample, baseline: Sample) -> float | None:
    """Two-sample Kolmogorov-Smirnov statistic: the largest difference of the two distribution functions.

    >>> ones = np.ones(2)
    >>> kolmogorov_smirnov(Sample(np.array([1.0, 2.0]), ones), Sample(np.array([2.0, 3.0]), ones))
    0.5
    """
    if not current.n or not baseline.n:
        return None
    points = np.union1d(current.values, baseline.values)
    return float(np.abs(current.cdf(points) - baseline.cdf(points)).max())


def l_infinity(current: Mapping[str, int], baseline: Mapping[str, int]) -> float | None:
    """Largest difference in the share of one category.

    >>> round(l_infinity({"a": 60, "b": 40}, {"a": 45, "b": 40, "c": 15}), 12)
    0.15
    """
    n, m = sum(current.values()), sum(baseline.values())
    if not n or not m:
        return None
    return max(abs(current.get(key, 0) / n - baseline.get(key, 0) / m) for key in {*current, *baseline})


def robust(distance: float, n: float, m: float) -> float:
    """`distance` less what two samples of `n` and `m` from one distribution differ by; not below 0.

    At n = m = 1,000 that is 0.08: a small window cannot report a small change.
    """
    return max(0.0, distance - _ROBUST * sqrt((n + m) / (n * m)))


def chi_squared(current: Mapping[str, int], baseline: Mapping[str, int]) -> float | None:
    """p-value of Pearson's test of the current counts against the baseline's shares: small means changed.

    Categories too rare for the test are joined with the next rarest (Cochran for two categories, Yates'
    rule for more); categories that the baseline does not know take no part.
    """
    observed = {key: current.get(key, 0) for key, count in baseline.items() if count}
    total, m = sum(observed.values()), sum(baseline.values())
    if not total or not m:
        return None
    pairs = [(baseline[key] / m * total, count) for key, count in observed.items()]
    pairs = _regroup(sorted(pairs))
    if len(pairs) < 2:
        return None
    expected, seen = np.array(pairs).T
    return float(stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue)


def _regroup(pairs: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Join the rarest (expected, observed) pair with the next until the test may be used."""
    while len(pairs) >= 2 and _too_rare([expected for expected, _ in pairs]):
        (e1, o1), (e2, o2), *rest = pairs
        pairs = sorted([(e1 + e2, o1 + o2), *rest])
    return pairs


def _too_rare(expected: list[float]) -> bool:
    if len(expected) == 2:
        return min(expected) < 10
    return sum(e < 5 for e in expected) > int(0.2 * len(expected))
