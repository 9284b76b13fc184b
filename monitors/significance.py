"""How likely a difference from the baseline is by chance alone, for one feature and over all of them.

Every p-value is in [0, 1]; a small one means that chance does not explain the difference.
"""

from collections.abc import Hashable, Mapping
from math import sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Key = TypeVar("Key", bound=Hashable)

_ENOUGH = 5.0  # expected count from which on a category is tested by itself (Cochran 1954)


def kolmogorov_smirnov(distance: float, n: float, m: float) -> float:
    """p-value of a two-sample Kolmogorov-Smirnov `distance` between `n` and `m` values.

    Kolmogorov's limit with Stephens' correction (1970) for a sample of n m / (n + m): within 5 % of the exact
    value from 30 values on, for p-values down to 1e-3. With ties it is too large rather than too small.

    >>> round(kolmogorov_smirnov(0.1, 200, 10_000), 3)
    0.037
    """
    root = sqrt(n * m / (n + m))
    return float(special.kolmogorov((root + 0.12 + 0.11 / root) * distance))


def homogeneity(current: Mapping[str, int], baseline: Mapping[str, int]) -> float | None:
    """p-value of Pearson's chi-squared test that both counts come from one distribution; None without values.

    Categories that only one side has take part. Those too rare for the test (fewer than 5 expected on one
    side) are pooled with the next rarest. A new category can hide in such a pool; therefore the category that
    moved most is then tested by itself, exactly (Fisher), and the smaller p-value counts, with Bonferroni's
    correction for having looked twice and at every category.

    Source: Pearson 1900; pooling by Cochran 1954.

    >>> round(homogeneity({"a": 60, "b": 40}, {"a": 450, "b": 550}), 4)
    0.0041
    """
    counts = _table(current, baseline)
    totals = counts.sum(axis=0)
    n, m = counts.sum(axis=1).tolist()
    if not n or not m:
        return None
    pool = _pools(totals * (min(n, m) / (n + m)))
    pooled = np.array([np.bincount(pool, weights=side) for side in counts], np.float64)
    p = float(special.chdtrc(pooled.shape[1] - 1, _statistic(pooled))) if pooled.shape[1] > 1 else 1.0
    if pooled.shape[1] == counts.shape[1]:
        return p
    return min(p * 2, _most_moved(counts, totals) * len(totals) * 2, 1.0)


def cramers_v(current: Mapping[str, int], baseline: Mapping[str, int]) -> float | None:
    """Size of a difference that does not grow with the number of values: sqrt(chi-squared / values), in
    [0, 1]; 1 is no category in common. Source: Cramér 1946.

    >>> cramers_v({"a": 5}, {"b": 50})
    1.0
    """
    counts = _table(current, baseline)
    if not counts.sum(axis=1).all():
        return None
    return min(sqrt(_statistic(counts) / counts.sum()), 1.0)


def incompleteness(missing: int, rows: int, share: float, baseline_rows: int | None = None) -> float:
    """p-value of `missing` values or more in `rows`, where `share` of the baseline's are missing.

    Fisher's exact test, one-sided, where the baseline's number of rows is known; else the binomial one.

    >>> round(incompleteness(9, 200, 0.02, 10_000), 3), round(incompleteness(9, 200, 0.02), 3)
    (0.022, 0.02)
    """
    if baseline_rows is None:
        return _share(stats.binom.sf(missing - 1, rows, share))
    both = missing + round(share * baseline_rows)
    return _share(stats.hypergeom.sf(missing - 1, rows + baseline_rows, both, rows))


def adjusted(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Each p-value as q-value: the false-discovery rate at which its test is just accepted.

    Source: Benjamini & Hochberg 1995.

    >>> adjusted({"a": 0.01, "b": 0.04, "c": 0.5})["b"]
    0.06
    """
    if not p_values:
        return {}
    found = stats.false_discovery_control(list(p_values.values()), method="bh")
    return dict(zip(p_values, found.tolist(), strict=True))


def holds(q_value: float | None, rate: float) -> bool:
    """Whether a test is among the discoveries at a false-discovery rate of `rate`; at 1.0 every one is."""
    return rate >= 1.0 or (q_value is not None and q_value <= rate)


def _table(current: Mapping[str, int], baseline: Mapping[str, int]) -> NDArray[np.float64]:
    """Counts of every category that was seen, shape (2, categories)."""
    keys = sorted({*current, *baseline})
    found = np.array([[side.get(key, 0) for key in keys] for side in (current, baseline)], np.float64)
    return found[:, found.any(axis=0)]


def _statistic(counts: NDArray[np.float64]) -> float:
    """Pearson's chi-squared of a table of counts, shape (2, categories)."""
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return float((np.square(counts - expected) / expected).sum())


def _pools(expected: NDArray[np.float64]) -> NDArray[np.int64]:
    """The pool that each category is in: from the rarest on, neighbours until enough is expected."""
    pool = np.empty(len(expected), np.int64)
    number, held = 0, 0.0
    for place in np.argsort(expected, kind="stable").tolist():
        if held >= _ENOUGH:
            number, held = number + 1, 0.0
        pool[place] = number
        held += float(expected[place])
    if held < _ENOUGH and number:
        pool[pool == number] = number - 1
    return pool


def _most_moved(counts: NDArray[np.float64], totals: NDArray[np.float64]) -> float:
    """p-value of the category that moved most, in standard errors, against all others together."""
    n, m = counts.sum(axis=1).tolist()
    share = totals / (n + m)
    if (share == 1.0).any():
        return 1.0
    error = np.sqrt(share * (1 - share))
    place = int(np.abs((counts[0] / n - counts[1] / m) / error).argmax())
    drawn = (int(n + m), int(totals[place]), int(n))
    seen = int(counts[0, place])
    return _share(2 * min(stats.hypergeom.sf(seen - 1, *drawn), stats.hypergeom.cdf(seen, *drawn)))


def _share(p: float) -> float:
    """A probability that rounding may have moved out of [0, 1]."""
    return min(max(float(p), 0.0), 1.0)
