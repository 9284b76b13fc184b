"""Distances between a window's distribution and the baseline's, as Deequ and Model Monitor define them.

All are in [0, 1]; 0 is no change. `None` means that there is nothing to compare.
"""

from collections.abc import Mapping
from functools import cached_property
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_ROBUST = 1.8  # Deequ's constant, about the 0.3 % point of the two-sample Kolmogorov-Smirnov statistic


class Sample:
    """A numeric sample with weights, as a sketch gives it: `values` ascending and finite, shape (n,).

    It is not changed once it is made: what is read off it is worked out once.
    """

    def __init__(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        self.values = values
        self.weights = weights

    @cached_property
    def _ranks(self) -> NDArray[np.float64]:
        return np.concatenate(([0.0], np.cumsum(self.weights)))

    @property
    def n(self) -> float:
        """How many values the sample stands for."""
        return float(self._ranks[-1])

    def cdf(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the sample that is at most each of `at`."""
        return self._ranks[np.searchsorted(self.values, at, side="right")] / self.n

    @cached_property
    def std(self) -> float:
        """Population standard deviation; infinite where it passes what a double can hold."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.average(self.values, weights=self.weights)
            found = float(np.sqrt(np.average(np.square(self.values - mean), weights=self.weights)))
        return found if found == found else inf

    @cached_property
    def deciles(self) -> NDArray[np.float64]:
        """Edges of ten bins that hold a tenth of the sample each, the first and last one open; bins are
        (lower, upper]. Edges that fall together are one, and a value that is a tenth of the sample or more
        has a bin of its own.

        >>> Sample(np.arange(1.0, 11.0), np.ones(10)).deciles.tolist()
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
        """
        ranks = self.n * np.arange(1, 10) / 10
        edges = self.values[np.searchsorted(self._ranks[1:], ranks)]
        often = edges[1:][edges[1:] == edges[:-1]]
        return np.unique(np.concatenate((edges, np.nextafter(often, -inf))))

    def shares(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the sample in each bin (lower, upper] of `edges`, below and above them: (edges + 1,)."""
        return np.diff(self.cdf(edges), prepend=0.0, append=1.0)

    def coarse(self, edges: NDArray[np.float64]) -> "Sample":
        """The sample as buckets know it: what lies in a bucket stands at its upper bound. Buckets are
        [lower, upper), the last one [lower, upper]."""
        inside = (self.values >= edges[0]) & (self.values <= edges[-1])
        upper = edges[1 + np.searchsorted(edges[1:-1], self.values, side="right")]
        return Sample(np.where(inside, upper, self.values), self.weights)


def kolmogorov_smirnov(current: Sample, baseline: Sample) -> float | None:
    """Two-sample Kolmogorov-Smirnov statistic: the largest difference of the two distribution functions.

    >>> ones = np.ones(2)
    >>> kolmogorov_smirnov(Sample(np.array([1.0, 2.0]), ones), Sample(np.array([2.0, 3.0]), ones))
    0.5
    """
    if not current.n or not baseline.n:
        return None
    return float(np.abs(differences(current, baseline)[1]).max())


def differences(current: Sample, baseline: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every value of both samples, ascending, and the difference of the distribution functions there."""
    points = np.concatenate((current.values, baseline.values))
    points.sort(kind="stable")  # two ascending runs: merged, not sorted anew
    return points, current.cdf(points) - baseline.cdf(points)


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
