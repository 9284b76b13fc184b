"""The flip test: would a row of the disadvantaged group be predicted otherwise, were it of the other one?

It compares rows with their neighbours and can therefore not be counted. It rests on a sample of at most
SAMPLE rows a window, those with the smallest hash of their content and their record's id: it merges, and
depends on no order. With up to SAMPLE rows it is exact. Without ids rows of equal content share a hash, and
such a sample would hold all of them or none; a data set's rows are told apart by their place.
"""

import zlib
from math import sqrt

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

SAMPLE = 2_000
_MOST_NUMBERS = 64_000  # in a sample, so that it fits a message; at least _FEWEST rows are kept all the same
_FEWEST = 200

_NEIGHBOURS, _FEW_NEIGHBOURS, _FEW = 5, 1, 9  # Clarify's: one neighbour where group a has nine rows or fewer
_SPARE = 16  # nearest neighbours looked up: those of a jackknife group are passed over
_GROUPS = 40  # of the jackknife
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Sample:
    """Rows with their numeric features, facet values and prediction, by ascending hash.

    `features` has shape (rows, features), `facets` (rows, facets) holds the codes of `Table`, `predicted`
    (rows,) 0 or 1. `Sample.empty(features, facets)` is the identity of merge.
    """

    __slots__ = ("facets", "features", "mark", "predicted")

    def __init__(
        self,
        features: NDArray[np.float64],
        facets: NDArray[np.int64],
        predicted: NDArray[np.int64],
        mark: NDArray[np.uint64],
    ) -> None:
        self.features, self.facets, self.predicted, self.mark = features, facets, predicted, mark

    @classmethod
    def empty(cls, features: int, facets: int) -> "Sample":
        """No row, of so many features and facets."""
        none = np.empty(0, np.int64)
        return cls(np.empty((0, features)), np.empty((0, facets), np.int64), none, np.empty(0, np.uint64))

    @classmethod
    def of(
        cls,
        features: NDArray[np.float64],
        facets: NDArray[np.int64],
        predicted: NDArray[np.int64],
        ids: NDArray[np.int64],
    ) -> "Sample":
        """Sample rows; those that lack a number or a prediction have no place in it. `ids`, shape (rows,),
        tell rows of equal content apart."""
        usable = np.isfinite(features).all(axis=1) & (predicted >= 0) & (predicted <= 1)
        features, facets, predicted = features[usable] + 0.0, facets[usable], predicted[usable]
        mark = _marks(*features.T, *facets.T, predicted, ids[usable])
        return cls(features, facets, predicted, mark)._smallest()

    def merge(self, other: "Sample") -> "Sample":
        """Sample two disjoint sets of rows; neither is changed."""
        parts = zip(self._parts(), other._parts(), strict=True)
        features, facets, predicted, mark = (np.concatenate(both) for both in parts)
        return Sample(features, facets, predicted, mark)._smallest()

    def _parts(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:  # type: ignore[type-arg]
        return self.features, self.facets, self.predicted, self.mark

    def _smallest(self) -> "Sample":
        most = kept(self.features.shape[1])
        order = np.argsort(self.mark, kind="stable")[:most]
        return Sample(*(part[order] for part in self._parts()))

    def __len__(self) -> int:
        return len(self.mark)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sample):
            return False
        return all(np.array_equal(a, b) for a, b in zip(self._parts(), other._parts(), strict=True))

    __hash__ = None  # type: ignore[assignment]

    def dump(self) -> bytes:
        """As bytes that `load` reads."""
        parts = [part.tobytes() for part in self._parts()]
        shape = (self.features.shape[1], self.facets.shape[1])
        return zlib.compress(msgspec.msgpack.encode((*shape, *parts)), 1)

    @classmethod
    def load(cls, raw: bytes) -> "Sample":
        """Restore what `dump` gave."""
        kinds = tuple[int, int, bytes, bytes, bytes, bytes]
        wide, facets, *parts = msgspec.msgpack.decode(zlib.decompress(raw), type=kinds)
        predicted, mark = np.frombuffer(parts[2], np.int64), np.frombuffer(parts[3], np.uint64)
        return cls(
            np.frombuffer(parts[0], np.float64).reshape(len(mark), wide),
            np.frombuffer(parts[1], np.int64).reshape(len(mark), facets),
            predicted,
            mark,
        )


