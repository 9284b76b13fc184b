"""Metrics of bias that need no model: of rows (CI) and of labels.

Side a is the advantaged group, d the disadvantaged one; n are rows, q the share of positive labels. Each
formula takes cells of any leading shape and gives that shape; NaN is undefined. Labels are positive or not:
P_a and P_d are the shares (1 - q, q). Where a label does not occur in both groups, KL, JS, LP, TVD and KS
leave it out without making up for it, as Clarify does: then they measure only part of the distributions, and
KL may be negative.

Source: SageMaker Clarify's pre-training bias metrics; smclarify 0.5, which the service calls.
"""

import numpy as np
from numpy.typing import NDArray

from monitors.bias.cells import A, Array, Cells, D, divide
from monitors.bias.table import MISSING, NEGATIVE, POSITIVE

Mask = NDArray[np.bool_]


def ci(cells: Cells) -> Array:
    """Class Imbalance: (n_a - n_d) / (n_a + n_d), in (-1, 1); 0 is balance, above it d is the smaller group.

    Not defined where a group is empty.
    """
    a, d = cells.rows(A), cells.rows(D)
    return np.where((a > 0) & (d > 0), divide(a - d, a + d), np.nan)


def dpl(cells: Cells) -> Array:
    """Difference in Positive Proportions in Labels: q_a - q_d, in [-1, 1]; 0 is parity, above it a has
    more."""
    return _positive(cells, A) - _positive(cells, D)


def kl(cells: Cells) -> Array:
    """Kullback-Leibler divergence: sum P_a ln(P_a / P_d), in [0, inf); 0 is parity."""
    a, d, common = _shares(cells)
    return _sum(_surprise(a, d), common)


def js(cells: Cells) -> Array:
    """Jensen-Shannon divergence: (KL(P_a, P) + KL(P_d, P)) / 2 with P = (P_a + P_d) / 2, in [0, ln 2]; 0 is
    parity."""
    a, d, common = _shares(cells)
    mean = (a + d) / 2
    return _sum(_surprise(a, mean) + _surprise(d, mean), common) / 2


def lp(cells: Cells) -> Array:
    """L-p norm, of p = 2: sqrt(sum (P_a - P_d)^2), in [0, sqrt 2]; 0 is parity."""
    a, d, common = _shares(cells)
    return np.sqrt(_sum((a - d) ** 2, common))


def tvd(cells: Cells) -> Array:
    """Total Variation Distance: sum |P_a - P_d| / 2, in [0, 1]; 0 is parity."""
    a, d, common = _shares(cells)
    return _sum(np.abs(a - d), common) / 2


def ks(cells: Cells) -> Array:
    """Kolmogorov-Smirnov distance: max |P_a - P_d|, in [0, 1]; 0 is parity."""
    a, d, common = _shares(cells)
    largest = np.where(common, np.abs(a - d), 0.0).max(axis=-1)
    return np.where(common.any(axis=-1), largest, np.nan)


def cddl(cells: Cells) -> Array:
    """Conditional Demographic Disparity in Labels: the mean over groups, weighted by their rows, of
    (share of d among the negative labels) - (share of d among the positive ones), in [-1, 1]; above 0 d has
    more than its part of the negative labels.

    Part of the definition: a share of no label is 0. Not defined where all labels are alike.
    """
    return disparity(cells, _labels)


def disparity(cells: Cells, outcomes: "Outcomes") -> Array:
    """Conditional demographic disparity of labels or predictions, see `cddl`."""
    if isinstance(cells.groups, str):
        return np.full(cells.rows(A).shape, np.nan)
    by_group = outcomes(cells.groups)  # (..., groups, side, outcome)
    both = by_group.sum(axis=-2)  # (..., groups, outcome)
    share = np.divide(by_group[..., D, :], both, out=np.zeros_like(both), where=both > 0)
    n = both.sum(axis=-1)
    found = divide((n * (share[..., NEGATIVE] - share[..., POSITIVE])).sum(axis=-1), n.sum(axis=-1))
    return np.where((both.sum(axis=-2) > 0).all(axis=-1), found, np.nan)


class Outcomes:
    """How positive and negative rows are told from counts (..., side, label, predicted): by label or by
    prediction."""

    def __init__(self, axis: int) -> None:
        self._axis = axis

    def __call__(self, counts: Array) -> Array:
        """(..., side, outcome) of the rows that have one."""
        return np.asarray(counts.sum(axis=self._axis)[..., :MISSING])


_labels, predictions = Outcomes(-1), Outcomes(-2)


def _positive(cells: Cells, side: int) -> Array:
    return divide(cells.labelled(side, POSITIVE), cells.labelled(side))


def _shares(cells: Cells) -> tuple[Array, Array, Mask]:
    """P_a and P_d, shape (..., 2), and which labels both have."""
    n = _labels(cells.sides)
    shares = divide(n, n.sum(axis=-1, keepdims=True))
    return shares[..., A, :], shares[..., D, :], np.asarray((n > 0).all(axis=-2))


def _surprise(top: Array, bottom: Array) -> Array:
    """top ln(top / bottom); NaN where the label is not common, which the sum leaves out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return top * np.log(top / bottom)


def _sum(parts: Array, common: Mask) -> Array:
    """Sum of the parts of common labels; NaN where there is none."""
    return np.where(common.any(axis=-1), np.where(common, parts, 0.0).sum(axis=-1), np.nan)
