"""How well probabilities say what comes true: log loss, Brier score, calibration error."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitors.model_quality.sampling import metric, undefined
from monitors.moments import Moments
from schemas.quality import Metric

BINS = 10
_NONE = (0.0,) * BINS
_LEAST = float(np.finfo(np.float64).eps)  # a probability counts as no less in a logarithm, as in scikit-learn


class Certainty(Struct, frozen=True):
    """Losses of rows with a probability of something, and whether it came true; `Certainty()` is the identity
    of merge. `count`, `total` (of probabilities) and `true` are by bins of equal width."""

    log_loss: Moments = Moments()
    brier: Moments = Moments()
    count: tuple[float, ...] = _NONE
    total: tuple[float, ...] = _NONE
    true: tuple[float, ...] = _NONE

    @classmethod
    def of(cls, probability: NDArray[np.float64], true: NDArray[np.bool_]) -> "Certainty":
        """Of probabilities in [0, 1], shape (n,)."""
        if not len(probability):
            return cls()
        given = np.where(true, probability, 1.0 - probability)
        at = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
        sums = (np.bincount(at, weight, BINS) for weight in (None, probability, true))
        return cls(
            Moments.of(-np.log(np.clip(given, _LEAST, 1.0 - _LEAST))),
            Moments.of(np.square(1.0 - given)),
            *(tuple(part.astype(np.float64).tolist()) for part in sums),
        )

    def merge(self, other: "Certainty") -> "Certainty":
        """Combine two disjoint samples; neither is changed."""
        return Certainty(
            self.log_loss.merge(other.log_loss),
            self.brier.merge(other.brier),
            _sum(self.count, other.count),
            _sum(self.total, other.total),
            _sum(self.true, other.true),
        )

    def metrics(self) -> dict[str, Metric]:
        """log_loss = -mean ln(probability of what came), in [0, inf); brier_score = mean square of what is
        missing from it to 1, in [0, 1]; expected_calibration_error = mean over rows of |mean probability -
        share that came true| in the row's bin, in [0, 1] (Naeini, Cooper & Hauskrecht 2015). 0 is best."""
        n = self.log_loss.n
        if not n:
            names = ("log_loss", "brier_score", "expected_calibration_error")
            return dict.fromkeys(names, undefined("no row has a probability"))
        gaps = np.abs(np.array(self.total) - np.array(self.true))
        return {
            "log_loss": metric(self.log_loss.total / n, self.log_loss.m2 / n**2, n),
            "brier_score": metric(self.brier.total / n, self.brier.m2 / n**2, n),
            "expected_calibration_error": Metric(float(gaps.sum()) / n),
        }


def _sum(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))
