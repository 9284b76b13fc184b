"""Records that have found their labels, and the rows that they are in each window."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas.frame import Subject
from schemas.labelled import Labelled
from schemas.predictions import carried_of
from stream.joining.runs import concatenated


class Merged(Struct, frozen=True):
    """What is to be written of joined records: where each is kept, its event time (ms), and its label as it
    came."""

    raw: NDArray[np.int64]
    time: NDArray[np.int64]
    label: pa.StringArray


class Joined(Struct, frozen=True):
    """Rows of one window, of `records` records. With `whole` they are all that the window has, and stand in
    the place of what was joined in it before."""

    subject: Subject
    start: int
    rows: list[Labelled]
    records: int
    merged: Merged | None
    whole: bool = False


class Pairs(Struct, frozen=True):
    """Records with their labels, a list each of the same length as the record's values; the text that the
    labels were read from, and the id that both have. All have shape (records,)."""

    columns: pa.Table
    values: pa.ListArray
    text: pa.StringArray
    id: pa.StringArray

    def __len__(self) -> int:
        return len(self.columns)

    def only(self, which: NDArray[np.bool_]) -> "Pairs":
        """Some of them."""
        if which.all():
            return self
        mask = pa.array(which)
        parts = (array.filter(mask) for array in (self.values, self.text, self.id))
        return Pairs(self.columns.filter(mask), *parts)

    def labelled(self) -> Labelled:
        """A row for each value."""
        answers = _flat(self.columns["values"])
        probability = _flat(self.columns["probability"])
        ids = self.id
        if len(answers) != len(self):
            counts = np.asarray(pc.list_value_length(self.values))
            ids = ids.take(pa.array(np.repeat(np.arange(len(self)), counts)))
        known = probability if probability.null_count < len(probability) else None
        return Labelled(answers, self.values.flatten(), known, ids, self._carried())

    def _carried(self) -> pa.Table | None:
        """The columns that these records carry, a value each row; None where they carry none."""
        lists = carried_of({name: self.columns[name] for name in self.columns.column_names})
        found = {name: column for name, column in lists.items() if column.null_count < len(column)}
        if not found:
            return None
        counts = np.asarray(pc.list_value_length(self.values))
        return pa.table({name: _spread(column, counts) for name, column in found.items()})

    def merged(self) -> Merged:
        """What is to be written of them."""
        raw, time = (np.asarray(self.columns[name]) for name in ("raw", "time"))
        return Merged(raw, time, self.text)


def _flat(lists: pa.ChunkedArray) -> pa.Array:
    return lists.combine_chunks().flatten()


def _spread(lists: pa.ChunkedArray, counts: NDArray[np.int64]) -> pa.StringArray:
    """The values of lists, of which some are null: those records have `counts` rows as well."""
    values = _flat(lists)
    if not lists.null_count:
        return values
    there = np.repeat(np.asarray(lists.is_valid()), counts)
    return values.take(pa.array(np.cumsum(there) - 1, mask=~there))


def by_window(pairs: Iterable[Pairs], size: int) -> Iterator[tuple[int, int, Pairs]]:
    """Subject, start of the window, and what of `pairs` is in it."""
    for kind in _kinds(pairs):
        time, subject = (np.asarray(kind.columns[name]) for name in ("time", "subject"))
        number = time // size
        if (number == number[0]).all() and (subject == subject[0]).all():
            yield int(subject[0]), int(number[0]) * size, kind
            continue
        order = np.lexsort((number, subject))
        number, subject = number[order], subject[order]
        rows = pa.array(order)
        kind = Pairs(kind.columns.take(rows), *(a.take(rows) for a in (kind.values, kind.text, kind.id)))
        first = np.flatnonzero((np.diff(number, prepend=-1) != 0) | (np.diff(subject, prepend=-1) != 0))
        for start, stop in zip(first, [*first[1:], len(order)], strict=True):
            n = stop - start
            slices = (a.slice(start, n) for a in (kind.values, kind.text, kind.id))
            yield int(subject[start]), int(number[start]) * size, Pairs(kind.columns.slice(start, n), *slices)


def _kinds(pairs: Iterable[Pairs]) -> list[Pairs]:
    """All of them with predictions that are text, and all with numbers."""
    kinds: dict[pa.DataType, list[Pairs]] = {}
    for some in pairs:
        if len(some):
            kinds.setdefault(some.columns.schema.field("values").type, []).append(some)
    return [_concatenated(parts) for parts in kinds.values()]


def _concatenated(parts: list[Pairs]) -> Pairs:
    if len(parts) == 1:
        return parts[0]
    return Pairs(
        concatenated([part.columns for part in parts]),
        pa.concat_arrays([part.values for part in parts]),
        pa.concat_arrays([part.text for part in parts]),
        pa.concat_arrays([part.id for part in parts]),
    )


def by_kind(parts: Iterable[Labelled]) -> list[Labelled]:
    """All rows, in as few parts as there are kinds of columns among them.

    >>> yes, one = (Labelled(pa.array([value]), pa.array(["1"])) for value in ("yes", 1.0))
    >>> [len(part) for part in by_kind([yes, one, yes])]
    [2, 1]
    """
    kinds: dict[Hashable, list[Labelled]] = {}
    for part in parts:
        arrays = (part.prediction, part.label, part.probability, part.event_id)
        types = (None if array is None else array.type for array in arrays)
        kind = (*types, None if part.columns is None else part.columns.schema)
        kinds.setdefault(kind, []).append(part)
    return [some[0] if len(some) == 1 else _of_one_kind(some) for some in kinds.values()]


def _of_one_kind(parts: Sequence[Labelled]) -> Labelled:
    def together(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        if arrays[0] is None:
            return None
        if isinstance(arrays[0], pa.Table):
            return concatenated(arrays).combine_chunks()
        return pa.concat_arrays(arrays)

    return Labelled(*(together(name) for name in Labelled.__struct_fields__))
