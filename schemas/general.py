"""Decoding of records of any form, one by one as far as their payloads, then by form as columns."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas import capture, prepared
from schemas.capture import CaptureRecord
from schemas.columns import columns_of
from schemas.errors import BadRecord
from schemas.frame import Frame
from schemas.layout import Layout
from schemas.prepared import Handler
from schemas.rows import Part, Rows, assemble
from schemas.sides import Side, pair, sides_of
from schemas.times import NO_TIME, parse_time, parse_times

_Key = tuple[str, tuple[str, ...], str, tuple[str, ...], frozenset[str]]


def read(
    frame: Frame, indices: NDArray[np.int64], layout: Layout, max_ahead: int, handler: Handler | None = None
) -> Part:
    """Decode the records of `frame` at `indices`, by `handler` where there is one."""
    records, bad = capture.parse_many(frame.data.take(pa.array(indices)))
    arrived = frame.arrived[indices]
    event_time = event_times(records, arrived, bad)
    _refuse_future(event_time, arrived, max_ahead, bad)
    readable = [(i, record) for i, record in enumerate(records) if record is not None and i not in bad]
    skipped: list[int] = []
    if handler is None:
        tables = _tables(readable, layout, indices, bad)
    else:
        lines = ((i, frame.data[int(indices[i])].as_py()) for i, _ in readable)
        tables, skipped = prepared.tables(lines, handler, layout, indices, bad)
    event_id = [record.event_metadata.event_id if record else None for record in records]
    inference_id = [record.event_metadata.inference_id if record else None for record in records]
    return Part(
        record=indices,
        event_time=event_time,
        event_id=pa.array(event_id, pa.string()),
        inference_id=pa.array(inference_id, pa.string()),
        bad={int(indices[index]): error for index, error in bad.items()},
        tables=tables,
        filtered=indices[skipped].tolist(),
    )


def _tables(
    records: Sequence[tuple[int, CaptureRecord]],
    layout: Layout,
    indices: NDArray[np.int64],
    bad: dict[int, BadRecord],
) -> list[Rows]:
    """Rows that the payloads hold; what cannot be read is noted in `bad`."""
    known = frozenset(layout.columns)
    groups: dict[_Key, list[tuple[int, Side, Side]]] = defaultdict(list)
    for index, record in records:
        try:
            inputs, output = pair(*sides_of(record, known))
            groups[_key(inputs, output)].append((index, inputs, output))
        except BadRecord as error:
            bad[index] = error
    return [rows for key, group in groups.items() for rows in _table(key, group, layout, indices, bad)]


def event_times(
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


def _key(inputs: Side, output: Side) -> _Key:
    """Records with equal keys go into one table. Names claimed matter only where others are placed."""
    placed = bool(inputs.labels or output.labels)
    claimed = inputs.claimed | output.claimed if placed else frozenset()
    return inputs.form, inputs.labels, output.form, output.labels, claimed


def _table(
    key: _Key,
    group: list[tuple[int, Side, Side]],
    layout: Layout,
    indices: NDArray[np.int64],
    bad: dict[int, BadRecord],
) -> list[Rows]:
    _, in_labels, _, out_labels, claimed = key
    try:
        placed = bool(in_labels or out_labels)
        out_names, in_names = layout.assign(out_labels, in_labels, claimed) if placed else ([], [])
    except BadRecord as error:
        bad.update((index, error) for index, _, _ in group)
        return []
    outputs = columns_of([output for _, _, output in group], out_names, layout)
    inputs = columns_of([given for _, given, _ in group], in_names, layout)
    rows = np.array([max(given.rows, output.rows) for _, given, output in group], np.int64)
    record = np.repeat(indices[[index for index, _, _ in group]], rows)
    row = np.arange(len(record)) - np.repeat(np.cumsum(rows) - rows, rows)
    named = not placed or any(given.claimed or output.claimed for _, given, output in group)
    return assemble(outputs, inputs, layout, record, row, named)
