"""A range of a delivery stream as the objects that are put into S3: the same range, the same objects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.failed import ErrorOutputType, Failed
from schemas.records import Records
from stream.firehose import body, errors, naming
from stream.firehose.compression import Body
from stream.firehose.conversion import convert
from stream.firehose.expressions import Parts
from stream.firehose.naming import Origin, Stream
from stream.firehose.partitioning import partition
from stream.firehose.plan import Plan

Rows = NDArray[np.int64]
_CONTENT_TYPE = "application/octet-stream"


class Object(Struct, frozen=True):
    """What is put. `kind` is `data`, `backup` or a type of error; `records` says how many are in it."""

    key: str
    body: Body
    content_type: str
    content_encoding: str | None
    kind: str
    records: int


class Source(Struct, frozen=True):
    """Where the records of a range come from: the range's `first` sequence number, when it was `sealed`
    (ms since the epoch), and, where transforms changed them, the records as they were `put` and for each
    record the row of its `origin` among those; `lambda_keys` are the partition keys that a function gave."""

    first: int
    sealed: int
    put: Records | None = None
    origin: Rows | None = None
    lambda_keys: Sequence[Mapping[str, Any] | None] | None = None


def objects(
    records: Records,
    failed: Iterable[Failed],
    stream: Stream,
    plan: Plan,
    source: Source,
    kind: str = "data",
) -> list[Object]:
    """Data objects in the order in which their partitions came, then one object for each type of error.

    `failed` are records that failed before; those that fail in partitioning or conversion join them. A range
    is given once for each kind: the keys are its own, and a second call would replace what the first put.
    """
    work = _Work(records, stream, plan, source)
    made = [found for found in (_data(work, parts, rows, kind) for parts, rows in _groups(work)) if found]
    return made + [_error(work, *group) for group in errors.by_kind([*failed, *work.failed]).items()]


class _Work:
    """One call's records and settings, and what failed on the way."""

    def __init__(self, records: Records, stream: Stream, plan: Plan, source: Source) -> None:
        self.records, self.stream, self.plan, self.source = records, stream, plan, source
        self.failed: list[Failed] = []

    def fail(self, type: ErrorOutputType, row: int, code: str, message: str, **more: Any) -> None:
        """A record failed in its first and only attempt."""
        put, at = self.records, row
        if self.source.put is not None and self.source.origin is not None:
            put, at = self.source.put, int(self.source.origin[row])
        raw, arrived = put.data[at].as_py(), int(self.records.arrived[row])
        sequence, ended = int(self.records.sequence[row]), self.source.sealed
        self.failed.append(Failed(type, raw, arrived, sequence, code, message, 1, ended, more))


def _groups(work: _Work) -> list[tuple[Parts, Rows]]:
    """Rows of each partition, by what it adds to an object's identity; all of them without partitioning."""
    every, partitions = np.arange(len(work.records)), work.plan.partitions
    if partitions is None or not len(every):
        return [((), every)] if len(every) else []
    found = partition(
        work.records.data, work.plan.main, partitions.query, work.source.lambda_keys, partitions.limit
    )
    for row, problem in found.problems.items():
        work.fail("processing-failed", row, problem.code, problem.message)
    return list(found.groups.items())


def _data(work: _Work, partition: Parts, rows: Rows, kind: str) -> Object | None:
    """The object of one partition; None when none of its records is in it."""
    plan, origin = work.plan, Origin(work.source.first, kind, partition)
    data = work.records.data
    if len(rows) < len(data):
        data = data.take(pa.array(rows))
    if plan.conversion:
        content, rows = _converted(work, data, rows)
        encoding = None
    else:
        plain = body.joined(data, delimited=plan.delimited)
        content = plan.compression.compress(plain, str(naming.object_id(work.stream, origin)))
        encoding = plan.compression.content_encoding
    if content is None:
        return None
    oldest = int(work.records.arrived[rows].min())
    parts = partition or plan.main
    key = naming.key(parts, plan.extension, work.stream, origin, oldest, plan.zone)
    return Object(key, content, _CONTENT_TYPE, encoding, kind, len(rows))


def _converted(work: _Work, data: pa.BinaryArray, rows: Rows) -> tuple[Body | None, Rows]:
    """The file of the records that could be converted, and which those are."""
    conversion = work.plan.conversion
    assert conversion is not None
    found = convert(data, conversion)
    for at, problem in found.problems.items():
        work.fail(
            "format-conversion-failed",
            int(rows[at]),
            problem.code,
            problem.message,
            dataCatalogTable=conversion.table,
        )
    kept = np.delete(rows, [*found.problems])
    return (conversion.format.write(found.table) if len(found.table) else None), kept


def _error(work: _Work, type: ErrorOutputType, failed: Sequence[Failed]) -> Object:
    plan, origin = work.plan, Origin(work.source.first, type)
    oldest = min(each.arrived for each in failed)
    key = naming.key(plan.errors, "", work.stream, origin, oldest, plan.zone, type)
    return Object(key, errors.lines(failed, work.stream.identity), _CONTENT_TYPE, None, type, len(failed))
