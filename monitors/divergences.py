"""Distances between two lists of shares over the same bins, and between two weighted samples.

A list of shares, shape (bins,), adds up to 1. All are 0 where nothing changed, symmetric, and larger the
further two distributions are apart.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitors.distances import Sample, differences

FLOOR = (
    1e-4  # share that an empty bin counts as: a logarithm of 0 would make any new value an infinite change
)

Shares = NDArray[np.float64]


def psi(current: Shares, baseline: Shares) -> float:
    """Population stability index: sum of (p - q) ln(p / q), in [0, 18.5]; 0.1 and 0.25 are the usual marks.

    A share below 0.0001 counts as 0.0001.
    Source: Jeffreys 1946, as a divergence; Siddiqi, Credit Risk Scorecards, 2006, as an index.

    >>> round(psi(np.array([0.5, 0.5]), np.array([0.4, 0.6])), 4)
    0.0405
    """
    p, q = np.maximum(current, FLOOR), np.maximum(baseline, FLOOR)
    return float(((p - q) * np.log(p / q)).sum())


def jensen_shannon(current: Shares, baseline: Shares) -> float:
    """Jensen-Shannon distance: square root of the divergence to base 2, in [0, 1]; 1 is nothing in common.

    Source: Lin 1991 (divergence); Endres & Schindelin 2003 (its root is a metric).

    >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (current + baseline) / 2
    nats = (special.rel_entr(current, middle) + special.rel_entr(baseline, middle)).sum() / 2
    return float(np.sqrt(min(max(nats / np.log(2.0), 0.0), 1.0)))


def hellinger(current: Shares, baseline: Shares) -> float:
    """Hellinger distance: sqrt(sum of (sqrt(p) - sqrt(q))^2 / 2), in [0, 1]; 1 is nothing in common.

    Source: Hellinger 1909; in this form Le Cam 1986.

    >>> round(hellinger(np.array([0.36, 0.64]), np.array([0.64, 0.36])), 4)
    0.2
    """
    return float(min(np.sqrt(np.square(np.sqrt(current) - np.sqrt(baseline)).sum() / 2), 1.0))


def wasserstein(current: Sample, baseline: Sample) -> float | None:
    """Wasserstein distance of order 1 in standard deviations of the baseline, from 0 up, without a bound: a
    shift of all values by one standard deviation is 1. A baseline that is constant has no standard deviation;
    then it is in the feature's own unit. None without values, or where it passes what a double can hold.

    Source: Kantorovich 1942, Vaserstein 1969; one-dimensional form: Ramdas, Garcia & Cuturi 2017.

    >>> ones = np.ones(2)
    >>> wasserstein(Sample(np.array([1.0, 3.0]), ones), Sample(np.array([0.0, 2.0]), ones))
    1.0
    """
    if not current.n or not baseline.n:
        return None
    points, difference = differences(current, baseline)
    with np.errstate(over="ignore", invalid="ignore"):
        found = float((np.abs(difference[:-1]) * np.diff(points)).sum()) / (baseline.std or 1.0)
    return found if np.isfinite(found) and np.isfinite(baseline.std) else None
