"""Counts of (label, prediction), and the metrics that can be read off them."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitors.model_quality.labels import in_order
from monitors.model_quality.sampling import NOTHING, metric, undefined
from schemas.quality import Metric

MAX_CLASSES = 256  # more are no classes: a model with numbers or ids for labels
PRECISION, RECALL = 1.0, 0.0  # as weights of the predicted in `f_weight`
Matrix = NDArray[np.float64]


class Confusion(Struct, frozen=True):
    """`cells[label][prediction]` counts rows; `Confusion()` is the identity of merge.

    `cells` is None once more than MAX_CLASSES classes came.
    """

    n: int = 0
    cells: dict[str, dict[str, int]] | None = {}

    @classmethod
    def of(cls, labels: NDArray[np.int64], predictions: NDArray[np.int64], names: list[str]) -> "Confusion":
        """Of places in `names`, both of shape (n,)."""
        if len(names) > MAX_CLASSES:  # some may be of rows that are not scored
            used, places = np.unique(np.concatenate((labels, predictions)), return_inverse=True)
            if len(used) > MAX_CLASSES:
                return cls(len(labels), None)
            names = [names[at] for at in used.tolist()]
            labels, predictions = np.split(places, 2)
        width = max(len(names), 1)
        counts = np.bincount(labels * width + predictions, minlength=width * width)
        cells: dict[str, dict[str, int]] = {}
        for at in np.flatnonzero(counts).tolist():
            cells.setdefault(names[at // width], {})[names[at % width]] = int(counts[at])
        return cls(len(labels), cells)

    def merge(self, other: "Confusion") -> "Confusion":
        """Combine two disjoint samples; neither is changed."""
        n = self.n + other.n
        if self.cells is None or other.cells is None:
            return Confusion(n, None)
        cells = {label: dict(row) for label, row in self.cells.items()}
        for label, row in other.cells.items():
            mine = cells.setdefault(label, {})
            for prediction, count in row.items():
                mine[prediction] = mine.get(prediction, 0) + count
        merged = Confusion(n, cells)
        return merged if len(merged.names()) <= MAX_CLASSES else Confusion(n, None)

    def names(self) -> list[str]:
        """All classes seen, in their order."""
        cells = self.cells or {}
        return in_order({*cells, *(prediction for row in cells.values() for prediction in row)})

    def dump(self) -> bytes:
        """As bytes that `load` reads: each name stands there once."""
        names = self.names()
        place = {name: at for at, name in enumerate(names)}
        flat = [
            number
            for label, row in (self.cells or {}).items()
            for prediction, count in row.items()
            for number in (place[label], place[prediction], count)
        ]
        return msgspec.msgpack.encode((self.n, self.cells is not None, names, flat))

    @classmethod
    def load(cls, raw: bytes) -> "Confusion":
        """Restore what `dump` wrote."""
        n, few, names, flat = msgspec.msgpack.decode(raw, type=tuple[int, bool, list[str], list[int]])
        cells: dict[str, dict[str, int]] = {}
        for label, prediction, count in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            cells.setdefault(names[label], {})[names[prediction]] = count
        return cls(n, cells if few else None)

    def matrix(self, names: Sequence[str]) -> Matrix:
        """Counts, shape (classes, classes): [label, prediction], in the order of `names`."""
        cells = self.cells or {}
        return np.array([[cells.get(a, {}).get(p, 0) for p in names] for a in names], np.float64)

    def binary(self, positive: str) -> Matrix:
        """Counts, shape (2, 2): all others, then the positive class."""
        matrix = np.zeros((2, 2))
        for label, row in (self.cells or {}).items():
            for prediction, count in row.items():
                matrix[int(label == positive), int(prediction == positive)] += count
        return matrix


def all_names(confusion: Confusion, more: Iterable[str]) -> list[str]:
    """Classes seen, and `more`, in their order."""
    return in_order({*confusion.names(), *more})


def document(matrix: Matrix, names: Sequence[str], as_is: bool = False) -> dict[str, dict[str, float]]:
    """A matrix as statistics.json has it: {label: {prediction: count}}, whole numbers unless `as_is`."""
    return {
        label: {name: float(count) if as_is else int(count) for name, count in zip(names, row, strict=True)}
        for label, row in zip(names, matrix.tolist(), strict=True)
    }


def constant(matrix: Matrix, place: int) -> Matrix:
    """The matrix of a classifier that always answers the class at `place`."""
    always = np.zeros_like(matrix)
    always[:, place] = matrix.sum(axis=1)
    return always


def f_weight(beta: float) -> float:
    """The weight w in F_beta = tp / (w * predicted + (1 - w) * actual): at 1 it is precision, at 0 recall.

    >>> f_weight(1.0), f_weight(2.0)
    (0.5, 0.2)
    """
    return 1.0 / (1.0 + beta * beta)


def accuracy(matrix: Matrix) -> Metric:
    """Share of rows in which prediction and label agree, in [0, 1]; undefined without rows."""
    n = matrix.sum()
    if n < NOTHING:
        return undefined("no row has a prediction and a label")
    share = np.trace(matrix) / n
    return metric(float(share), float(share * (1.0 - share) / n), int(n))


def score(matrix: Matrix, place: int, weight: float, reason: str) -> Metric:
    """Precision, recall or F_beta (`f_weight`) of one class, in [0, 1], 1 is best; undefined, for `reason`,
    where nothing is there to divide by."""
    actual, predicted = matrix.sum(axis=1)[place], matrix.sum(axis=0)[place]
    divisor = weight * predicted + (1.0 - weight) * actual
    if divisor < NOTHING:
        return undefined(reason)
    value = matrix[place, place] / divisor
    influence = np.zeros_like(matrix)
    influence[place, :] -= (1.0 - weight) * value / divisor
    influence[:, place] -= weight * value / divisor
    influence[place, place] += 1.0 / divisor
    return metric(float(value), float((matrix * influence**2).sum()), int(matrix.sum()))


def weighted(matrix: Matrix, weight: float) -> Metric:
    """Mean of the score of each class, weighted by its share of the labels; in [0, 1], 1 is best.

    A class that is never predicted counts with a precision of 0, as with Model Monitor, whose constant
    classifier shows it. Undefined only without rows.
    """
    n = matrix.sum()
    if not n:
        return undefined("no row has a prediction and a label")
    actual, predicted, hit = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    divisor = weight * predicted + (1.0 - weight) * actual
    safe = np.where(divisor > 0.0, divisor, 1.0)
    scores, share = hit / safe, actual / n
    value = float((share * scores).sum())
    slope = share * scores / safe
    influence = ((scores / n - (1.0 - weight) * slope)[:, None] - (weight * slope)[None, :]) - value / n
    influence[np.diag_indices_from(influence)] += share / safe
    return metric(value, float((matrix * influence**2).sum()), int(n))
