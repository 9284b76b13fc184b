"""How often each probability came in two groups of rows: what AUC, curves and estimates are read off."""

from struct import Struct as Format

import numpy as np
from numpy.typing import NDArray

LIMIT = 8192  # different probabilities that are kept apart
EXACT = 53  # bits of a probability as it came
_FINEST, _COARSEST = 16, 6  # bits of a bin's place within its octave; at 6 there are 2,562 bins in all
_SMALLEST = 2.0**-20  # in bins, probabilities closer to 0 or 1 are 0 or 1
_HEAD = Format("<BI")

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Scores:
    """Probabilities, ascending, and how many rows of the group and of the `rest` had each.

    Exact up to 8,192 different probabilities. Beyond, each is moved to the middle of a bin, whose width is
    2**-bits of the distance to 0 or 1 (whichever is nearer), with as many `bits` as leave at most 8,192 bins
    with something in them: 16 at first, 6 at least. So bins are fine where the scores are. Bins of fewer bits
    are unions of those of more; so nothing depends on the order of rows or merges. At most 197 kB.
    `Scores()` is the identity of merge.

    >>> few = Scores.of(np.array([0.9, 0.2]), np.array([True, False]))
    >>> few.merge(Scores.of(np.array([0.9]), np.array([False]))).rest.tolist()
    [1, 1]
    """

    __slots__ = ("bits", "group", "rest", "values")

    def __init__(
        self,
        values: Floats | None = None,
        group: Counts | None = None,
        rest: Counts | None = None,
        bits: int = EXACT,
    ) -> None:
        self.values = np.empty(0) if values is None else values
        self.group = np.empty(0, np.int64) if group is None else group
        self.rest = np.empty(0, np.int64) if rest is None else rest
        self.bits = bits

    @property
    def exact(self) -> bool:
        """Whether all probabilities are as they came."""
        return self.bits == EXACT

    @classmethod
    def of(cls, probability: Floats, member: NDArray[np.bool_]) -> "Scores":
        """Of probabilities in [0, 1], shape (n,), and whether each row belongs to the group."""
        if not len(probability):
            return cls()
        order = np.argsort(probability)
        group = member[order].astype(np.int64)
        return Scores(*_collapsed(probability[order] + 0.0, group, 1 - group))._limited()

    def merge(self, other: "Scores") -> "Scores":
        """Combine two disjoint samples; neither is changed."""
        if not len(self) or not len(other):
            return self if len(self) else other
        bits = min(self.bits, other.bits)
        a, b = self.binned(bits), other.binned(bits)
        values = np.concatenate((a.values, b.values))
        order = np.argsort(values, kind="stable")  # two runs: one pass
        group, rest = np.concatenate((a.group, b.group)), np.concatenate((a.rest, b.rest))
        return Scores(*_collapsed(values[order], group[order], rest[order]), bits)._limited()

    def binned(self, bits: int) -> "Scores":
        """The same in bins of so many bits, where it is not in bins as coarse already."""
        if bits >= self.bits:
            return self
        return Scores(*_collapsed(_middle(self.values, bits), self.group, self.rest), bits)

    def _limited(self) -> "Scores":
        found = self
        while len(found) > LIMIT and found.bits > _COARSEST:
            found = found.binned(min(found.bits - 1, _FINEST))
        return found

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scores) and self.dump() == other.dump()

    __hash__ = None  # type: ignore[assignment]

    def dump(self) -> bytes:
        """As bytes that `load` reads, little-endian."""
        parts = (self.values.astype("<f8"), self.group.astype("<i8"), self.rest.astype("<i8"))
        return _HEAD.pack(self.bits, len(self)) + b"".join(part.tobytes() for part in parts)

    @classmethod
    def load(cls, raw: bytes) -> "Scores":
        """Restore what `dump` wrote."""
        bits, n = _HEAD.unpack_from(raw)
        at = _HEAD.size
        values = np.frombuffer(raw, "<f8", n, at).astype(np.float64)
        group, rest = (np.frombuffer(raw, "<i8", n, at + 8 * n * (i + 1)).astype(np.int64) for i in range(2))
        return cls(values, group, rest, bits)


def _collapsed(values: Floats, group: Counts, rest: Counts) -> tuple[Floats, Counts, Counts]:
    """Counts of equal values added up; `values` ascend."""
    new = np.empty(len(values), np.bool_)
    new[:1] = True
    np.not_equal(values[1:], values[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    if len(starts) == len(values):
        return values, group, rest
    return values[starts], np.add.reduceat(group, starts), np.add.reduceat(rest, starts)


def _middle(values: Floats, bits: int) -> Floats:
    """The middles of the bins of `values`, ascending as they do."""
    near = np.minimum(np.minimum(values, 1.0 - values), np.nextafter(0.5, 0.0))
    mantissa, exponent = np.frexp(near)
    steps = 2.0 ** (bits + 1)
    middle = np.ldexp((np.floor(mantissa * steps) + 0.5) / steps, exponent)
    middle = np.where(near < _SMALLEST, 0.0, middle)
    return np.where(values < 0.5, middle, 1.0 - middle)
