"""PutRecord and PutRecordBatch: from the bytes of a request to records that are durable."""

import re
import secrets
import time
from collections.abc import Callable

import msgspec
import pyarrow as pa
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import SinkBusy
from stream.ingest import requests
from stream.ingest.faults import Fault, invalid, not_found, slow_down
from stream.ingest.intake import Intake, UnknownStream
from stream.ingest.metrics import Metrics
from stream.ingest.registry import Registry
from stream.ingest.throttle import Throttle

MAX_RECORD = 1_024_000  # bytes, before base64
MAX_RECORDS = 500
MAX_BATCH = 4 * 2**20  # bytes of all records, before base64
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}", re.ASCII)


class _Record(Struct, gc=False):
    Data: bytes


class _PutRecord(Struct):
    DeliveryStreamName: str
    Record: _Record


class _PutRecordBatch(Struct):
    DeliveryStreamName: str
    Records: list[_Record]


_record = msgspec.json.Decoder(_PutRecord)
_batch = msgspec.json.Decoder(_PutRecordBatch)

Put = tuple[str, list[bytes]]


class Puts:
    """Takes records for the streams of `registry`; `clock` gives ms since the epoch."""

    def __init__(
        self,
        registry: Registry,
        intake: Intake,
        throttle: Throttle,
        metrics: Metrics,
        clock: Callable[[], int],
        accept_compressed: bool = False,
    ) -> None:
        self._registry = registry
        self._intake = intake
        self._throttle = throttle
        self._metrics = metrics
        self._clock = clock
        self._accept_compressed = accept_compressed
        self._prefix = secrets.token_hex(12)

    async def record(self, body: bytes, account: str) -> bytes:
        """PutRecord: one record, or a Fault."""
        began = time.perf_counter()
        name, records = await _read("PutRecord", body)
        stream = await self._open(name, account)
        sizes = list(map(len, records))
        if not self._throttle.admit(name, sizes, self._clock()):
            self._metrics.add(name, ThrottledRecords=1)
            raise slow_down()
        first = await self._append(name, records, account)
        self._count(name, "PutRecord", sizes, 1, began)
        return b'{"RecordId":"%s%020d","Encrypted":%s}' % (
            self._prefix.encode(),
            first,
            self._encrypted(stream),
        )

    async def batch(self, body: bytes, account: str) -> bytes:
        """PutRecordBatch: records that fail one by one do so in the answer, the others are durable."""
        began = time.perf_counter()
        name, records = await _read("PutRecordBatch", body)
        sizes = list(map(len, records))
        if sum(sizes) > MAX_BATCH:
            raise invalid(f"Records size exceeds 4 MB limit: {MAX_BATCH} bytes of data in one batch")
        stream = await self._open(name, account)
        taken = self._throttle.admit(name, sizes, self._clock())
        if taken < len(records):
            self._metrics.add(name, ThrottledRecords=len(records) - taken)
        first, refused = 0, slow_down()
        if taken:
            try:
                first = await self._append(name, records[:taken], account)
            except Fault as error:
                if error.name != "ServiceUnavailableException":
                    raise
                taken, refused = 0, error
        self._count(name, "PutRecordBatch", sizes, taken, began)
        return self._answer(first, taken, len(records) - taken, refused, self._encrypted(stream))

    async def _find(self, name: str) -> DeliveryStream | None:
        """The stream; one that is not known here may have been made at another door."""
        if (stream := self._registry.find(name)) is None:
            try:
                await self._registry.refresh()
            except SinkBusy as error:
                raise _busy(error) from error
            stream = self._registry.find(name)
        return stream

    async def _open(self, name: str, account: str) -> DeliveryStream:
        """The stream, if records can be put into it now."""
        stream = await self._find(name)
        if stream is None:
            raise not_found(name, account)
        if stream.type != "DirectPut":
            raise invalid(f"{name} reads its records from {stream.type}; they cannot be put into it.")
        if stream.status(self._clock()) != "ACTIVE":
            raise not_found(name, account)
        compressed = any(step["Type"] == "Decompression" for step in stream.processors())
        if compressed and not self._accept_compressed:
            message = f"Only CloudWatch Logs puts records into {name}: it decompresses them."
            raise Fault("InvalidSourceException", message, more={"code": "InvalidSource"})
        return stream

    async def _append(self, name: str, records: list[bytes], account: str) -> int:
        try:
            return await self._intake.append(name, pa.array(records, pa.binary()), self._clock())
        except UnknownStream as error:
            raise not_found(name, account) from error
        except SinkBusy as error:
            raise _busy(error) from error

    def _encrypted(self, stream: DeliveryStream) -> bytes:
        return b"true" if stream.encryption.status(self._clock()) == "ENABLED" else b"false"

    def _answer(self, first: int, taken: int, failed: int, refused: Fault, encrypted: bytes) -> bytes:
        """The body of a batch's answer, in the order of its records."""
        stored = [f'{{"RecordId":"{self._prefix}{number:020d}"}}' for number in range(first, first + taken)]
        error = msgspec.json.encode({"ErrorCode": refused.name, "ErrorMessage": str(refused)}).decode()
        entries = ",".join(stored + [error] * failed).encode()
        head = b'{"FailedPutCount":%d,"Encrypted":%s,"RequestResponses":[' % (failed, encrypted)
        return head + entries + b"]}"

    def _count(self, name: str, operation: str, sizes: list[int], taken: int, began: float) -> None:
        values: dict[str, float] = {
            "IncomingBytes": sum(sizes[:taken]),
            "IncomingRecords": taken,
            "IncomingPutRequests": 1,
            f"{operation}.Bytes": sum(sizes),
            f"{operation}.Requests": 1,
            f"{operation}.Latency": (time.perf_counter() - began) * 1_000,
        }
        if operation == "PutRecordBatch":
            values["PutRecordBatch.Records"] = len(sizes)
        self._metrics.add(name, values)


def _busy(error: SinkBusy) -> Fault:
    return Fault("ServiceUnavailableException", f"Not stored: {error}.")


async def _read(operation: str, body: bytes) -> Put:
    """The stream's name and the records' data. What the quick way does not take is looked through in general,
    which finds out what is wrong with it."""
    quick = _quick_record(body) if operation == "PutRecord" else _quick_batch(body)
    if quick is not None:
        return quick
    request = await requests.read(operation, body)
    records = request["Records"] if operation == "PutRecordBatch" else [request["Record"]]
    return request["DeliveryStreamName"], [record["Data"] for record in records]


def _quick_record(body: bytes) -> Put | None:
    try:
        put = _record.decode(body)
    except requests.NO_JSON:
        return None
    fits = _NAME.fullmatch(put.DeliveryStreamName) and len(put.Record.Data) <= MAX_RECORD
    return (put.DeliveryStreamName, [put.Record.Data]) if fits else None


def _quick_batch(body: bytes) -> Put | None:
    try:
        put = _batch.decode(body)
    except requests.NO_JSON:
        return None
    if not (_NAME.fullmatch(put.DeliveryStreamName) and 1 <= len(put.Records) <= MAX_RECORDS):
        return None
    data = [record.Data for record in put.Records]
    return (put.DeliveryStreamName, data) if max(map(len, data)) <= MAX_RECORD else None
