"""Attributions of many rows: the state that global SHAP values are read from."""

import zlib
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitors.marks import Marks, smallest
from monitors.shap.kernel import Array

Aggregate: TypeAlias = Literal["mean_abs", "median", "mean_sq"]

KEPT = 2_000  # rows whose values are kept, those with the smallest marks
_NUMBERS = 100_000  # and no more than so many values, so that they fit a message
_FEWEST = 50


class Attributions:
    """Local SHAP values of `n` rows, shape (features, outputs) each: sums of |phi| and phi^2 of all, and the
    values of a sample (rows, features, outputs), with their marks ascending. `Attributions.empty` is the
    identity of merge.

    mean_abs and mean_sq are those of all rows. median, and the spread of any of them, is the sample's: of up
    to KEPT rows it is exact.
    """

    __slots__ = ("absolute", "marks", "n", "square", "values")

    def __init__(self, n: int, absolute: Array, square: Array, values: Array, marks: Marks) -> None:
        self.n, self.absolute, self.square, self.values, self.marks = n, absolute, square, values, marks

    @classmethod
    def empty(cls, features: int, outputs: int) -> "Attributions":
        """Of no row."""
        return cls.of(np.empty((0, features, outputs)), np.empty(0, np.uint64))

    @classmethod
    def of(cls, values: Array, marks: Marks) -> "Attributions":
        """Of local `values`, shape (rows, features, outputs), without the rows that lack a number."""
        finite = np.isfinite(values).all(axis=(1, 2))
        values, marks = values[finite] + 0.0, marks[finite]
        sums = np.abs(values).sum(axis=0), (values**2).sum(axis=0)
        places = smallest(marks, _kept(values), lambda at: values[at].tobytes())
        return cls(len(values), *sums, values[places], marks[places])

    def merge(self, other: "Attributions") -> "Attributions":
        """Of two disjoint sets of rows; neither is changed."""
        values = np.concatenate([self.values, other.values])
        marks = np.concatenate([self.marks, other.marks])
        places = smallest(marks, _kept(values), lambda at: values[at].tobytes())
        sums = self.absolute + other.absolute, self.square + other.square
        return Attributions(self.n + other.n, *sums, values[places], marks[places])

    def aggregate(self, by: Aggregate = "mean_abs") -> Array:
        """Global SHAP values, shape (features, outputs): the mean of |phi| or of phi^2, or the median of phi;
        zeros of no row.

        >>> values = np.array([[[1.0]], [[-3.0]], [[-4.0]]])
        >>> found = Attributions.of(values, np.arange(3, dtype=np.uint64))
        >>> [round(float(found.aggregate(by)[0, 0]), 3) for by in ("mean_abs", "median", "mean_sq")]
        [2.667, -3.0, 8.667]
        """
        if not self.n:
            return np.zeros_like(self.absolute)
        if by == "median":
            return np.asarray(np.median(self.values, axis=0), np.float64)
        return (self.absolute if by == "mean_abs" else self.square) / self.n

    def resampled(self, by: Aggregate, times: int) -> Array:
        """Global SHAP values of `times` resamples with replacement, shape (times, features, outputs)."""
        random, rows = np.random.default_rng(0), len(self.values)
        if by == "median":
            drawn = (self.values[random.integers(rows, size=rows)] for _ in range(times))
            return np.array([np.median(values, axis=0) for values in drawn])
        weights = random.multinomial(rows, np.full(rows, 1 / rows), size=times) / rows
        local = np.abs(self.values) if by == "mean_abs" else self.values**2
        found: Array = np.einsum("tr,rfo->tfo", weights, local, optimize=True)
        return found

    def __eq__(self, other: object) -> bool:
        """The same rows; sums may differ by the rounding of another order."""
        if not isinstance(other, Attributions) or self.n != other.n:
            return False
        same = np.array_equal(self.values, other.values) and np.array_equal(self.marks, other.marks)
        return (
            same
            and np.allclose(self.absolute, other.absolute, 1e-9)
            and np.allclose(self.square, other.square)
        )

    __hash__ = None  # type: ignore[assignment]

    def dump(self) -> bytes:
        """As bytes that `load` reads."""
        parts = [part.tobytes() for part in (self.absolute, self.square, self.values, self.marks)]
        return zlib.compress(msgspec.msgpack.encode((self.n, self.absolute.shape, *parts)), 1)

    @classmethod
    def load(cls, raw: bytes) -> "Attributions":
        """Restore what `dump` gave."""
        kinds = tuple[int, tuple[int, int], bytes, bytes, bytes, bytes]
        n, shape, absolute, square, values, marks = msgspec.msgpack.decode(zlib.decompress(raw), type=kinds)
        numbers = [np.frombuffer(part, np.float64) for part in (absolute, square, values)]
        return cls(
            n,
            numbers[0].reshape(shape),
            numbers[1].reshape(shape),
            numbers[2].reshape(-1, *shape),
            np.frombuffer(marks, np.uint64),
        )


def _kept(values: NDArray[np.float64]) -> int:
    width = int(values.shape[1] * values.shape[2])
    return min(KEPT, max(_FEWEST, _NUMBERS // max(1, width)))
