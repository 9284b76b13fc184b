"""How well probabilities rank rows: area under the curve, the curves themselves, lift."""

import numpy as np
from msgspec import Struct

from monitors.model_quality.sampling import NOTHING, metric, undefined
from monitors.model_quality.scores import Floats, Scores
from schemas.quality import Metric

POINTS = 200  # of a curve, at most
_MISSING = "needs probabilities of both positive and other rows"


class Ranked(Struct, frozen=True):
    """Probabilities, descending, and the weight of positive and of other rows that have each.

    Weights are counts, or expected counts. `exact` says that no two probabilities were put into one bin.
    """

    values: Floats
    positive: Floats
    other: Floats
    exact: bool = True

    @classmethod
    def of(cls, scores: Scores) -> "Ranked":
        """The group of `scores` being the positive rows."""
        group, rest = scores.group[::-1].astype(np.float64), scores.rest[::-1].astype(np.float64)
        return cls(scores.values[::-1], group, rest, scores.exact)

    @property
    def totals(self) -> tuple[float, float]:
        """Weight of all positive rows, and of all others."""
        return float(self.positive.sum()), float(self.other.sum())


def auc(ranked: Ranked) -> Metric:
    """Area under the receiver operating characteristic: how likely a positive row has a higher probability
    than another one, ties counting half. In [0, 1], 1 is best, 0.5 is chance.

    The standard deviation is by placements (DeLong, DeLong & Clarke-Pearson 1988).
    """
    positives, others = ranked.totals
    if min(ranked.totals) < NOTHING:
        return undefined(_MISSING)
    below = others - np.cumsum(ranked.other) + ranked.other / 2  # others that a positive row here is above
    above = np.cumsum(ranked.positive) - ranked.positive / 2  # positives that another row here is below
    area = float((ranked.positive * below).sum() / (positives * others))
    squares = (ranked.positive * (below / others - area) ** 2).sum() / positives**2
    squares += (ranked.other * (above / positives - area) ** 2).sum() / others**2
    return metric(area, float(squares), round(positives + others))


def auc_error(ranked: Ranked) -> float | None:
    """By how much `auc` can differ from that of the probabilities as they came, at most: half the share of
    pairs, a positive row and another, that fell into the same bin. 0 where nothing was put into bins."""
    positives, others = ranked.totals
    if min(ranked.totals) < NOTHING:
        return None
    if ranked.exact:
        return 0.0
    return float((ranked.positive * ranked.other).sum() / (2 * positives * others))


def receiver_operating_characteristic(ranked: Ranked) -> dict[str, list[float]] | None:
    """Rates at each threshold, highest first, from (0, 0) to (1, 1). The last point stands there twice, as in
    Model Monitor's files."""
    positives, others = ranked.totals
    if min(ranked.totals) < NOTHING:
        return None
    at = _points(ranked)
    return {
        "false_positive_rates": [0.0, *(np.cumsum(ranked.other)[at] / others).tolist(), 1.0],
        "true_positive_rates": [0.0, *(np.cumsum(ranked.positive)[at] / positives).tolist(), 1.0],
    }


def precision_recall(ranked: Ranked) -> dict[str, list[float]] | None:
    """Precision and recall at each threshold, highest first; the curve starts at recall 0 with the precision
    of the highest."""
    positives, _ = ranked.totals
    if positives < NOTHING:
        return None
    at = _points(ranked)
    hits, misses = np.cumsum(ranked.positive)[at], np.cumsum(ranked.other)[at]
    precisions = (hits / (hits + misses)).tolist()
    return {
        "precisions": [precisions[0], *precisions],
        "recalls": [0.0, *(hits / positives).tolist()],
    }


def _points(ranked: Ranked) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Places of at most POINTS thresholds, first and last among them, evenly spread along the curve."""
    if len(ranked.values) <= POINTS:
        return np.arange(len(ranked.values))
    positives, others = ranked.totals
    along = np.cumsum(ranked.positive / max(positives, 1.0) + ranked.other / max(others, 1.0))
    wanted = np.linspace(along[0], along[-1], POINTS)
    places = np.unique(np.searchsorted(along, wanted).clip(0, len(along) - 1))
    places[-1] = len(along) - 1
    return places


def lift(ranked: Ranked, share: float = 0.1) -> Metric:
    """How many times more positive rows are among the `share` of rows with the highest probability than among
    all. In [0, 1 / share]; 1 is chance. Of rows with equal probabilities a part is taken as it comes."""
    positives, _ = ranked.totals
    if positives < NOTHING:
        return undefined("no positive row has a probability")
    rows = np.concatenate(([0.0], np.cumsum(ranked.positive + ranked.other)))
    hits = np.concatenate(([0.0], np.cumsum(ranked.positive)))
    return Metric(float(np.interp(share * rows[-1], rows, hits)) / positives / share)
