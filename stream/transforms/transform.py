"""All that happens to records between the queue and the destination's own steps, in AWS's order.

Decompression, message extraction, de-aggregation, Lambda. Partition keys by jq, conversion and delimiters are
the S3 destination's. Source: Data Firehose guide, dynamic partitioning; decompression as captured by
radkawar/stackd.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.failed import Failed
from schemas.record_ids import sequence_texts
from schemas.records import Records
from schemas.times import now as wall_clock
from stream.transforms.deaggregate import deaggregate
from stream.transforms.decompress import CODE, decompress
from stream.transforms.lambda_ import Called, Caller, Function, Invoke
from stream.transforms.lambda_event import Dropped, Fault, Ok, Sent, Stream
from stream.transforms.processors import Document, delimiter, enabled

Rows = NDArray[np.int64]


class Transformed(Struct, frozen=True):
    """Records to deliver, in order. `origin` is, for each, the row of the record that was put.

    Sub-records have the arrival and sequence number of their record, so `records.sequence` ascends and may
    repeat. `partition_keys` are those that Lambda gave each record, unjudged; None where it gave none at all.
    `dropped` counts what left quietly: let go by Lambda, or nothing in it to take apart.
    """

    records: Records
    origin: Rows
    partition_keys: list[Mapping[str, Any]] | None
    failed: list[Failed]
    dropped: int


def transform(
    put: Records,
    processing: Document | None,
    stream: Stream,
    invoke: Invoke | None,
    *,
    sleep: Callable[[float], object] = time.sleep,
    now: Callable[[], int] = wall_clock,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Transformed:
    """Carry out a ProcessingConfiguration. `invoke` calls the function where there is a Lambda processor.

    Safe to repeat as far as the function is. Hand over a few MiB at a time: unpacked records take memory.
    """
    steps = enabled(processing)
    data, origin = put.data, np.arange(len(put))
    failed: list[Failed] = []
    dropped = 0
    if "Decompression" in steps:
        extract = steps.get("CloudWatchLogProcessing", {}).get("DataMessageExtraction", "").lower() == "true"
        data, reasons = decompress(data, extract)
        failed = [
            _failed(put, row, "decompression-failed", Fault(CODE, reason), 1, now())
            for row, reason in reasons.items()
        ]
        origin = np.delete(origin, [*reasons])
        data = data.take(pa.array(origin))
    if "RecordDeAggregation" in steps:
        before = len(data)
        data, parent = deaggregate(data, delimiter(steps["RecordDeAggregation"]))
        dropped += before - len(np.unique(parent))
        origin = origin[parent]
    keys = None
    if "Lambda" in steps:
        assert invoke is not None, "a Lambda processor needs a way to call its function"
        caller = Caller(Function.of(steps["Lambda"]), invoke, sleep, now, new_id)
        data, origin, keys, faults, gone = _through_lambda(put, data, origin, stream, caller)
        failed += faults
        dropped += gone
    return Transformed(
        Records(data, put.arrived[origin], put.sequence[origin]), origin, keys, failed, dropped
    )


def _through_lambda(
    put: Records, data: pa.BinaryArray, origin: Rows, stream: Stream, caller: Caller
) -> tuple[pa.BinaryArray, Rows, list[Mapping[str, Any]] | None, list[Failed], int]:
    called = caller.call(stream, list(_sent(put, data, origin, stream)))
    results = [(result, batch) for batch in called for result in batch.results]
    passed = [(row, result) for row, (result, _) in enumerate(results) if isinstance(result, Ok)]
    failed = [
        _of_lambda(put, int(origin[row]), result, batch, caller.function.arn)
        for row, (result, batch) in enumerate(results)
        if isinstance(result, Fault)
    ]
    gone = sum(isinstance(result, Dropped) for result, _ in results)
    keys = [result.keys or {} for _, result in passed]
    changed = pa.array([result.data for _, result in passed], pa.binary())
    rows = np.array([row for row, _ in passed], np.int64)
    return changed, origin[rows], keys if any(keys) else None, failed, gone


def _sent(put: Records, data: pa.BinaryArray, origin: Rows, stream: Stream) -> Iterator[Sent]:
    """The records as an event has them; the id ends in the place among the sub-records of one record."""
    sequence = put.sequence[origin]
    place = np.arange(len(origin)) - np.searchsorted(origin, origin)
    ids = sequence_texts(stream.identity, sequence.tolist())
    each = zip(ids, place.tolist(), put.arrived[origin].tolist(), sequence.tolist(), data, strict=True)
    for digits, sub, arrived, number, value in each:
        yield Sent(f"{digits}{sub:06d}", arrived, number, value.as_py())


def _of_lambda(put: Records, row: int, fault: Fault, called: Called, arn: str) -> Failed:
    return _failed(put, row, "processing-failed", fault, called.attempts, called.ended, {"lambdaARN": arn})


def _failed(
    put: Records, row: int, kind: Any, fault: Fault, attempts: int, ended: int, more: Mapping[str, Any] = {}
) -> Failed:
    raw, arrived, sequence = put.data[row].as_py(), int(put.arrived[row]), int(put.sequence[row])
    return Failed(kind, raw, arrived, sequence, fault.code, fault.message, attempts, ended, more)
