"""Counts of the values of a string feature: exact while they are few, and then only how many there are."""

from collections.abc import Mapping
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
from datasketches import hll_sketch, hll_union, tgt_hll_type

LIMIT = 4096  # distinct values counted one by one; beyond it a state would grow with its rows
TEXT_LIMIT = 262_144  # and their length together: free text would not fit a log message long before
_LG_K = 12  # HyperLogLog of 4,096 registers: relative standard error 1.6 %


class Categories:
    """Exact counts up to LIMIT distinct values (or TEXT_LIMIT characters of them), then a HyperLogLog;
    `Categories()` is the identity.

    Whether counts were given up depends only on which values were seen, not on how they were split.

    >>> c = Categories.of(pa.array(["a", "b", "a"])).merge(Categories.of(pa.array(["c"])))
    >>> c.counts, c.distinct()
    ({'a': 2, 'b': 1, 'c': 1}, 3.0)
    """

    __slots__ = ("_sketch", "counts")

    def __init__(self, counts: Mapping[str, int] | None = None, sketch: hll_sketch | None = None) -> None:
        self.counts: Mapping[str, int] | None = {} if counts is None and sketch is None else counts
        self._sketch = sketch
        if self.counts and (len(self.counts) > LIMIT or sum(map(len, self.counts)) > TEXT_LIMIT):
            self._sketch = _sketch_of(self.counts)
            self.counts = None

    @classmethod
    def of(cls, values: pa.Array) -> "Categories":
        """Count text `values` without nulls."""
        counted = pc.value_counts(values)
        pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
        return cls(dict(pairs))

    def merge(self, other: "Categories") -> "Categories":
        """Combine two disjoint samples; neither is changed."""
        if self.counts is not None and other.counts is not None:
            merged = dict(self.counts)
            for value, count in other.counts.items():
                merged[value] = merged.get(value, 0) + count
            return Categories(merged)
        union = hll_union(_LG_K)
        for part in (self, other):
            union.update(part._sketch if part.counts is None else _sketch_of(part.counts))
        return Categories(None, union.get_result(tgt_hll_type.HLL_8))

    def distinct(self) -> float:
        """Number of different values: exact while they are counted, else an estimate (standard error 1.6 %).

        A sketch that was never merged estimates from the order in which it saw its values. Merged with
        itself it does as a merged one does: by what it holds, however the values were split.
        """
        if self.counts is not None:
            return float(len(self.counts))
        union = hll_union(_LG_K)
        for _ in range(2):
            union.update(self._sketch)
        return float(round(union.get_result(tgt_hll_type.HLL_8).get_estimate()))

    def dump(self) -> Mapping[str, int] | bytes:
        """The counts, or the sketch as bytes; `load` reads both."""
        if self.counts is not None:
            return self.counts
        assert self._sketch is not None
        return cast(bytes, self._sketch.serialize_updatable())

    @classmethod
    def load(cls, raw: Mapping[str, int] | bytes) -> "Categories":
        """Restore what `dump` gave."""
        if isinstance(raw, bytes):
            return cls(None, hll_sketch.deserialize(raw))
        return cls(raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Categories) and (self.counts, self.distinct()) == (
            other.counts,
            other.distinct(),
        )

    __hash__ = None  # type: ignore[assignment]


def _sketch_of(values: Mapping[str, int]) -> hll_sketch:
    sketch = hll_sketch(_LG_K, tgt_hll_type.HLL_8)
    for value in values:
        sketch.update(value)
    return sketch
