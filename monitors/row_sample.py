"""A bounded sample of a window's rows that merges: those with the smallest marks."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitors.marks import Marks, of_rows, smallest
from monitors.types import numbers
from schemas.layout import NUMERIC, Kind
from schemas.rows import Rows

_LONGEST = 4_096  # characters of a text; a longer one is cut, because a state must stay small


class RowSample:
    """At most `most` rows of `table`, ascending by `marks`; each row of the window had the same chance, and
    any first part of them is such a sample too. Numbers are float64, all else text.

    Source: bottom-k sampling, Cohen & Kaplan 2007.
    """

    __slots__ = ("marks", "most", "table")

    def __init__(self, table: pa.Table, marks: Marks, most: int) -> None:
        self.table, self.marks, self.most = table, marks, most

    @classmethod
    def of(cls, rows: Rows, features: Mapping[str, Kind], most: int) -> "RowSample":
        """Sample rows by their `features`; one that the rows do not have is missing."""
        marks = of_rows(rows) if len(rows) else np.empty(0, np.uint64)
        places = smallest(marks, most, lambda at: _content(_chosen(rows.columns.slice(at, 1), features), 0))
        return cls(_chosen(rows.columns.take(places) if len(rows) else None, features), marks[places], most)

    def merge(self, other: "RowSample") -> "RowSample":
        """Sample two disjoint sets of rows; neither is changed."""
        if not len(other.marks) or not len(self.marks):
            return self if len(self.marks) else other
        marks = np.concatenate([self.marks, other.marks])
        both = pa.concat_tables([self.table, other.table])
        places = smallest(marks, self.most, lambda at: _content(both, at))
        table = both.take(places)
        return RowSample(table.combine_chunks(), marks[places], self.most)

    def __len__(self) -> int:
        return len(self.marks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RowSample):
            return False
        return np.array_equal(self.marks, other.marks) and bool(_same(self.table, other.table))

    __hash__ = None  # type: ignore[assignment]

    def dump(self) -> bytes:
        """As bytes that `load` reads."""
        sink = pa.BufferOutputStream()
        table = self.table.append_column("", pa.array(self.marks, pa.uint64()))
        with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as out:
            out.write_table(table)
        raw: bytes = sink.getvalue().to_pybytes()
        return raw

    @classmethod
    def load(cls, raw: bytes, most: int) -> "RowSample":
        """Restore what `dump` gave."""
        table = pa.ipc.open_stream(raw).read_all()
        marks = table.column(table.num_columns - 1).to_numpy()
        return cls(table.remove_column(table.num_columns - 1), marks, most)


def _content(table: pa.Table, row: int) -> str:
    return str(table.slice(row, 1).to_pylist())


def _same(one: pa.Table, other: pa.Table) -> bool:
    """Whether tables hold the same, NaN being itself."""
    return bool(one.schema.equals(other.schema)) and str(one.to_pydict()) == str(other.to_pydict())


def _chosen(table: pa.Table | None, features: Mapping[str, Kind]) -> pa.Table:
    rows = table.num_rows if table is not None else 0
    names = set(table.column_names) if table is not None else set()
    columns = {}
    for name, kind in features.items():
        wanted = pa.float64() if kind in NUMERIC else pa.string()
        if table is None or name not in names:
            columns[name] = pa.nulls(rows, wanted)
        elif kind in NUMERIC:
            columns[name] = pa.array(numbers(table[name]), pa.float64())
        else:
            columns[name] = pc.utf8_slice_codeunits(table[name].cast(pa.string()), 0, _LONGEST)
    return pa.table(columns)
