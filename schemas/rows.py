"""Rows with the same columns, and the part of a batch that they came from."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.columns import Column, tables, type_of
from schemas.errors import BadRecord
from schemas.layout import Layout


class Rows(Struct, frozen=True):
    """Rows with the same columns. `record` and `row`, shape (rows,): which record of the batch, and which
    row in it.

    `beside` are columns that have a name of their own next to the baseline's: outputs that it does not
    hold. `misfits` counts records that could not become rows because they held another number of columns.
    `event_id` are the ids of all records of the batch, which `record` points to; None where there are none.
    """

    columns: pa.Table
    record: NDArray[np.int64]
    row: NDArray[np.int64]
    beside: frozenset[str] = frozenset()
    misfits: Mapping[int, int] = {}
    event_id: pa.StringArray | None = None

    def __len__(self) -> int:
        return len(self.record)


_NONE = np.empty(0, np.int64)
NO_ROWS = Rows(pa.table({}), _NONE, _NONE)


class Part(Struct, frozen=True):
    """What became of some records of a batch, `record` being their indices in it, ascending.

    `event_time` (ms, NO_TIME where it cannot be read) and the ids have shape (records of this part,).
    `filtered` are those that are to be left out, and are neither rows nor bad.
    """

    record: NDArray[np.int64]
    event_time: NDArray[np.int64]
    event_id: pa.StringArray
    inference_id: pa.StringArray
    bad: dict[int, BadRecord]
    tables: list[Rows]
    filtered: list[int] = []


def assemble(
    outputs: Mapping[str, Column],
    inputs: Mapping[str, Column],
    layout: Layout,
    record: NDArray[np.int64],
    row: NDArray[np.int64],
    named: bool = False,
) -> list[Rows]:
    """Rows of both sides in the baseline's order, those with values of a wrong type apart.

    Where rows have `named` their values, one that a row does not name is missing, whether or not another row
    beside it names it: so it does not matter which rows came together.
    """
    twice = {name: inputs[name].over(outputs[name]) for name in outputs if name in inputs}
    columns = {**outputs, **inputs, **twice}
    if named:
        kinds = {name: type_of(name, layout) for name in layout.columns if name not in columns}
        columns |= {name: Column(pa.nulls(len(record), kind), kind) for name, kind in kinds.items()}
    order = [name for name in layout.columns if name in columns]
    order += [name for name in columns if name not in layout.columns]
    beside = frozenset(name for name in outputs if name not in layout.columns and name not in inputs)
    return [
        Rows(table, record[places], row[places], beside)
        for table, places in tables({name: columns[name] for name in order}, record)
    ]
