"""The same monitor for each value of some columns: what changes in one of them is lost among all rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from monitors.base import Monitor
from schemas.layout import Kind
from schemas.report import Finding, Violation
from schemas.rows import Rows
from schemas.texts import as_text

Key = tuple[str, ...]  # a value of each of the columns

_ABOUT = "about"
_OF_ALL = ("missing_column_check", "extra_column_check")  # said of all rows already, not of one segment


class SegmentsState(Struct, frozen=True):
    """Rows and inner state of each segment, and how many rows belong to none; `SegmentsState()` is the
    identity of merge."""

    rows: dict[Key, int] = {}
    states: dict[Key, Any] = {}
    other: int = 0

    def merge(self, other: "SegmentsState") -> "SegmentsState":
        """Combine two disjoint samples; neither is changed."""
        rows, states = dict(self.rows), dict(self.states)
        for segment, state in other.states.items():
            rows[segment] = rows.get(segment, 0) + other.rows[segment]
            states[segment] = states[segment].merge(state) if segment in states else state
        return SegmentsState(rows, states, self.other + other.other)

    def dump(self) -> Mapping[str, bytes]:
        """The parts of each inner state, and one for the rest."""
        parts = {
            msgspec.json.encode((segment, name)).decode(): raw
            for segment, state in self.states.items()
            for name, raw in state.dump().items()
        }
        return parts | {_ABOUT: msgspec.msgpack.encode((list(self.rows.items()), self.other))}


class Segments:
    """`inner` holds the monitor of each segment, by its values of `columns`. Other rows are only counted.

    Which segments there are is told beforehand and never found out from rows: the state is bounded, and does
    not depend on what came first.
    """

    def __init__(
        self, name: str, columns: Sequence[str], inner: Mapping[Key, Monitor], kinds: Mapping[str, Kind]
    ) -> None:
        self.name = name
        self._columns = columns
        self._inner = inner
        self._kinds = kinds
        self._keys = list(inner)
        self._values = [pa.array(sorted({key[i] for key in inner})) for i in range(len(columns))]
        self._place: dict[int, int] = {}  # place of a segment, by the places of its values as one number
        for place, key in enumerate(self._keys):
            texts = [pa.array([value]) for value in key]
            self._place[int(self._codes(texts)[0])] = place

    def observe(self, rows: Rows) -> SegmentsState:
        """The state of `rows`, told apart by segment."""
        counts: dict[Key, int] = {}
        states: dict[Key, Any] = {}
        for place, part in self._split(rows):
            key = self._keys[place]
            counts[key] = len(part)
            states[key] = self._inner[key].observe(part)
        return SegmentsState(counts, states, len(rows) - sum(counts.values()))

    def _split(self, rows: Rows) -> Iterator[tuple[int, Rows]]:
        names = rows.columns.column_names
        if not len(rows) or not all(name in names for name in self._columns):
            return
        texts = [as_text(rows.columns[name], self._kinds.get(name)) for name in self._columns]
        found, place = np.unique(self._codes(texts), return_inverse=True)
        segment = np.array([self._place.get(code, -1) for code in found.tolist()], np.int64)[place]
        order = np.argsort(segment, kind="stable")
        order = order[np.searchsorted(segment[order], 0) :]
        found, first = np.unique(segment[order], return_index=True)
        taken = rows.columns.take(pa.array(order))
        for at, begin, stop in zip(found.tolist(), first, [*first[1:], len(order)], strict=False):
            part = order[begin:stop]
            columns = taken.slice(begin, stop - begin)
            record, row = rows.record[part], rows.row[part]
            yield at, Rows(columns, record, row, rows.beside, event_id=rows.event_id)

    def _codes(self, texts: Sequence[pa.StringArray]) -> NDArray[np.int64]:
        """One number for the values of each row; that of a value which no segment has is no segment's."""
        codes = np.zeros(len(texts[0]), np.int64)
        for column, values in zip(texts, self._values, strict=True):
            place = np.asarray(pc.index_in(column, value_set=values).fill_null(len(values)), np.int64)
            codes = codes * (len(values) + 1) + place
        return codes

    def load(self, parts: Mapping[str, bytes]) -> SegmentsState:
        """Restore a state from its dumped parts; rows of a segment that is none any more are counted."""
        rows, other = msgspec.msgpack.decode(parts[_ABOUT], type=tuple[list[tuple[Key, int]], int])
        own: dict[Key, dict[str, bytes]] = {}
        for place, raw in parts.items():
            if place != _ABOUT:
                segment, name = msgspec.json.decode(place, type=tuple[Key, str])
                own.setdefault(segment, {})[name] = raw
        kept = {segment: n for segment, n in rows if segment in self._inner}
        states = {segment: self._inner[segment].load(own.get(segment, {})) for segment in kept}
        lost = sum(n for segment, n in rows if segment not in kept)
        return SegmentsState(kept, states, other + lost)

    def finish(self, state: SegmentsState) -> Finding:
        """Violations of all segments, each with its segment, and what was found of each in segments.json."""
        violations: list[Violation] = []
        listed: list[dict[str, Any]] = []
        for key in self._keys:
            segment = dict(zip(self._columns, key, strict=True))
            found = self._inner[key].finish(state.states[key]) if key in state.states else NOTHING
            own = [v for v in found.violations if v.constraint_check_type not in _OF_ALL]
            violations += [msgspec.structs.replace(violation, segment=segment) for violation in own]
            distances = {drift.feature_name: drift.distance for drift in found.drift}
            listed.append(
                {
                    "segment": segment,
                    "rows": state.rows.get(key, 0),
                    "violations": len(own),
                    "distances": distances,
                }
            )
        documents = {
            "segments.json": {"segments": listed, "other": {"rows": state.other}},
            "constraint_violations.json": {"violations": violations},
        }
        return Finding(violations, [], documents)


NOTHING = Finding([], [], {})
