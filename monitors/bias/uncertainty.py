"""How sure a metric is: standard errors from counts alone, the same at every run.

Metrics of counts: a bootstrap. Resampling rows with replacement is drawing the counts anew, so that it costs
the same for any number of rows. Half a row is added to each cell that can hold one, because a cell that
happens to be empty would otherwise look certain. Conditional disparities: by formula, because their cells
are as many as there are groups. The flip test has its own.

Source: the Normal Bootstrap Interval that Clarify's guide describes for bias drift; Efron & Tibshirani 1993;
Agresti & Caffo 2000 for the half rows.
"""

import zlib
from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitors.bias.cells import Array, Cells, D
from monitors.bias.metrics import Metric
from monitors.bias.pre_training import Outcomes, predictions
from monitors.bias.table import MISSING, NEGATIVE, OUTCOMES, POSITIVE

RESAMPLES = 1_000
SURE = 1.959963984540054  # half the width, in standard errors, of an interval of 95 %

_DEFINED = 0.9  # share of resamples that must give a number
_HALF = 0.5
_SIDES = (2, OUTCOMES, OUTCOMES)


class Resamples(Struct, frozen=True):
    """Cells drawn anew RESAMPLES times, and those that they are drawn from."""

    drawn: Cells
    smoothed: Cells

    @classmethod
    def of(cls, cells: Cells) -> "Resamples":
        """Draw from `cells`; the seed is a hash of them. Rows without the facet count for GE alone."""
        sides = cells.sides + _HALF * _possible(cells.whole)
        rest = np.maximum(cells.whole - cells.sides.sum(axis=0), 0.0)
        odds = np.concatenate([sides.ravel(), rest.ravel()])
        n = int(cells.whole.sum())
        generator = np.random.default_rng(zlib.crc32(np.ascontiguousarray(odds).tobytes()))
        drawn = generator.multinomial(max(1, n), odds / max(odds.sum(), _HALF), RESAMPLES).astype(np.float64)
        split = int(np.prod(_SIDES))
        many = drawn[:, :split].reshape(-1, *_SIDES)
        whole = many.sum(axis=1) + drawn[:, split:].reshape(-1, OUTCOMES, OUTCOMES)
        return cls(Cells(many, whole), Cells(sides, sides.sum(axis=0) + rest))


def _possible(whole: Array) -> Array:
    """1 where a cell (label, predicted) can hold a row: where rows have labels, or lack them, and so on."""
    known = whole[:MISSING].sum(), whole[:, :MISSING].sum()
    label = np.array([known[0] > 0, known[0] > 0, whole[MISSING].sum() > 0])
    predicted = np.array([known[1] > 0, known[1] > 0, whole[:, MISSING].sum() > 0])
    return np.outer(label, predicted).astype(np.float64)


class Spread(Struct, frozen=True):
    """A metric on the scale that it is compared on: where it stands, its standard error, and how far it may
    be off besides, whatever chance does."""

    centre: float
    error: float
    slack: float = 0.0


def spread(metric: Metric, value: float, cells: Cells, resamples: Resamples) -> Spread | None:
    """How sure a metric of counts is; None where too many resamples leave it undefined.

    The centre is that of the counts with their half rows: an interval about 0 of 30 would be too narrow.
    """
    if metric.name in ("CDDL", "CDDPL"):
        return _of_disparity(cells, predictions if metric.name == "CDDPL" else Outcomes(-1), value)
    assert metric.formula is not None
    many = on_scale(metric, metric.formula(resamples.drawn))
    many = many[np.isfinite(many)]
    centre = float(on_scale(metric, metric.formula(resamples.smoothed)))
    if len(many) < _DEFINED * RESAMPLES or not np.isfinite(centre):
        return None
    return Spread(centre, float(many.std(ddof=1)))


def on_scale(metric: Metric, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values on the scale of a metric, on which 0 is parity."""
    if metric.scale == "plain":
        return values
    with np.errstate(divide="ignore"):
        return np.log(values)


def _of_disparity(cells: Cells, outcomes: Outcomes, value: float) -> Spread | None:
    """By the variances of the shares in each group, and of the groups' sizes.

    A group without one of the outcomes counts as if d had no part in it, which is no estimate: the share of
    rows in such groups is the slack. It is large where windows are small and groups are many.
    """
    if isinstance(cells.groups, str):
        return None
    by_group = outcomes(cells.groups)
    both = by_group.sum(axis=-2)
    n = both.sum(axis=-1)
    share = np.divide(by_group[:, D, :], both, out=np.zeros_like(both), where=both > 0)
    weight = n / n.sum()
    rough = (by_group[:, D, :] + _HALF) / (both + 2 * _HALF)
    noise = np.divide(rough * (1 - rough), both, out=np.zeros_like(both), where=both > 0).sum(axis=-1)
    gap = share[:, NEGATIVE] - share[:, POSITIVE]
    between = float((weight * (gap - value) ** 2).sum()) / n.sum()
    one_sided = float(weight[(both == 0).any(axis=-1)].sum())
    return Spread(value, sqrt(float((weight**2 * noise).sum()) + between), one_sided)


def interval(metric: Metric, found: Spread) -> tuple[float, float] | None:
    """95 % of a metric on its own scale, within its range; None where an end would be infinite."""
    reach = SURE * found.error + found.slack
    low, high = found.centre - reach, found.centre + reach
    if metric.scale == "log":
        low, high = float(np.exp(low)), float(np.exp(min(high, 700.0)))
    low, high = max(low, metric.low), min(high, metric.high)
    return (low, high) if np.isfinite([low, high]).all() and low <= high else None
