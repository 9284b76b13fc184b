"""From raw captured records to typed columns: what every stage reads.

A batch of records becomes few tables: one for each form (CSV or JSON, how many columns) of its payloads.
A column has the type of the baseline (int64, float64, string). Records of which a value is of another type
are in a table apart, where that column is text, so that a monitor can count what came instead.
"""

from functools import reduce

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas import alike, capture, general
from schemas.errors import BadRecord
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from schemas.prepared import Handler
from schemas.rows import Part, Rows
from schemas.times import NO_TIME

_FORMS = 3  # of records that are looked for in one batch, before the rest is read in general


class Decoded(Struct, frozen=True):
    """What became of every record of a batch, by its index: rows in one of `tables`, an error in `bad`, or
    left out on purpose (`filtered`, ascending).

    `event_time` is in milliseconds, shape (records,). A bad record whose time cannot be read takes the
    time of its neighbour, so that it is counted in a window beside what it came with.
    """

    subject: Subject
    frame: Frame
    event_time: NDArray[np.int64]
    event_id: pa.StringArray
    inference_id: pa.StringArray
    bad: dict[int, BadRecord]
    tables: list[Rows]
    filtered: list[int] = []

    def __len__(self) -> int:
        return len(self.event_time)


def decode(
    frame: Frame, layout: Layout, max_ahead: int = 3_600_000, handler: Handler | None = None
) -> Decoded:
    """Decode every record of `frame`, by the names and types of `layout`; a `handler` makes rows its own way.

    A record whose event time lies more than `max_ahead` milliseconds after its arrival is bad: one such
    record would otherwise close every window before it.
    """
    if handler is not None:
        return _decoded(frame, general.read(frame, np.arange(len(frame)), layout, max_ahead, handler))
    parts: list[Part] = []
    rest = np.arange(len(frame))
    while len(parts) < _FORMS and (part := alike.read(frame, rest, layout, max_ahead)) is not None:
        parts.append(part)
        rest = np.setdiff1d(rest, part.record, assume_unique=True)
    if len(rest) or not parts:
        parts.append(general.read(frame, rest, layout, max_ahead))
    return _decoded(frame, reduce(_join, parts))


def refuse(frame: Frame, error: BadRecord) -> Decoded:
    """All records of `frame` refused for one reason, their own times kept where they can be read."""
    records, bad = capture.parse_many(frame.data)
    nothing = pa.nulls(len(frame), pa.string())
    return _decoded(
        frame,
        Part(
            record=np.arange(len(frame)),
            event_time=general.event_times(records, frame.arrived, bad),
            event_id=nothing,
            inference_id=nothing,
            bad={index: bad.get(index, error) for index in range(len(frame))},
            tables=[],
        ),
    )


def _join(a: Part, b: Part) -> Part:
    """Two parts of one batch, their records in order again."""
    record = np.concatenate((a.record, b.record))
    order = np.argsort(record, kind="stable")
    return Part(
        record=record[order],
        event_time=np.concatenate((a.event_time, b.event_time))[order],
        event_id=pa.concat_arrays([a.event_id, b.event_id]).take(pa.array(order)),
        inference_id=pa.concat_arrays([a.inference_id, b.inference_id]).take(pa.array(order)),
        bad=a.bad | b.bad,
        tables=a.tables + b.tables,
    )


def _decoded(frame: Frame, whole: Part) -> Decoded:
    return Decoded(
        subject=frame.subject,
        frame=frame,
        event_time=_fill_times(whole.event_time, frame.arrived),
        event_id=whole.event_id,
        inference_id=whole.inference_id,
        bad=dict(sorted(whole.bad.items())),
        tables=whole.tables,
        filtered=sorted(whole.filtered),
    )


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
