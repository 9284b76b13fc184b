"""Normalised discounted cumulative gain (nDCG) of one ranking of features against another."""

import numpy as np
from numpy.typing import NDArray


def ndcg(baseline: NDArray[np.float64], current: NDArray[np.float64]) -> NDArray[np.float64]:
    """nDCG in [0, 1] of the order by `current`, shape (rankings, features) or (features,), with the gains of
    `baseline` (features,): 1 where it is the baseline's order. NaN where no feature of the baseline has a
    gain, for then there is no order.

    DCG = sum of gain / log2(place + 1), places from 1; nDCG = DCG of `current`'s order / DCG of the best.
    Features of equal `current` share the mean of their gains, as in scikit-learn. Absolute values count, so
    that a signed aggregate (median) has an order too.

    Source: Järvelin & Kekäläinen 2002; SageMaker Clarify, feature attribution drift.

    >>> float(ndcg(np.array([0.70, 0.50, 0.05]), np.array([0.10, 0.20, 0.70])).round(4))
    0.6876
    """
    gain, scores = np.abs(baseline), np.abs(np.atleast_2d(current))
    discount = 1 / np.log2(np.arange(len(gain)) + 2)
    best = float(np.sort(gain)[::-1] @ discount)
    if not best > 0:
        return np.full(scores.shape[:-1] if np.ndim(current) > 1 else (), np.nan)
    order = np.argsort(-scores, axis=1, kind="stable")
    sorted_ = np.take_along_axis(scores, order, axis=1)
    found = np.array([_dcg(gain[o], s, discount) for o, s in zip(order, sorted_, strict=True)]) / best
    return found if np.ndim(current) > 1 else found[0]


def _dcg(gain: NDArray[np.float64], scores: NDArray[np.float64], discount: NDArray[np.float64]) -> float:
    new = np.ones(len(scores), np.bool_)
    np.not_equal(scores[1:], scores[:-1], out=new[1:])
    if new.all():
        return float(gain @ discount)
    tie = np.cumsum(new) - 1
    shared = np.bincount(tie, gain) / np.bincount(tie)
    return float(shared[tie] @ discount)
