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

from schemas.failed import ErrorOutputType, Failed
from schemas.record_ids import sequence_texts
from schemas.records import Records
from schemas.times import now as wall_clock
from stream.transforms.deaggregate import deaggregate
from stream.transforms.decompress import CODE, decompress
from stream.transforms.lambda_ import Caller, Function, Invoke
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
    going = Transformed(put, np.arange(len(put)), None, [], 0)
    if "Decompression" in steps:
        given = steps.get("CloudWatchLogProcessing", {}).get("DataMessageExtraction", "")
        going = _unpacked(put, going, given.lower() == "true", now)
    if "RecordDeAggregation" in steps:
        going = _apart(put, going, delimiter(steps["RecordDeAggregation"]))
    if "Lambda" in steps:
        assert invoke is not None, "a Lambda processor needs a way to call its function"
        going = _called(put, going, stream, Caller(Function.of(steps["Lambda"]), invoke, sleep, now, new_id))
    return going


def _unpacked(put: Records, going: Transformed, extract: bool, now: Callable[[], int]) -> Transformed:
    data, reasons = decompress(going.records.data, extract)
    faults = [
        _failed(put, row, "decompression-failed", Fault(CODE, reason), 1, now(), {})
        for row, reason in reasons.items()
    ]
    origin = np.delete(going.origin, [*reasons])
    return Transformed(_of(put, data.take(pa.array(origin)), origin), origin, None, faults, 0)


def _apart(put: Records, going: Transformed, delimiter: bytes | None) -> Transformed:
    data, parent = deaggregate(going.records.data, delimiter)
    origin = going.origin[parent]
    empty = len(going.records) - len(np.unique(parent))
    return Transformed(_of(put, data, origin), origin, None, going.failed, going.dropped + empty)


def _called(put: Records, going: Transformed, stream: Stream, caller: Caller) -> Transformed:
    called = caller.call(stream, list(_sent(going, stream)))
    results = [(result, batch) for batch in called for result in batch.results]
    more = {"lambdaARN": caller.function.arn}
    faults = [
        _failed(put, row, "processing-failed", result, batch.attempts, batch.ended, more)
        for row, (result, batch) in zip(going.origin.tolist(), results, strict=True)
        if isinstance(result, Fault)
    ]
    passed = [(row, result) for row, (result, _) in enumerate(results) if isinstance(result, Ok)]
    keys = [result.keys or {} for _, result in passed]
    data = pa.array([result.data for _, result in passed], pa.binary())
    origin = going.origin[np.array([row for row, _ in passed], np.int64)]
    dropped = going.dropped + sum(isinstance(result, Dropped) for result, _ in results)
    records = _of(put, data, origin)
    return Transformed(records, origin, keys if any(keys) else None, going.failed + faults, dropped)


def _of(put: Records, data: pa.BinaryArray, origin: Rows) -> Records:
    """`data` as records that came when, and have the numbers of, those that they were made from."""
    return Records(data, put.arrived[origin], put.sequence[origin])


def _sent(going: Transformed, stream: Stream) -> Iterator[Sent]:
    """The records as an event has them; the id ends in the place among the sub-records of one record."""
    records = going.records
    place = np.arange(len(records)) - np.searchsorted(going.origin, going.origin)
    numbers, arrived = records.sequence.tolist(), records.arrived.tolist()
    ids = sequence_texts(stream.identity, numbers)
    for row, value in enumerate(records.data):
        yield Sent(f"{ids[row]}{place[row]:06d}", arrived[row], numbers[row], value.as_py())


def _failed(
    put: Records,
    row: int,
    kind: ErrorOutputType,
    fault: Fault,
    attempts: int,
    ended: int,
    more: Mapping[str, Any],
) -> Failed:
    raw, arrived, sequence = put.data[row].as_py(), int(put.arrived[row]), int(put.sequence[row])
    return Failed(kind, raw, arrived, sequence, fault.code, fault.message, attempts, ended, more)
