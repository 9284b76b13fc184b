"""Which share of rows comes true where a model says a probability: isotonic regression on the baseline."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from monitors.model_quality.scores import Scores
from schemas.quality import Knots

LEAST = 30  # rows of either kind that a calibration needs


def fit(scores: Scores) -> Knots | None:
    """The line that never falls and is closest to the shares of the group at each probability (pool adjacent
    violators; Zadrozny & Elkan 2002). None where there are too few rows to tell: probabilities are then taken
    as they are.

    >>> fit(Scores.of(np.repeat([0.1, 0.9], 50), np.arange(100) % 5 < 2))
    Knots(probability=[0.1, 0.9], share=[0.4, 0.4])
    """
    if min(scores.group.sum(), scores.rest.sum()) < LEAST:
        return None
    rows = (scores.group + scores.rest).astype(np.float64)
    found = isotonic_regression(scores.group / rows, weights=rows)
    first = np.unique(np.concatenate((found.blocks[:-1], found.blocks[1:] - 1)))  # both ends of what is level
    return Knots(scores.values[first].tolist(), found.x[first].clip(0.0, 1.0).tolist())


def calibrated(values: NDArray[np.float64], knots: Knots | None) -> NDArray[np.float64]:
    """Probabilities in [0, 1], shape (n,), as shares; between knots along the line, beyond them level."""
    return values if knots is None else np.interp(values, knots.probability, knots.share)
