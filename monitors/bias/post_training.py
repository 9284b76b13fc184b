"""Metrics of bias of a model's predictions; all but three compare them with labels.

Side a is the advantaged group, d the disadvantaged one; n' are predictions, 1 positive and 0 negative; TP,
FP, TN and FN are of a group. Each formula takes cells of any leading shape and gives that shape; NaN is
undefined: 0 / 0, and the difference of two infinite rates. The flip test (FT) is in `flip`.

Source: SageMaker Clarify's post-training bias metrics; smclarify 0.5, which the service calls.
"""

from collections.abc import Callable

import numpy as np

from monitors.bias.cells import A, Array, Cells, D, divide
from monitors.bias.pre_training import disparity, predictions
from monitors.bias.table import MISSING
from monitors.bias.table import NEGATIVE as NO
from monitors.bias.table import POSITIVE as YES


def dppl(cells: Cells) -> Array:
    """Difference in Positive Proportions in Predicted Labels: n'1_a / n_a - n'1_d / n_d, in [-1, 1]; 0 is
    parity, above it a is predicted positive more often."""
    return _positive(cells, A) - _positive(cells, D)


def di(cells: Cells) -> Array:
    """Disparate Impact: (n'1_d / n_d) / (n'1_a / n_a), in [0, inf]; 1 is parity, below it d is predicted
    positive less often. Not defined where nothing is predicted positive."""
    return divide(_positive(cells, D), _positive(cells, A))


def cddpl(cells: Cells) -> Array:
    """Conditional Demographic Disparity in Predicted Labels: as CDDL, on predictions; in [-1, 1]."""
    return disparity(cells, predictions)


def dca(cells: Cells) -> Array:
    """Difference in Conditional Acceptance: n1_a / n'1_a - n1_d / n'1_d, unbounded; above 0 the model is
    stricter with a than the labels are, compared with d."""
    return _minus(cells, lambda side: divide(cells.both(side, label=YES), cells.both(side, predicted=YES)))


def dcr(cells: Cells) -> Array:
    """Difference in Conditional Rejection: n0_d / n'0_d - n0_a / n'0_a, unbounded; above 0 the model rejects
    a more often than the labels do, compared with d."""
    return -_minus(cells, lambda side: divide(cells.both(side, label=NO), cells.both(side, predicted=NO)))


def rd(cells: Cells) -> Array:
    """Recall Difference: TP / (TP + FN) of a minus that of d, in [-1, 1]; above 0 the model finds the
    positives of a better."""
    return _minus(cells, lambda side: divide(cells.both(side, YES, YES), cells.both(side, label=YES)))


def sd(cells: Cells) -> Array:
    """Specificity Difference: TN / (TN + FP) of d minus that of a, in [-1, 1]; above 0 the model finds the
    negatives of d better."""
    return -_minus(cells, lambda side: divide(cells.both(side, NO, NO), cells.both(side, label=NO)))


def dar(cells: Cells) -> Array:
    """Difference in Acceptance Rates, of precision: TP_a / n'1_a - TP_d / n'1_d, in [-1, 1]; above 0 the
    accepted of a are so more rightly."""
    return _minus(cells, lambda side: divide(cells.both(side, YES, YES), cells.both(side, predicted=YES)))


def drr(cells: Cells) -> Array:
    """Difference in Rejection Rates: TN_d / n'0_d - TN_a / n'0_a, in [-1, 1]; above 0 the rejected of d are
    so more rightly."""
    return -_minus(cells, lambda side: divide(cells.both(side, NO, NO), cells.both(side, predicted=NO)))


def ad(cells: Cells) -> Array:
    """Accuracy Difference: (TP + TN) / n of a minus that of d, in [-1, 1]; above 0 a is predicted better."""
    right = (cells.both(A, YES, YES) + cells.both(A, NO, NO), cells.both(D, YES, YES) + cells.both(D, NO, NO))
    return divide(right[0], cells.both(A)) - divide(right[1], cells.both(D))


def te(cells: Cells) -> Array:
    """Treatment Equality: FN_d / FP_d - FN_a / FP_a, unbounded; above 0 the errors about d are rather to its
    disadvantage. Infinite where one side alone has no false positive."""
    return -_minus(cells, lambda side: divide(cells.both(side, YES, NO), cells.both(side, NO, YES)))


def ge(cells: Cells) -> Array:
    """Generalized Entropy of benefits b = prediction - label + 1: sum((b / mean b)^2 - 1) / (2 n), from 0,
    which is that all benefit alike; of all rows, whatever their facet. Not defined where each prediction is a
    false negative."""
    counts = cells.whole[..., :MISSING, :MISSING]
    n, wins = counts.sum(axis=(-2, -1)), counts[..., NO, YES]
    fair = counts[..., NO, NO] + counts[..., YES, YES]
    mean = divide(fair + 2 * wins, n)
    return divide(divide(fair + 4 * wins, n) - mean**2, 2 * mean**2)


def confusion(cells: Cells, side: int) -> list[float]:
    """[true positive, false positive, false negative, true negative] as shares of a side's rows; empty
    without any."""
    n = cells.both(side)
    found = [cells.both(side, *kind) for kind in ((YES, YES), (NO, YES), (YES, NO), (NO, NO))]
    return [float(count / n) for count in found] if n else []


def _positive(cells: Cells, side: int) -> Array:
    return divide(cells.predicted(side, YES), cells.predicted(side))


def _minus(cells: Cells, rate: Callable[[int], Array]) -> Array:
    """The rate of a minus that of d."""
    with np.errstate(invalid="ignore"):  # two infinite rates have no difference
        return np.asarray(rate(A) - rate(D))
