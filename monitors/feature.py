"""Everything kept of one feature in one window: types, moments, distribution, different values."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from monitors.categories import Categories
from monitors.distinct import Distinct
from monitors.moments import Moments
from monitors.quantiles import Quantiles
from monitors.types import TypeCounts, classify
from schemas.layout import NUMERIC, Kind


class FeatureState(Struct, frozen=True):
    """State of one column; `FeatureState()` is the identity of merge. Missing values are not kept: they
    are the rows that have no value here.

    >>> state = FeatureState.of(pa.array(["3", "n/a", None]), "Integral")
    >>> state.types, state.moments.mean, state.categories.counts
    (TypeCounts(integral=1, fractional=0, boolean=0, string=1), 3.0, {'n/a': 1})
    """

    types: TypeCounts = TypeCounts()
    moments: Moments = Moments()
    quantiles: Quantiles = msgspec.field(default_factory=Quantiles)
    categories: Categories = msgspec.field(default_factory=Categories)
    distinct: Distinct = msgspec.field(default_factory=Distinct)
    negatives: int = 0

    @classmethod
    def of(cls, column: pa.Array, kind: Kind | None = None) -> "FeatureState":
        """Summarise `column`. `kind` is the type the baseline has; None, when that is to be found out.

        Text in a numeric feature is told apart value by value: its numbers are summarised as numbers, and
        what is not a number is counted as categories.
        """
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if not _is_number(column.type):
            column = _plain(column.drop_null()).drop_null()  # a dictionary may hold nulls of its own
        if _is_number(column.type):
            values = _ascending(column)
            whole = pa.types.is_integer(column.type)
            types = TypeCounts(integral=len(values)) if whole else TypeCounts(fractional=len(values))
            return cls._of_numbers(values, types)
        if pa.types.is_boolean(column.type):
            as_text = column.cast(pa.string())
            return cls(TypeCounts(boolean=len(column)), categories=Categories.of(as_text))
        if kind is not None and kind not in (*NUMERIC, "Boolean"):
            return cls(TypeCounts(string=len(column)), categories=Categories.of(column))
        types, numbers, other = classify(column)
        if kind == "Fractional":  # typed columns do not tell 5 from 5.0, so text must not either
            types = TypeCounts(0, types.numeric, types.boolean, types.string)
        shown = column.filter(other) if kind in NUMERIC else column
        return cls._of_numbers(np.sort(numbers), types, Categories.of(shown))

    @classmethod
    def _of_numbers(
        cls, values: NDArray[np.float64], types: TypeCounts, categories: Categories | None = None
    ) -> "FeatureState":
        """State of finite `values`, ascending."""
        sketch, distinct = Quantiles.of_sorted(values), Distinct.of_sorted(values)
        negatives = int(np.searchsorted(values, 0.0))
        return cls(types, Moments.of(values), sketch, categories or Categories(), distinct, negatives)

    def merge(self, other: "FeatureState") -> "FeatureState":
        """Combine two disjoint samples; neither is changed."""
        return FeatureState(
            self.types.merge(other.types),
            self.moments.merge(other.moments),
            self.quantiles.merge(other.quantiles),
            self.categories.merge(other.categories),
            self.distinct.merge(other.distinct),
            self.negatives + other.negatives,
        )

    def kind(self, expected: Kind | None = None) -> Kind:
        """The type of the values seen. A numeric feature that holds stray text keeps its numeric type, so
        that one bad value does not hide the distribution of all others."""
        types = self.types
        if expected not in NUMERIC or not types.numeric:
            return types.kind()
        if expected == "Fractional":
            return "Fractional"  # whole numbers fit a fractional feature
        return TypeCounts(types.integral, types.fractional).kind()

    def dump(self) -> bytes:
        """As bytes that `load` reads."""
        sketches = (self.quantiles.dump(), self.categories.dump(), self.distinct.dump())
        return msgspec.msgpack.encode((self.types, self.moments, *sketches, self.negatives))

    @classmethod
    def load(cls, raw: bytes) -> "FeatureState":
        """Restore what `dump` wrote."""
        types, moments, quantiles, categories, distinct, negatives = msgspec.msgpack.decode(raw, type=_Dumped)
        sketches = (Quantiles.load(quantiles), Categories.load(categories), Distinct.load(distinct))
        return cls(types, moments, *sketches, negatives)


_Dumped = tuple[TypeCounts, Moments, bytes, dict[str, int] | bytes, tuple[int, bytes], int]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _ascending(column: pa.Array) -> NDArray[np.float64]:
    """The numbers of a column in order, those beyond 2**53 rounded, as AWS's are.

    In a typed file NaN is how a missing value is written; here it is the way of a null too, and sorts last.
    """
    values = np.sort(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    return values[np.searchsorted(values, -np.inf, "right") : np.searchsorted(values, np.inf, "left")]


def _plain(column: pa.Array) -> pa.Array:
    """Types that a Parquet file may bring, as numbers or text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64())
    if _is_number(column.type) or pa.types.is_boolean(column.type) or pa.types.is_string(column.type):
        return column
    if pa.types.is_nested(column.type):
        return pa.array([msgspec.json.encode(value).decode() for value in column.to_pylist()], pa.string())
    if pa.types.is_null(column.type):
        return pa.array([], pa.string())
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # bytes that are no text, durations
        return pa.array([str(value) for value in column.to_pylist()], pa.string())
