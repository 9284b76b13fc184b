"""Event ids of a few records that break a rule of one feature, so that somebody can look at them."""

from collections.abc import Set
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from monitors.baseline import Reference
from monitors.feature import FeatureState
from monitors.types import fits, numbers
from schemas.constraints import Rule
from schemas.layout import NUMERIC
from schemas.rows import Rows

KEPT = 5  # ids of each kind
_LONGEST = 256  # characters: a longer id is left out, because a state must stay small
_FEW = 256  # ids of a batch that are all looked at
_LOOK = 4 * KEPT  # ids of a batch that are looked at: the smallest, some of which may be the same or endless

Ids: TypeAlias = tuple[str, ...]


class Samples(Struct, frozen=True):
    """Ids of records in which the feature's value is of a `wrong_type`, `missing`, `negative`, `outside` its
    domain, or `strange`: outside the baseline's range, or none of its categories. `Samples()` is the identity
    of merge.

    Of each kind the smallest ids are kept, as text: which those are depends on no order.
    """

    wrong_type: Ids = ()
    missing: Ids = ()
    negative: Ids = ()
    outside: Ids = ()
    strange: Ids = ()

    def merge(self, other: "Samples") -> "Samples":
        """Ids of two disjoint samples; neither is changed."""
        kinds = zip(self._kinds(), other._kinds(), strict=True)
        return Samples(*(a if a == b or not b else _smallest({*a, *b}) for a, b in kinds))

    def _kinds(self) -> tuple[Ids, ...]:
        return (self.wrong_type, self.missing, self.negative, self.outside, self.strange)

    def __bool__(self) -> bool:
        return any(self._kinds())


NO_SAMPLES = Samples()


def of(rows: Rows, state: FeatureState, rule: Rule, reference: Reference) -> Samples:
    """Samples of one feature of `rows`, whose `state` tells which kinds there are to be looked for."""
    column = rows.columns[rule.name]
    if rows.event_id is None or not _is_plain(column.type):
        return NO_SAMPLES
    kinds: dict[str, NDArray[np.bool_]] = {}
    if rule.completeness and column.null_count:
        kinds["missing"] = np.asarray(column.is_null())
    if state.types.fitting(rule.kind) < state.types.present:
        kinds["wrong_type"] = ~fits(column, rule.kind)
    if rule.kind in NUMERIC:
        kinds |= _numbers(column, state, rule, reference)
    else:
        kinds |= _categories(column, state, rule, reference)
    return Samples(**{kind: _ids(rows, mask) for kind, mask in kinds.items()}) if kinds else NO_SAMPLES


def _numbers(
    column: pa.ChunkedArray, state: FeatureState, rule: Rule, reference: Reference
) -> dict[str, NDArray[np.bool_]]:
    low, high = state.moments.low, state.moments.high
    negative = bool(rule.non_negative) and low < 0
    edges = reference.edges if rule.compare else None
    strange = edges is not None and bool(low < edges[0] or high > edges[-1])
    if not negative and not strange:
        return {}
    values = numbers(column)
    kinds = {"negative": values < 0} if negative else {}
    if edges is not None and strange:
        kinds["strange"] = (values < edges[0]) | (values > edges[-1])
    return kinds


def _categories(
    column: pa.ChunkedArray, state: FeatureState, rule: Rule, reference: Reference
) -> dict[str, NDArray[np.bool_]]:
    seen = reference.counts if rule.compare else None
    known: dict[str, Set[str] | None] = {
        "outside": rule.domains,
        "strange": None if seen is None else seen.keys(),
    }
    kinds = {kind: _unknown(column, state, names) for kind, names in known.items() if names is not None}
    return {kind: mask for kind, mask in kinds.items() if mask is not None}


def _unknown(column: pa.ChunkedArray, state: FeatureState, known: Set[str]) -> NDArray[np.bool_] | None:
    """Which values of a column are none of `known`; None where all are. Missing values are not looked at."""
    text = column if pa.types.is_string(column.type) else column.cast(pa.string())
    counts = state.categories.counts
    if counts is None:  # too many different values to have been counted
        found = pc.invert(pc.is_in(text, value_set=pa.array(sorted(known), pa.string())))
        return np.asarray(pc.and_(found, text.is_valid()))
    new = counts.keys() - known
    return np.asarray(pc.is_in(text, value_set=pa.array(sorted(new), pa.string()))) if new else None


def _is_plain(kind: pa.DataType) -> bool:
    """Whether it is a type that decoding gives; a table from elsewhere may bring others."""
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return bool(numeric or pa.types.is_boolean(kind) or pa.types.is_string(kind))


def _ids(rows: Rows, mask: NDArray[np.bool_]) -> Ids:
    """The smallest event ids of the rows that `mask` marks."""
    assert rows.event_id is not None
    record = rows.record[np.flatnonzero(mask)]
    if len(record) <= _FEW:
        return _smallest(_usable(rows.event_id.take(pa.array(record))))
    first = np.ones(len(record), np.bool_)
    np.not_equal(record[1:], record[:-1], out=first[1:])  # rows of one record follow each other
    ids = rows.event_id.take(pa.array(record[first]))
    found = _usable(ids.take(pc.select_k_unstable(ids, _LOOK, [("", "ascending")])))
    return _smallest(found if len(found) >= KEPT else _usable(pc.unique(ids)))


def _usable(ids: pa.StringArray) -> set[str]:
    return {found for found in ids.to_pylist() if found is not None and len(found) <= _LONGEST}


def _smallest(ids: Set[str]) -> Ids:
    return tuple(sorted(ids)[:KEPT])
