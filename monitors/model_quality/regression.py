"""Quality of a regression model: errors, and the share of the labels' variance that is explained."""

from collections.abc import Mapping
from math import comb, sqrt

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitors.model_quality.labels import numbers
from monitors.model_quality.sampling import metric, undefined
from monitors.model_quality.wrong import Wrong
from monitors.moments import Moments
from schemas.labelled import Labelled
from schemas.quality import Metric

_PART = "regression"
_ROUNDING = 1e-14  # labels that differ by less, as a share of their mean, are the same
_NONE = (0.0, 0.0, 0.0, 0.0, 0.0)
_NO_CROSS = (0.0, 0.0, 0.0)


class Truth(Struct, frozen=True):
    """Power sums of labels y about `center`, which is their mean: `sums[k]` of (y - center)**k, k in 0..4,
    `cross[k]` of error**2 * (y - center)**k, k in 0..2. `Truth()` is the identity of merge.
    """

    center: float = 0.0
    sums: tuple[float, ...] = _NONE
    cross: tuple[float, ...] = _NO_CROSS

    @classmethod
    def of(cls, labels: NDArray[np.float64], squares: NDArray[np.float64]) -> "Truth":
        """Of labels and squared errors, both finite, shape (n,)."""
        if not len(labels):
            return cls()
        center = float(labels.mean())
        off = labels - center
        second = off * off
        sums = (float(len(off)), off.sum(), second.sum(), (second * off).sum(), (second * second).sum())
        cross = (squares.sum(), (squares * off).sum(), (squares * second).sum())
        return cls(center, tuple(map(float, sums)), tuple(map(float, cross)))

    def merge(self, other: "Truth") -> "Truth":
        """Combine two disjoint samples; both are moved to the common mean first."""
        if not self.sums[0] or not other.sums[0]:
            return self if self.sums[0] else other
        center = self.center + (other.center - self.center) * (other.sums[0] / (self.sums[0] + other.sums[0]))
        a, b = self._about(center), other._about(center)
        return Truth(
            center,
            tuple(x + y for x, y in zip(a.sums, b.sums, strict=True)),
            tuple(x + y for x, y in zip(a.cross, b.cross, strict=True)),
        )

    def _about(self, center: float) -> "Truth":
        off = self.center - center
        return Truth(center, _moved(self.sums, off), _moved(self.cross, off))


def _moved(sums: tuple[float, ...], off: float) -> tuple[float, ...]:
    """Power sums about a point that lies `off` below the one that these are about."""
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.cumprod([1.0, *[off] * (len(sums) - 1)])
        moved = [sum(comb(k, j) * powers[k - j] * sums[j] for j in range(k + 1)) for k in range(len(sums))]
    return tuple(map(float, moved))


class RegressionState(Struct, frozen=True):
    """Errors of `rows` rows, prediction - label; `RegressionState()` is the identity of merge.

    A row without a number on either side is counted in `rows`, and not scored. `wrong` are those with the
    largest errors.
    """

    rows: int = 0
    absolute: Moments = Moments()
    squared: Moments = Moments()
    truth: Truth = Truth()
    wrong: Wrong = Wrong()

    @classmethod
    def of(cls, batch: Labelled) -> "RegressionState":
        """Score a batch."""
        labels, predictions = numbers(batch.label), numbers(batch.prediction)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = predictions - labels
            finite = np.isfinite(errors)
            wrong = Wrong.of(batch.event_id, np.where(finite, np.abs(errors), 0.0))
            labels, errors = labels[finite], errors[finite]
            squares = errors * errors
            truth = Truth.of(labels, squares)
            return cls(len(batch), Moments.of(np.abs(errors)), Moments.of(squares), truth, wrong)

    @property
    def scored(self) -> int:
        """Rows that the metrics rest on."""
        return self.absolute.n

    def merge(self, other: "RegressionState") -> "RegressionState":
        """Combine two disjoint samples; neither is changed."""
        return RegressionState(
            self.rows + other.rows,
            self.absolute.merge(other.absolute),
            self.squared.merge(other.squared),
            self.truth.merge(other.truth),
            self.wrong.merge(other.wrong),
        )

    def dump(self) -> Mapping[str, bytes]:
        """One part: the state has one size."""
        return {_PART: msgspec.msgpack.encode(self)}

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "RegressionState":
        """Restore what `dump` gave."""
        return msgspec.msgpack.decode(parts[_PART], type=cls)


def metrics(state: RegressionState) -> dict[str, Metric]:
    """mae = mean |error|, mse = mean error**2, rmse = sqrt(mse), all in [0, inf), 0 is best; and
    r2 = 1 - sum error**2 / sum (label - mean label)**2, in (-inf, 1], 1 is best, 0 is as good as the mean.

    Without a row all are undefined; r2 also where all labels are the same.

    >>> import pyarrow as pa
    >>> found = metrics(RegressionState.of(Labelled(pa.array([1.0, 3.0]), pa.array([1.0, 2.0]))))
    >>> {name: metric.value for name, metric in found.items() if name != "rmse"}
    {'mae': 0.5, 'mse': 0.5, 'r2': -1.0}
    """
    n = state.scored
    if not n:
        return dict.fromkeys(("mae", "mse", "rmse", "r2"), undefined("no row has a prediction and a label"))
    mae, mse = (moments.total / n for moments in (state.absolute, state.squared))
    spread = state.squared.m2 / n**2  # sum of squared influences on mse
    of_root = spread / mse / 4 if mse else 0.0
    return {
        "mae": metric(mae, state.absolute.m2 / n**2, n),
        "mse": metric(mse, spread, n),
        "rmse": metric(sqrt(mse), of_root, n),
        "r2": _r2(state, mse),
    }


def _r2(state: RegressionState, mse: float) -> Metric:
    """r2 with the influence -(error**2 - mse) / variance + mse * ((y - mean)**2 - variance) / variance**2."""
    n, truth = state.scored, state.truth
    variance = np.float64(truth.sums[2] / n)
    if np.sqrt(variance) <= _ROUNDING * abs(truth.center):
        return undefined("all labels are the same")
    with np.errstate(all="ignore"):
        ratio = mse / variance
        of_truth = truth.sums[4] - n * variance**2
        both = truth.cross[2] - n * mse * variance
        squares = (state.squared.m2 - 2 * ratio * both + ratio**2 * of_truth) / (n * variance) ** 2
    return metric(float(1.0 - ratio), float(squares), n)
