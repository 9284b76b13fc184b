"""One facet value against all others, as the arrays that formulas are written in."""

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitors.bias.table import MISSING, NEGATIVE, POSITIVE, Table

Array = NDArray[np.float64]

A, D = 0, 1  # the advantaged side, and the disadvantaged one
SIDES = {A: "a", D: "d"}


class Cells(Struct, frozen=True):
    """Counts of the two sides: `sides` has shape (..., 2, 3, 3), by side, label and predicted label; `whole`
    (..., 3, 3) counts the rows whose facet is missing too. What `...` is does not matter to a formula: it is
    nothing for a window, and the number of resamples for its uncertainty.

    `groups`, shape (..., groups, 2, 3, 3), is None where no group variable is known, and the reason why.
    """

    sides: Array
    whole: Array
    groups: Array | str = "Group variable is empty or not provided"

    @classmethod
    def of(cls, table: Table, value: int, grouped: bool) -> "Cells":
        """The cells of one of the values that `table` tells apart, against all others and not the missing.

        >>> facet, label, predicted = np.array([[0, 1, 1, 2], [1, 1, 0, 0], [1, 0, 2, 2]])
        >>> Cells.of(Table.of(1, facet, label, predicted), 0, False).rows(A)
        array(2.)
        """
        sides = _sides(table.counts, value)
        whole = table.counts.sum(axis=0).astype(np.float64)
        if not grouped:
            return cls(sides, whole)
        if table.by_group is None:
            return cls(sides, whole, "The group variable has too many values")
        return cls(sides, whole, _sides(table.by_group, value))

    def rows(self, side: int) -> Array:
        """Rows of a side, whether or not they have a label."""
        return _total(self.sides[..., side, :, :])

    def labelled(self, side: int, label: int | None = None) -> Array:
        """Rows of a side with a label, or with this one."""
        if label is not None:
            return _total(self.sides[..., side, label : label + 1, :])
        return _total(self.sides[..., side, :MISSING, :])

    def predicted(self, side: int, predicted: int | None = None) -> Array:
        """Rows of a side with a prediction, or with this one."""
        if predicted is not None:
            return _total(self.sides[..., side, :, predicted : predicted + 1])
        return _total(self.sides[..., side, :, :MISSING])

    def both(self, side: int, label: int | None = None, predicted: int | None = None) -> Array:
        """Rows of a side that have a label and a prediction, or these."""
        labels = slice(NEGATIVE, MISSING) if label is None else slice(label, label + 1)
        predictions = slice(NEGATIVE, MISSING) if predicted is None else slice(predicted, predicted + 1)
        return _total(self.sides[..., side, labels, predictions])


def _total(counts: Array) -> Array:
    """Sum over labels and predictions."""
    return np.asarray(counts.sum(axis=(-2, -1)))


def _sides(counts: NDArray[np.int64], value: int) -> Array:
    """(..., values + 2, 3, 3) as (..., 2, 3, 3): all others, and the value."""
    own = counts[..., value, :, :]
    others = counts[..., :-1, :, :].sum(axis=-3) - own
    return np.stack([others, own], axis=-3).astype(np.float64)


def divide(top: Array, bottom: Array) -> Array:
    """top / bottom; infinite where only the bottom is 0, and NaN, which is undefined, where both are.

    >>> divide(np.array([1.0, 1.0, 0.0]), np.array([2.0, 0.0, 0.0])).tolist()
    [0.5, inf, nan]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(top, bottom)


# What the two sides are divided by, in words: where it is 0 a metric is not defined, and where it is small
# the metric says little.
BASES: Mapping[str, Callable[[Cells, int], Array]] = {
    "row": Cells.rows,
    "row with a label": Cells.labelled,
    "row with a prediction": Cells.predicted,
    "row with a label and a prediction": Cells.both,
    "positive label": lambda c, side: c.both(side, label=POSITIVE),
    "negative label": lambda c, side: c.both(side, label=NEGATIVE),
    "positive prediction": lambda c, side: c.both(side, predicted=POSITIVE),
    "negative prediction": lambda c, side: c.both(side, predicted=NEGATIVE),
    "false positive": lambda c, side: c.both(side, NEGATIVE, POSITIVE),
}
