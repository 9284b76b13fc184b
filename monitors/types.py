"""Which type each value is, told from its text by the rules of Deequ, and the type of a column of them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas.layout import Kind

_INTEGRAL = r"^[-+]? ?\d+$"
_FRACTIONAL = r"^[-+]? ?\d+(?:\.\d+|(?:\.\d+)?[Ee][-+]?\d+)$"
_BOOLEAN = r"^(?:true|false)$"


class TypeCounts(Struct, frozen=True):
    """How many present values are of each type; `TypeCounts()` is the identity of merge."""

    integral: int = 0
    fractional: int = 0
    boolean: int = 0
    string: int = 0

    def merge(self, other: "TypeCounts") -> "TypeCounts":
        """Counts of two disjoint samples."""
        return TypeCounts(
            self.integral + other.integral,
            self.fractional + other.fractional,
            self.boolean + other.boolean,
            self.string + other.string,
        )

    @property
    def present(self) -> int:
        """Values that are not missing."""
        return self.integral + self.fractional + self.boolean + self.string

    @property
    def numeric(self) -> int:
        """Values that are numbers."""
        return self.integral + self.fractional

    def kind(self) -> Kind:
        """The narrowest type that holds every value: Integral fits Fractional, all fit String.

        >>> TypeCounts(integral=9, fractional=1).kind(), TypeCounts(integral=9, string=1).kind()
        ('Fractional', 'String')
        """
        if not self.present:
            return "Unknown"
        if self.string or self.boolean:
            return "Boolean" if self.boolean == self.present else "String"
        return "Fractional" if self.fractional else "Integral"

    def fitting(self, kind: Kind) -> int:
        """How many present values fit `kind`."""
        fitting = {"Integral": self.integral, "Fractional": self.numeric, "Boolean": self.boolean}
        return fitting.get(kind, self.present)

    def share(self, kind: Kind) -> float:
        """Share of present values that fit `kind`, in [0, 1]; 1 when there is none."""
        return self.fitting(kind) / self.present if self.present else 1.0


def classify(text: pa.Array) -> tuple[TypeCounts, NDArray[np.float64], pa.Array]:
    """Types of non-null `text`: (counts, the numbers among it, which values are not numbers).

    A number too large for a double is text: it has no place among those that can be summed.

    >>> counts, numbers, _ = classify(pa.array(["1", "+2.5", "1e5", ".5", "true", "NaN"]))
    >>> counts, numbers.tolist()
    (TypeCounts(integral=1, fractional=2, boolean=1, string=2), [1.0, 2.5, 100000.0])
    """
    integral = pc.match_substring_regex(text, _INTEGRAL)
    fractional = pc.match_substring_regex(text, _FRACTIONAL)
    boolean = pc.match_substring_regex(text, _BOOLEAN)
    is_number = pc.or_(integral, fractional)
    digits = pc.replace_substring_regex(text.filter(is_number), r"[+ ]", "")
    values = np.asarray(digits.cast(pa.float64()), np.float64)
    numeric = np.array(is_number)
    numeric[numeric] = np.isfinite(values)
    ints, fracs = (int((np.asarray(mask) & numeric).sum()) for mask in (integral, fractional))
    bools = int(pc.sum(boolean).as_py() or 0)
    counts = TypeCounts(ints, fracs, bools, len(text) - ints - fracs - bools)
    return counts, values[np.isfinite(values)], pa.array(~numeric)


def fits(column: pa.ChunkedArray, kind: Kind) -> NDArray[np.bool_]:
    """Which values of a column, of text or typed, are of a type that fits `kind`; a missing value fits.

    >>> fits(pa.chunked_array([["1", "2.5", None, "x"]]), "Integral").tolist()
    [True, False, True, False]
    """
    missing = np.asarray(column.is_null())
    if kind in ("String", "Unknown"):
        return np.ones_like(missing)
    if pa.types.is_integer(column.type):
        return missing | (kind != "Boolean")
    if pa.types.is_floating(column.type):
        return missing | (kind == "Fractional")
    if pa.types.is_boolean(column.type):
        return missing | (kind == "Boolean")
    pattern = {"Integral": _INTEGRAL, "Boolean": _BOOLEAN}.get(kind)
    found = np.isfinite(numbers(column)) if kind != "Boolean" else ~missing
    if pattern is not None:
        found &= np.asarray(pc.match_substring_regex(column, pattern).fill_null(False))
    return missing | found


def numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """The numbers in a column, of text or typed, shape (rows,); NaN where a value is missing or no number.

    >>> numbers(pa.chunked_array([["1", "2.5", None, "x"]])).tolist()
    [1.0, 2.5, nan, nan]
    """
    if not pa.types.is_string(column.type):
        return np.asarray(column.cast(pa.float64(), safe=False), np.float64)
    found = np.full(len(column), np.nan)
    places = np.flatnonzero(np.asarray(column.is_valid()))
    _, values, other = classify(column.combine_chunks().drop_null())
    found[places[~np.asarray(other)]] = values
    return found