def kept(features: int) -> int:
    """How many rows a sample of so many features holds at most."""
    return min(SAMPLE, max(_FEWEST, _MOST_NUMBERS // max(1, features)))


class Flips(Struct, frozen=True):
    """The flip test's value in [-1, 1], its standard error (None where there are too few rows), and the rows
    of the two groups that it rests on."""

    value: float
    standard_error: float | None
    rows: tuple[int, int]


def measure(sample: Sample, facet: int, value: int, missing: int, without: list[int]) -> Flips | str:
    """Flip Test: (F+ - F-) / n_d, in [-1, 1], or the reason why there is none.

    F+ are rows of d that the model predicts positive and their five nearest neighbours of a (one where a has
    at most nine rows) by majority negative; F- the reverse. So above 0 d is treated better than its like in
    a: the sign of Clarify's program, which its guide gives the other way round. Distances are Euclidean over
    all numeric features but those `without`, not scaled; of equally near rows, the one with the smaller hash.
    The standard error is a jackknife over 40 groups of rows of both sides.

    Source: Black, Yeom & Fredrikson 2020, approximated as in smclarify 0.5.
    """
    of = sample.facets[:, facet]
    features = np.delete(sample.features, without, axis=1)
    d, a = np.flatnonzero(of == value), np.flatnonzero((of != value) & (of != missing))
    if not len(a) or not len(d):
        return f"facet {'d' if len(a) else 'a'} has no row with a prediction and all features"
    if not features.shape[1]:
        return "there is no numeric feature but the facet"
    n = _NEIGHBOURS if len(a) > _FEW else _FEW_NEIGHBOURS
    near = _nearest(features[d], features[a])
    votes, model = sample.predicted[a][near], sample.predicted[d]
    everywhere = np.ones_like(near, np.bool_)
    found = _difference(votes, everywhere, model, n)
    if len(d) < _GROUPS or len(a) < _GROUPS:
        return Flips(found, None, (len(a), len(d)))
    return Flips(found, _jackknife(votes, model, a[near] % _GROUPS, d % _GROUPS, n), (len(a), len(d)))


def _nearest(of: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest rows of `among` for each row `of`, nearest first; those equally near in their order."""
    distance = cdist(of, among, "sqeuclidean")
    most = min(_SPARE, len(among))
    near = np.sort(np.argpartition(distance, most - 1, axis=1)[:, :most], axis=1)
    order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1)


def _difference(
    votes: NDArray[np.int64], counts: NDArray[np.bool_], model: NDArray[np.int64], n: int
) -> float:
    """The test's value where of each row's neighbours the first `n` that count vote."""
    voting = counts & (np.cumsum(counts, axis=1) <= n)
    neighbours = 2 * (votes * voting).sum(axis=1) > voting.sum(axis=1)
    return float((model - neighbours).mean())


def _jackknife(
    votes: NDArray[np.int64],
    model: NDArray[np.int64],
    group_a: NDArray[np.int64],
    group_d: NDArray[np.int64],
    n: int,
) -> float:
    values = np.array(
        [
            _difference(votes[left], group_a[left] != g, model[left], n)
            for g in range(_GROUPS)
            if (left := group_d != g).any()
        ]
    )
    return sqrt((_GROUPS - 1) / _GROUPS * float(((values - values.mean()) ** 2).sum()))


def _marks(*columns: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.uint64]:
    """A hash of each row's content (splitmix64 over its columns; Steele, Lea & Flood 2014)."""
    mark = np.zeros(len(columns[0]), np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            mark = (mark ^ np.ascontiguousarray(column).view(np.uint64)) + _GOLDEN
            mark = (mark ^ (mark >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mark = (mark ^ (mark >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mark ^= mark >> np.uint64(31)
    return mark
