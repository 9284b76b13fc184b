"""Records that a filter leaves out: told by their ids, custom attributes and values, never by chance."""

from collections.abc import Callable
from functools import partial
from zlib import crc32

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas import attributes
from schemas.decode import Decoded
from schemas.layout import Kind, Layout
from schemas.rows import Rows
from schemas.texts import as_text
from stream.choices import Condition, FilterSettings, Match

# Records that were read as far as their envelope, so that ids and time are known, and not as far as rows.
_WITHOUT_ROWS = ("payload", "columns", "preprocessor")

Mask = NDArray[np.bool_]


def apply(chosen: FilterSettings, decoded: Decoded, layout: Layout) -> Decoded:
    """`decoded` without the records that `chosen` leaves out; they are its `filtered`.

    A record that a condition holds for is left out also when its payload could not be read; sampling never
    hides a bad record.
    """
    bad = np.zeros(len(decoded), np.bool_)
    bad[list(decoded.bad)] = True
    dropped = np.zeros(len(decoded), np.bool_)
    if chosen.sample < 1.0:
        dropped |= ~bad & ~sampled(decoded.event_id, chosen.sample)
    if chosen.drop:
        lost = [i for i, error in decoded.bad.items() if error.code not in _WITHOUT_ROWS]
        matching = _Matching(decoded, layout)
        for condition in chosen.drop:
            holds = matching.holds(condition)
            holds[lost] = False
            dropped |= holds
    return _without(decoded, dropped) if dropped.any() else decoded


def sampled(event_id: pa.StringArray, share: float) -> Mask:
    """Which records belong to a sample of `share` of all: the same ones at every run and in every process.

    >>> ids = pa.array([f"e{i}" for i in range(10_000)])
    >>> int(sampled(ids, 0.1).sum()), bool((sampled(ids, 0.1) <= sampled(ids, 0.2)).all())
    (992, True)
    """
    sums = np.fromiter((crc32(i.encode()) if i else 0 for i in event_id.to_pylist()), np.uint64)
    # CRC-32 tells ids apart and spreads them badly; the finaliser of MurmurHash3 spreads them.
    sums ^= sums >> np.uint64(33)
    sums *= np.uint64(0xFF51AFD7ED558CCD)
    sums ^= sums >> np.uint64(33)
    sums *= np.uint64(0xC4CEB9FE1A85EC53)
    sums ^= sums >> np.uint64(33)
    places: NDArray[np.float64] = (sums >> np.uint64(11)) / float(1 << 53)
    return places < share


class _Matching:
    """Holds conditions against the records of a batch; custom attributes are read once, when asked for."""

    def __init__(self, decoded: Decoded, layout: Layout) -> None:
        self._decoded = decoded
        self._layout = layout
        self._attributes: pa.StringArray | None = None

    def holds(self, condition: Condition) -> Mask:
        """Which records the condition holds for: all entries at once, those on columns in one row."""
        holds = np.ones(len(self._decoded), np.bool_)
        if condition.event_id:
            holds &= _each(self._decoded.event_id, condition.event_id.holds)
        if condition.inference_id:
            holds &= _each(self._decoded.inference_id, condition.inference_id.holds)
        if condition.attributes:
            holds &= _each(self._headers(), condition.attributes.holds)
        for name, match in condition.attribute.items():
            holds &= _each(self._headers(), partial(_in_header, name, match))
        if condition.column:
            holds &= self._in_rows(condition)
        return holds

    def _headers(self) -> pa.StringArray:
        if self._attributes is None:
            self._attributes = attributes.texts_of(self._decoded.frame.data)
        return self._attributes

    def _in_rows(self, condition: Condition) -> Mask:
        found = np.zeros(len(self._decoded), np.bool_)
        for rows in self._decoded.tables:
            if not all(name in rows.columns.column_names for name in condition.column):
                continue
            holds = np.ones(len(rows), np.bool_)
            for name, match in condition.column.items():
                kind = self._layout.columns.get(name)
                texts = as_text(rows.columns[name], kind)
                holds &= _each(texts, _as_the_column_has_it(match, kind).holds)
            found[rows.record[holds]] = True
        return found


def _as_the_column_has_it(match: Match, kind: Kind | None) -> Match:
    """`equals` and `in` with numbers written as the column's are: "1.0" is 1 there."""
    if match.equals is None and match.among is None:
        return match
    wanted = [match.equals] if match.equals is not None else list(match.among or ())
    return Match.model_validate(as_text(pa.array(wanted, pa.string()), kind).to_pylist())


def _in_header(name: str, match: Match, text: str) -> bool:
    value = attributes.named(text).get(name)
    return value is not None and match.holds(value)


def _each(texts: pa.StringArray, holds: Callable[[str], bool]) -> Mask:
    """`holds` of every text, asked once for each that is different; False of a missing one."""
    coded = texts.dictionary_encode()
    answers = np.array([*map(holds, coded.dictionary.to_pylist()), False], np.bool_)
    codes = np.asarray(coded.indices.fill_null(len(coded.dictionary)))
    holding: Mask = answers[codes]
    return holding


def _without(decoded: Decoded, dropped: Mask) -> Decoded:
    tables = [kept for rows in decoded.tables if len(kept := _kept(rows, dropped))]
    bad = {index: error for index, error in decoded.bad.items() if not dropped[index]}
    filtered = sorted({*decoded.filtered, *np.flatnonzero(dropped).tolist()})
    return msgspec.structs.replace(decoded, tables=tables, bad=bad, filtered=filtered)


def _kept(rows: Rows, dropped: Mask) -> Rows:
    keep = ~dropped[rows.record]
    if keep.all():
        return rows
    columns = rows.columns.filter(pa.array(keep))
    return msgspec.structs.replace(rows, columns=columns, record=rows.record[keep], row=rows.row[keep])
