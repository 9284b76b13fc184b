"""How much a metric would move if a fifth of its rows had not come: Model Monitor's standard deviation.

Model Monitor draws 80 % of the rows five times without replacement and gives the standard deviation of the
five figures. Here it is computed instead of drawn: a metric M of counts or sums has, over all such draws, the
variance (1 - f) / f * sum over rows of influence**2, f = 0.8, where a row's influence is the derivative of M
by the row's weight (the infinitesimal jackknife; Efron 1982). For a mean this is exact but for n in the place
of n - 1. It needs no randomness and merges; Model Monitor's own is this figure with the noise of five draws.

A standard error, by which a figure differs from that of another sample of the same size, is twice as large.
"""

from math import isfinite, sqrt

from schemas.quality import Metric

LEAST = 200  # rows from which on Model Monitor gives a standard deviation
NOTHING = 1e-9  # rows: an expected count that is smaller is that of none
_SHARE = 0.8
_FACTOR = (1.0 - _SHARE) / _SHARE
ERRORS = sqrt(1.0 / _FACTOR)  # standard errors are this many times the standard deviation


def metric(value: float, squares: float, rows: int) -> Metric:
    """`value` with the standard deviation that the sum over rows of influence**2 gives.

    A figure that passes what a double can hold is undefined.
    """
    if not isfinite(value):
        return undefined("larger than a double can hold")
    deviation = sqrt(_FACTOR * max(squares, 0.0)) if isfinite(squares) else None
    return Metric(value, "NaN" if rows < LEAST or deviation is None else deviation)


def undefined(reason: str) -> Metric:
    """A metric that has no value."""
    return Metric(None, reason=reason)
