"""Quantiles and ranks of a stream in bounded memory: the KLL sketch (Karnin, Lang & Liberty 2016)."""

from typing import cast

import numpy as np
from datasketches import kll_doubles_sketch
from numpy.typing import NDArray

K = 2048  # as Model Monitor; up to this many values the sketch holds them all and is exact

# Largest rank error of two distributions (KS) at K, in 99 of 100 sketches, as a share of the values seen.
RANK_ERROR = float(kll_doubles_sketch.get_normalized_rank_error(K, True))

_EMPTY, _SINGLE = 1, 4  # flags of a serialized sketch


class Quantiles:
    """A KLL sketch of k = 2048, at most about 6,000 values (48 kB); `Quantiles()` is the identity.

    >>> q = Quantiles.of(np.arange(5.0)).merge(Quantiles.of(np.arange(5.0, 10.0)))
    >>> q.n, q.counts(np.array([0.0, 3.0, 9.0])).tolist()
    (10, [0.0, 3.0, 7.0, 0.0])
    """

    __slots__ = ("_sketch", "_weighted")

    def __init__(self, sketch: kll_doubles_sketch | None = None) -> None:
        self._sketch = sketch if sketch is not None else kll_doubles_sketch(K)
        self._weighted: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Quantiles":
        """Sketch finite `values`, shape (n,)."""
        sketch = kll_doubles_sketch(K)
        if len(values):
            sketch.update(np.require(values, np.float64, ["C", "W"]))  # it refuses a read-only array
        return cls(sketch)

    def merge(self, other: "Quantiles") -> "Quantiles":
        """Combine two disjoint samples; neither is changed."""
        if not self.n or not other.n:
            return self if self.n else other
        merged = kll_doubles_sketch.deserialize(self.dump())
        merged.merge(other._sketch)
        return Quantiles(merged)

    @property
    def n(self) -> int:
        """How many values were seen."""
        return cast(int, self._sketch.n)

    def weighted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The values kept, ascending, and how many values each stands for; weights add up to `n`.

        The sketch is not changed once it is here, so they are read out once: a window's end asks often.
        """
        if self._weighted is None:
            values, weights = _items(self.dump())
            order = np.argsort(values, kind="stable")
            self._weighted = values[order], weights[order]
            for part in self._weighted:
                part.setflags(write=False)
        return self._weighted

    def levels(self) -> list[list[float]]:
        """The values kept, by level: an item of level i stands for 2**i values, as in statistics.json."""
        values, weights = self.weighted()
        level = np.log2(weights).astype(np.int64) if len(weights) else np.empty(0, np.int64)
        return [values[level == i].tolist() for i in range(int(level.max(initial=0)) + 1)]

    def counts(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Estimated number of values below, in each bin of, and above `edges`, shape (edges + 1,)."""
        return bin_counts(*self.weighted(), edges)

    def dump(self) -> bytes:
        """As bytes that `load` reads."""
        return cast(bytes, self._sketch.serialize())

    @classmethod
    def load(cls, raw: bytes) -> "Quantiles":
        """Restore what `dump` wrote."""
        return cls(kll_doubles_sketch.deserialize(raw))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantiles):
            return NotImplemented
        return all(np.array_equal(a, b) for a, b in zip(self.weighted(), other.weighted(), strict=True))

    __hash__ = None  # type: ignore[assignment]


def _items(raw: bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and weights in a serialized sketch.

    The sketch's own iterator is not used: in datasketches 5.2.0 all its weights are 1 when level 0 is empty,
    as it is after some merges. Layout, little-endian: flags in byte 3, n at 8, the number of levels at 18,
    from 20 where each level begins, then the least and greatest value, then the values, level by level.
    """
    if raw[3] & _EMPTY:
        return np.empty(0), np.empty(0)
    if raw[3] & _SINGLE:
        return np.frombuffer(raw, "<f8", 1, 8), np.ones(1)
    starts = np.frombuffer(raw, "<u4", raw[18], 20).astype(np.int64)
    values = np.frombuffer(raw, "<f8", offset=20 + 4 * raw[18] + 16)
    sizes = np.diff(starts, append=starts[0] + len(values))
    return values, np.repeat(2.0 ** np.arange(len(sizes)), sizes)


def bin_counts(
    values: NDArray[np.float64], weights: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weight below, in each bin of, and above `edges`: bins are [lower, upper), the last one [lower, upper].

    >>> bin_counts(np.array([0.0, 1.0, 2.0]), np.ones(3), np.array([0.0, 1.0, 2.0])).tolist()
    [0.0, 1.0, 2.0, 0.0]
    """
    place = np.searchsorted(edges, values, side="right")
    if len(edges) > 1:
        place[values == edges[-1]] = len(edges) - 1
    return np.bincount(place, weights=weights, minlength=len(edges) + 1).astype(np.float64)
