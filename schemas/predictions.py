"""What a model answered, record by record: the side of a join that waits for labels."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas.columns import fits
from schemas.decode import Decoded
from schemas.frame import Subject
from schemas.layout import Layout
from schemas.rows import Rows
from schemas.texts import as_text

CARRIED = "carried "  # before the name of a carried column, wherever it stands among others

_FLOAT = pa.float64()


class Attributes(Struct, frozen=True):
    """Where prediction and probability stand among the columns: a name, or the number of an output as text.

    Without `inference` the prediction is `positive` where the probability is above `threshold`, and else
    `negative`. `carried` names columns that a prediction takes along, so that its row can be looked at by
    their values when its label has come.
    """

    inference: str | None = None
    probability: str | None = None
    threshold: float = 0.5
    positive: str = "1"
    negative: str = "0"
    carried: tuple[str, ...] = ()


class Predictions(Struct, frozen=True):
    """Predictions of records, which may hold several rows each.

    `record`, shape (records,), are indices into the batch that they came in, `id` the inference id or else
    the event id, `time` the event time (ms). `values` and `probability` are lists of the same lengths, text
    or doubles the one and doubles the other, null where a row has none. `carried` are lists of the same
    lengths too, by name of their column, and always of text: one name is of one type for all subjects,
    whatever a batch holds, and numbers are written as they are by `as_text` in the baseline's type.
    """

    subject: Subject
    record: NDArray[np.int64]
    id: pa.StringArray
    time: NDArray[np.int64]
    values: pa.ListArray
    probability: pa.ListArray
    carried: Mapping[str, pa.ListArray] = {}

    def __len__(self) -> int:
        return len(self.record)

    def only(self, which: NDArray[np.bool_]) -> "Predictions":
        """Those of some records."""
        if which.all():
            return self
        mask = pa.array(which)
        return Predictions(
            self.subject,
            self.record[which],
            self.id.filter(mask),
            self.time[which],
            self.values.filter(mask),
            self.probability.filter(mask),
            {name: lists.filter(mask) for name, lists in self.carried.items()},
        )

    def to_table(self) -> pa.Table:
        """A row a record, with everything but the subject: `record`, `id`, `time`, `values`, `probability`,
        and the carried columns behind CARRIED."""
        return pa.table(
            {
                "record": pa.array(self.record, pa.int64()),
                "id": self.id,
                "time": pa.array(self.time, pa.int64()),
                "values": self.values,
                "probability": self.probability,
                **{CARRIED + name: lists for name, lists in self.carried.items()},
            }
        )

    @classmethod
    def from_table(cls, table: pa.Table, subject: Subject) -> "Predictions":
        """What `to_table` gave, also in several parts."""
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        return cls(
            subject,
            np.asarray(columns["record"]),
            columns["id"],
            np.asarray(columns["time"]),
            columns["values"],
            columns["probability"],
            carried_of(columns),
        )


def carried_of(columns: Mapping[str, pa.ListArray]) -> dict[str, pa.ListArray]:
    """The carried ones among columns, by their own names."""
    return {name.removeprefix(CARRIED): lists for name, lists in columns.items() if name.startswith(CARRIED)}


def predictions(decoded: Decoded, layout: Layout, attributes: Attributes) -> Iterator[Predictions]:
    """The predictions of a batch, in as many parts as it has forms."""
    given = pc.if_else(pc.equal(decoded.inference_id, ""), None, decoded.inference_id)
    ids = pc.coalesce(given, decoded.event_id)
    for rows in decoded.tables:
        if len(rows):
            yield _of_rows(decoded, ids, rows, layout, attributes)


def _of_rows(
    decoded: Decoded, ids: pa.StringArray, rows: Rows, layout: Layout, attributes: Attributes
) -> Predictions:
    first = np.flatnonzero(np.diff(rows.record, prepend=-1))
    record = rows.record[first]
    offsets = pa.array(np.append(first, len(rows)).astype(np.int32))
    probability = _doubles(_column(rows, attributes.probability, layout), len(rows))
    if attributes.inference is None:
        above = pc.greater(probability, attributes.threshold)
        answers = pc.if_else(above, attributes.positive, attributes.negative)
    else:
        answers = _answers(_column(rows, attributes.inference, layout), len(rows))
    return Predictions(
        decoded.subject,
        record,
        ids.take(pa.array(record)),
        decoded.event_time[record],
        pa.ListArray.from_arrays(offsets, answers),
        pa.ListArray.from_arrays(offsets, probability),
        {name: pa.ListArray.from_arrays(offsets, _text(rows, name, layout)) for name in attributes.carried},
    )


def _text(rows: Rows, name: str, layout: Layout) -> pa.StringArray:
    """A column as text, null where a row has no value."""
    if name not in rows.columns.column_names:
        return pa.nulls(len(rows), pa.string())
    return as_text(rows.columns[name], layout.columns.get(name))


def _column(rows: Rows, name: str | None, layout: Layout) -> pa.Array | None:
    if name is None:
        return None
    if name not in rows.columns.column_names and name.isdecimal():
        names = layout.outputs or tuple(layout.columns)
        beside = f"output_{name}"
        name = beside if beside in rows.beside else names[int(name)] if int(name) < len(names) else ""
    return rows.columns[name].combine_chunks() if name in rows.columns.column_names else None


def _answers(column: pa.Array | None, n: int) -> pa.Array:
    """Text as text, numbers as doubles."""
    if column is None:
        return pa.nulls(n, _FLOAT)
    return column if column.type == pa.string() else column.cast(_FLOAT)


def _doubles(column: pa.Array | None, n: int) -> pa.DoubleArray:
    """Numbers, null where there is none."""
    if column is None:
        return pa.nulls(n, _FLOAT)
    if column.type != pa.string():
        return column.cast(_FLOAT)
    return pc.if_else(pa.array(fits(column, _FLOAT)), column, None).cast(_FLOAT)
