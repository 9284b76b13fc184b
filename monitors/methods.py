"""The distances that a constraints file can name.

To add one: a function of (current, baseline) in a table here, and its name in `schemas.constraints`. Simple
and Robust are in no table: they are made of the Kolmogorov-Smirnov distance, which is every drift's effect.
"""

from collections.abc import Callable, Mapping

import numpy as np

from monitors import distances
from monitors.distances import Sample
from monitors.divergences import Shares, hellinger, jensen_shannon, psi, wasserstein
from schemas.constraints import CategoricalMethod, NumericMethod

Counts = Mapping[str, int]
Numeric = Callable[[Sample, Sample], float | None]
Categorical = Callable[[Counts, Counts], float | None]
_OfShares = Callable[[Shares, Shares], float]


def _of_deciles(distance: _OfShares) -> Numeric:
    """`distance` between the shares of both in the baseline's decile bins."""

    def between(current: Sample, baseline: Sample) -> float | None:
        if not current.n or not baseline.n:
            return None
        edges = baseline.deciles
        return distance(current.shares(edges), baseline.shares(edges))

    return between


def _of_categories(distance: _OfShares) -> Categorical:
    """`distance` between the shares of every category that either side has."""

    def between(current: Counts, baseline: Counts) -> float | None:
        keys = sorted({*current, *baseline})
        counts = np.array([[side.get(key, 0) for key in keys] for side in (current, baseline)], np.float64)
        totals = counts.sum(axis=1, keepdims=True)
        return distance(*(counts / totals)) if totals.all() else None

    return between


NUMERIC: Mapping[NumericMethod, Numeric] = {
    "PSI": _of_deciles(psi),
    "JensenShannon": _of_deciles(jensen_shannon),
    "Wasserstein": wasserstein,
    "Hellinger": _of_deciles(hellinger),
}
CATEGORICAL: Mapping[CategoricalMethod, Categorical] = {
    "LInfinity": distances.l_infinity,
    "ChiSquared": distances.chi_squared,
    "PSI": _of_categories(psi),
    "JensenShannon": _of_categories(jensen_shannon),
    "Hellinger": _of_categories(hellinger),
}
