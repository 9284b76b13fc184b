"""What is known of columns before any window: their types, and how many different values they hold.

Types are told once, from the baseline or the whole data set, and never from a window: a label of 0 and 1 in a
window of 40 rows would be a continuous one by Clarify's rule.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from msgspec import UNSET, Struct

from monitors.bias.plan import distinct
from monitors.types import classify
from schemas.layout import Kind
from schemas.statistics import FeatureStatistics, Statistics

_UNIQUE = 0.05  # share of different values from which on Clarify takes whole numbers for continuous
_FLAG = 2  # values that whole numbers can have and still be no quantity


class Facts(Struct, frozen=True):
    """A column: its type, the number of its values and of different ones, and these in order of appearance,
    where that is known."""

    kind: Kind
    count: float = 0.0
    distinct: float = 0.0
    values: Sequence[str] | None = None

    @property
    def continuous(self) -> bool:
        """Whether one configured value is a threshold: of fractions, and of whole numbers of which one in 20
        is new. Other than for Clarify, two different values are never a quantity.

        >>> Facts("Integral", 40, 2).continuous, Facts("Integral", 40, 30).continuous
        (False, True)
        """
        if self.kind == "Fractional":
            return True
        many = self.distinct > _FLAG and self.distinct >= _UNIQUE * self.count
        return self.kind == "Integral" and many


UNKNOWN = Facts("Unknown")


def of_table(table: pa.Table) -> dict[str, Facts]:
    """Facts of a whole data set's columns."""
    return {name: _of_column(table[name]) for name in table.column_names}


def _of_column(column: pa.ChunkedArray) -> Facts:
    kind = _kind(column)
    names, place = distinct(column, kind)
    values = list(dict.fromkeys(names))
    return Facts(kind, float(np.count_nonzero(place >= 0)), float(len(values)), values)


def _kind(column: pa.ChunkedArray) -> Kind:
    if pa.types.is_boolean(column.type):
        return "Boolean"
    if pa.types.is_integer(column.type):
        return "Integral"
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return "Fractional"
    if not pa.types.is_string(column.type):
        return "Unknown" if pa.types.is_null(column.type) else "String"
    return classify(column.combine_chunks().drop_null())[0].kind()


def of_baseline(kinds: Mapping[str, Kind], described: Statistics | None) -> dict[str, Facts]:
    """Facts from a baseline's types and, where there is one, its statistics."""
    known = {feature.name: feature for feature in described.features} if described else {}
    return {name: _of_feature(kind, known.get(name)) for name, kind in kinds.items()}


def _of_feature(kind: Kind, feature: FeatureStatistics | None) -> Facts:
    if feature is None:
        return Facts(kind)
    if (numeric := feature.numerical_statistics) is not UNSET:
        found = numeric.approximate_num_distinct_values
        return Facts(kind, numeric.common.num_present, 0.0 if found is UNSET else found)
    if (text := feature.string_statistics) is UNSET:
        return Facts(kind)
    values = None
    if text.distribution is not UNSET and text.distribution.categorical is not UNSET:
        values = [bucket.value for bucket in text.distribution.categorical.buckets]
    return Facts(kind, text.common.num_present, text.distinct_count, values)
