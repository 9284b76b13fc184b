"""From raw captured records to typed columns: what every stage reads.

A batch of records becomes few tables: one for each form (CSV or JSON, how many columns) of its payloads.
A column has the type of the baseline (int64, float64, string). Records of which a value is of another type
are in a table apart, where that column is text, so that a monitor can count what came instead.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas import capture
from schemas.capture import CaptureRecord
from schemas.columns import columns_of, tables
from schemas.errors import BadRecord
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from schemas.sides import Side, pair, sides_of
from schemas.times import NO_TIME, parse_time, parse_times


class Rows(Struct, frozen=True):
    """Rows with the same columns. `record` and `row`, shape (rows,): which record of the batch, and which
    row in it.

    `beside` are columns that have a name of their own next to the baseline's: outputs that it does not
    hold. `misfits` counts records that could not become rows because they held another number of columns.
    """

    columns: pa.Table
    record: NDArray[np.int64]
    row: NDArray[np.int64]
    beside: frozenset[str] = frozenset()
    misfits: Mapping[int, int] = {}

    def __len__(self) -> int:
        return len(self.record)


_NONE = np.empty(0, np.int64)
NO_ROWS = Rows(pa.table({}), _NONE, _NONE)


class Decoded(Struct, frozen=True):
    """What became of every record of a batch, by its index: rows in one of `tables`, or an error in `bad`.

    `event_time` is in milliseconds, shape (records,). A bad record whose time cannot be read takes the
    time of its neighbour, so that it is counted in a window beside what it came with.
    """

    subject: Subject
    frame: Frame
    event_time: NDArray[np.int64]
    event_id: list[str | None]
    inference_id: list[str | None]
    bad: dict[int, BadRecord]
    tables: list[Rows]

    def __len__(self) -> int:
        return len(self.event_time)


_Key = tuple[str, tuple[str, ...], str, tuple[str, ...], frozenset[str]]


def decode(frame: Frame, layout: Layout, max_ahead: int = 3_600_000) -> Decoded:
    """Decode every record of `frame`, by the names and types of `layout`.

    A record whose event time lies more than `max_ahead` milliseconds after its arrival is bad: one such
    record would otherwise close every window before it.
    """
    records, bad = capture.parse_many(frame.data)
    event_time = _event_times(records, frame.arrived, bad)
    _refuse_future(event_time, frame.arrived, max_ahead, bad)
    known = frozenset(layout.columns)
    groups: dict[_Key, list[tuple[int, Side, Side]]] = defaultdict(list)
    for index, record in enumerate(records):
        if record is None or index in bad:
            continue
        try:
            inputs, output = pair(*sides_of(record, known))
            groups[_key(inputs, output)].append((index, inputs, output))
        except BadRecord as error:
            bad[index] = error
    tables = [rows for key, group in groups.items() for rows in _table(key, group, layout, bad)]
    return Decoded(
        subject=frame.subject,
        frame=frame,
        event_time=_fill_times(event_time, frame.arrived),
        event_id=[record.event_metadata.event_id if record else None for record in records],
        inference_id=[record.event_metadata.inference_id if record else None for record in records],
        bad=dict(sorted(bad.items())),
        tables=tables,
    )


def refuse(frame: Frame, error: BadRecord) -> Decoded:
    """All records of `frame` refused for one reason, their own times kept where they can be read."""
    records, bad = capture.parse_many(frame.data)
    times = _event_times(records, frame.arrived, bad)
    return Decoded(
        subject=frame.subject,
        frame=frame,
        event_time=_fill_times(times, frame.arrived),
        event_id=[None] * len(records),
        inference_id=[None] * len(records),
        bad={index: bad.get(index, error) for index in range(len(records))},
        tables=[],
    )


def _event_times(
    records: Sequence[CaptureRecord | None], arrived: NDArray[np.int64], bad: dict[int, BadRecord]
) -> NDArray[np.int64]:
    """Event time of each record, NO_TIME where it has none that can be read."""
    texts = [record.event_metadata.inference_time if record else None for record in records]
    given = [text for text in texts if text is not None]
    if len(given) == len(texts) and (times := parse_times(given)) is not None:
        return times
    result = np.full(len(records), NO_TIME, np.int64)
    for index, (record, text) in enumerate(zip(records, texts, strict=True)):
        try:
            if text is not None:
                result[index] = parse_time(text)
            elif record is not None:
                result[index] = arrived[index]
        except BadRecord as error:
            bad[index] = error
    return result


def _refuse_future(
    event_time: NDArray[np.int64], arrived: NDArray[np.int64], max_ahead: int, bad: dict[int, BadRecord]
) -> None:
    for index in np.flatnonzero(event_time > arrived + max_ahead):
        bad.setdefault(int(index), BadRecord("future", "event time lies in the future of its arrival"))
        event_time[index] = NO_TIME


def _fill_times(event_time: NDArray[np.int64], arrived: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give a record without a time that of the record before it, else of the one after, else its arrival."""
    known = event_time != NO_TIME
    if known.all():
        return event_time
    if not known.any():
        return arrived.copy()
    where = np.where(known, np.arange(len(known)), -1)
    before = np.maximum.accumulate(where)
    return event_time[np.where(before < 0, np.argmax(known), before)]


def _key(inputs: Side, output: Side) -> _Key:
    """Records with equal keys go into one table. Names claimed matter only where others are placed."""
    placed = bool(inputs.labels or output.labels)
    claimed = inputs.claimed | output.claimed if placed else frozenset()
    return inputs.form, inputs.labels, output.form, output.labels, claimed


def _table(
    key: _Key, group: list[tuple[int, Side, Side]], layout: Layout, bad: dict[int, BadRecord]
) -> Iterable[Rows]:
    _, in_labels, _, out_labels, claimed = key
    try:
        placed = bool(in_labels or out_labels)
        out_names, in_names = layout.assign(out_labels, in_labels, claimed) if placed else ([], [])
    except BadRecord as error:
        bad.update((index, error) for index, _, _ in group)
        return
    outputs = columns_of([output for _, _, output in group], out_names, layout)
    inputs = columns_of([given for _, given, _ in group], in_names, layout)
    columns = outputs | inputs
    rows = np.array([max(given.rows, output.rows) for _, given, output in group], np.int64)
    record = np.repeat(np.array([index for index, _, _ in group], np.int64), rows)
    starts = np.repeat(np.cumsum(rows) - rows, rows)
    order = [name for name in layout.columns if name in columns]
    order += [name for name in columns if name not in layout.columns]
    beside = frozenset(name for name in outputs if name not in layout.columns and name not in inputs)
    row = np.arange(len(record)) - starts
    for table, places in tables({name: columns[name] for name in order}, record):
        yield Rows(table, record[places], row[places], beside)
