"""How many different values a numeric feature has: exact while they are few, then an estimate."""

import numpy as np
from numpy.typing import NDArray

LIMIT = 2048  # hashes kept; exact up to so many different values

Hashes = NDArray[np.uint64]

_BLOCK = 8192  # values hashed at a time: they stay in the processor's cache
_FEW = 1024  # up to so many hashes are not worth being looked up
_MARKS, _PLACES = 1 << 16, 1 << 15  # sizes of a bitmap and, at most, of a table
_NONE: Hashes = np.empty(0, np.uint64)
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


class Distinct:
    """Adaptive sampling (Wegman; Flajolet 1990): the hashes that begin with `depth` zero bits, where `depth`
    is the smallest at which no more than LIMIT are left; each stands for 2**depth values. `Distinct()` is the
    identity of merge.

    Exact up to LIMIT different values; beyond, the standard error is 2.2 to 3.1 %. What is kept depends only
    on which values were seen. A value costs about 5 ns, because hardly any of the hashes are ever sorted.

    >>> Distinct.of(np.array([1.0, 2.0, 2.0])).merge(Distinct.of(np.array([2.0, 3.0]))).estimate()
    3.0
    """

    __slots__ = ("_depth", "_kept", "_new", "_table")

    def __init__(self, kept: Hashes = _NONE, depth: int = 0, new: Hashes = _NONE) -> None:
        self._kept = kept  # ascending, each once
        self._depth = depth
        self._new = new  # as they came, few enough to wait until they are sorted
        self._table: Hashes | None = None

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Distinct":
        """The different values among finite `values`, shape (n,)."""
        found = cls(new=_hashes(values[:_BLOCK]))
        for at in range(_BLOCK, len(values), _BLOCK):
            found = found.merge(cls(new=_hashes(values[at : at + _BLOCK])))
        return found

    @classmethod
    def of_sorted(cls, values: NDArray[np.float64]) -> "Distinct":
        """The same for ascending `values`: where most are repeated, few have to be hashed."""
        different = np.ones(len(values), np.bool_)
        np.not_equal(values[1:], values[:-1], out=different[1:])
        repeated = 2 * np.count_nonzero(different) < len(values)
        return cls.of(np.compress(different, values) if repeated else values)

    def merge(self, other: "Distinct") -> "Distinct":
        """Combine two samples; neither is changed."""
        if (other._depth, len(other._kept)) > (self._depth, len(self._kept)):
            return other.merge(self)
        if len(self._new) and not len(self._kept) and _are_few(self._new):
            self._settle()
        new = self._unknown(_of_depth(np.concatenate((other._kept, other._new)), self._depth))
        if not len(new):
            return self
        merged = Distinct(self._kept, self._depth, np.concatenate((self._new, new)))
        merged._table = self._table
        if len(merged._new) > 4 * LIMIT:
            merged._settle()
        return merged

    def estimate(self) -> float:
        """How many different values there are; a whole number."""
        self._settle()
        return float(len(self._kept) << self._depth)

    def dump(self) -> tuple[int, bytes]:
        """What `load` restores."""
        self._settle()
        self._table = None  # as large as eight states: only a window that data keep coming to needs one
        return self._depth, self._kept.astype("<u8").tobytes()

    @classmethod
    def load(cls, dumped: tuple[int, bytes]) -> "Distinct":
        """Restore what `dump` gave."""
        depth, raw = dumped
        return cls(np.frombuffer(raw, "<u8").astype(np.uint64), depth)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distinct) and self.dump() == other.dump()

    __hash__ = None  # type: ignore[assignment]

    def _settle(self) -> None:
        """Sort in what is new: put off, because most of what comes is known, or is not kept in the end."""
        if not len(self._new):
            return
        found = np.concatenate((self._kept, self._new))
        depth = _least_depth(found, self._depth)
        self._kept, self._depth = _cut(_set_of(_of_depth(found, depth)), depth)
        self._new, self._table = _NONE, None

    def _unknown(self, hashes: Hashes) -> Hashes:
        """`hashes` without most of those that are kept already; to find them all would cost more."""
        if not len(self._kept) or len(hashes) <= _FEW:
            return hashes
        if self._table is None:
            self._table = _table_of(self._kept, self._depth)
        found = self._table.take(_places(hashes, self._depth, len(self._table)))
        return _where(found != hashes, hashes)


def _hashes(values: NDArray[np.float64]) -> Hashes:
    """A number for each value, even over 64 bits; equal values (-0 and 0 too) have the same."""
    found = (values + 0.0).view(np.uint64)  # -0 + 0 is 0; and a copy, to be changed in place
    found *= _FIRST
    found ^= found >> np.uint64(32)
    found *= _SECOND
    return found


def _set_of(hashes: Hashes) -> Hashes:
    """The same, ascending and each once. (numpy's unique takes four times as long.)"""
    found = np.sort(hashes)
    different = np.ones(len(found), np.bool_)
    np.not_equal(found[1:], found[:-1], out=different[1:])
    return found[different]


def _of_depth(hashes: Hashes, depth: int) -> Hashes:
    return _where(hashes < np.uint64(1 << (64 - depth)), hashes) if depth else hashes


def _where(mask: NDArray[np.bool_], hashes: Hashes) -> Hashes:
    return hashes.take(np.flatnonzero(mask))  # faster than an index of booleans


def _cut(kept: Hashes, depth: int) -> tuple[Hashes, int]:
    """What is kept of ascending hashes, and the depth, from `depth` on, at which they are few enough."""
    count = len(kept)
    while count > LIMIT:
        depth += 1
        count = int(np.searchsorted(kept, np.uint64(1 << (64 - depth))))
    return (kept if count == len(kept) else kept[:count].copy()), depth


def _least_depth(hashes: Hashes, depth: int) -> int:
    """A depth below which more than LIMIT different `hashes` are left for certain: what is not kept in the
    end need not be sorted."""
    if len(hashes) <= LIMIT:
        return depth
    seen = _first_bits(hashes, depth)
    left = _MARKS
    while np.count_nonzero(seen[:left]) > LIMIT:
        left, depth = left // 2, depth + 1
    return depth


def _are_few(hashes: Hashes) -> bool:
    """Whether a sample of `hashes` repeats so much that it is worth sorting, to know what comes again."""
    return bool(np.count_nonzero(_first_bits(hashes, 0)) < len(hashes) / 2)


def _first_bits(hashes: Hashes, depth: int) -> NDArray[np.bool_]:
    """Which beginnings of hashes there are (16 bits after `depth` zeros): no more than different hashes."""
    seen = np.zeros(_MARKS, np.bool_)
    seen[_places(hashes, depth, _MARKS)] = True
    return seen


def _table_of(kept: Hashes, depth: int) -> Hashes:
    """The hashes at places that they tell themselves; where two want one place, one of them is left out."""
    size = min(1 << (64 * len(kept)).bit_length(), _PLACES)
    table = np.full(size, np.iinfo(np.uint64).max)
    table[-1] = 0  # what fills a free place must belong to another place, so as not to be found there
    table[_places(kept, depth, size)] = kept
    return table


def _places(hashes: Hashes, depth: int, size: int) -> NDArray[np.int64]:
    """Places in a table of `size`, a power of two: the bits after the zeros that all hashes begin with."""
    return ((hashes << np.uint64(depth)) >> np.uint64(65 - size.bit_length())).view(np.int64)
