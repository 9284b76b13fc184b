"""What becomes of a range of records: transforms, the destination itself, and objects in buckets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.failed import Failed
from schemas.records import Records
from schemas.splitting import sizes, split
from sinks.cluster import Cluster, connect
from sinks.http_endpoint import HttpEndpoint
from sinks.http_request import Endpoint
from sinks.opensearch import OpenSearchSink
from stream.deliveries.surroundings import Surroundings
from stream.firehose import hints, plan
from stream.firehose.hints import Hints
from stream.firehose.objects import Object, Source, objects
from stream.firehose.plan import Plan
from stream.transforms.lambda_event import Stream as Sender
from stream.transforms.transform import Transformed, transform

_AT_ONCE = 4 << 20  # bytes of records that are transformed together: unpacked they may be many more
_BACKS_UP = ("Enabled", "AllData", "AllDocuments")
_METRICS = {
    "ExtendedS3": "DeliveryToS3",
    "HttpEndpoint": "DeliveryToHttpEndpoint",
    "Amazonopensearchservice": "DeliveryToAmazonOpenSearchService",
}


class Processed(Struct, frozen=True):
    """A range behind its transforms and, where the destination is none of S3, behind the destination itself:
    `failed` are records that did not get through, `delivered` how many the destination took, `success` the
    share of its requests that succeeded."""

    done: Transformed
    failed: Sequence[Failed]
    delivered: int
    success: float


Placed = tuple[Plan, Object]  # an object and whose bucket it goes to


class Destination:
    """One version of a stream's configuration, ready to deliver. Raises ValueError and ConfigError for what
    cannot be delivered."""

    def __init__(self, stream: DeliveryStream, around: Surroundings) -> None:
        self._stream, self._around = stream, around
        document = stream.destination
        self._named = around.named(stream)
        kafka = (stream.source or {}).get("MSKClusterARN") if stream.type == "MSKAsSource" else None
        self._sender = Sender(stream.arn, around.identity(stream), kafka)
        self._processing = document.get("ProcessingConfiguration")
        self._invoke = around.invoke(self._processing)
        self._is_s3 = stream.kind == "ExtendedS3"
        self._plan = self._planned(document if self._is_s3 else document["S3Configuration"])
        self._backup = self._backup_plan(document)
        self._sink = self._made_sink(document)
        self.hints: Hints = self._plan.hints if self._is_s3 else _hints(stream)
        self.delimited = self._is_s3 and self._plan.delimited
        self.metric = _METRICS[stream.kind]
        self.partitions = self._plan.partitions is not None
        self.converts = self._plan.conversion is not None
        self.calls = self._invoke is not None

    def _planned(self, document: Mapping[str, Any], backup: bool = False) -> Plan:
        return plan.of(document, self._named, backup=backup, tables=self._around.tables)

    def _backup_plan(self, document: Mapping[str, Any]) -> Plan | None:
        """Where all records go as they were put, if they do."""
        if document.get("S3BackupMode") not in _BACKS_UP:
            return None
        return self._planned(document["S3BackupConfiguration"], backup=True) if self._is_s3 else self._plan

    def _made_sink(self, document: Mapping[str, Any]) -> HttpEndpoint | OpenSearchSink | None:
        around, mark = self._around, self._around.identity(self._stream)
        if self._stream.kind == "HttpEndpoint":
            endpoint = Endpoint.of(document, local=around.local)
            more = {"keep_413": around.keep_413, "sleep": around.sleep, "now": around.now}
            return HttpEndpoint(endpoint, self._stream.arn, mark, **more)  # type: ignore[arg-type]
        if self._stream.kind == "Amazonopensearchservice":
            cluster = Cluster.of(document, around.addresses, cadence=around.cadence)
            bulk = connect(cluster.url, around.access)
            return OpenSearchSink(cluster, bulk, mark, sleep=around.sleep, now=around.now)
        return None

    def process(self, put: Records) -> Processed:
        """Transform a range and, unless it goes to S3, hand it to the destination, whose own retries are over
        when this returns. What is sent twice has the same ids."""
        done = self._transformed(put)
        sink = self._sink
        if sink is None:
            return Processed(done, done.failed, 0, 1.0)
        attempts, successes, lost = sink.attempts, sink.successes, getattr(sink, "lost", 0)
        refused = sink.deliver(done.records, put.data.take(pa.array(done.origin)))
        lost = getattr(sink, "lost", 0) - lost
        tried = sink.attempts - attempts
        success = (sink.successes - successes) / tried if tried else 1.0
        taken = len(done.records) - len(refused) - lost
        return Processed(done, [*done.failed, *refused], taken, success)

    def objects(self, put: Records, processed: Processed, sealed: int) -> list[Placed]:
        """What goes into buckets of a range that was sealed at `sealed` (ms): the same every time."""
        first, done = int(put.sequence[0]), processed.done
        source = Source(first, sealed, put, done.origin, done.partition_keys)
        kept = done.records if self._is_s3 else done.records.take(np.empty(0, np.int64))
        made = [(self._plan, o) for o in objects(kept, processed.failed, self._named, self._plan, source)]
        if self._backup is not None:
            source = Source(first, sealed)
            backed = objects(put, [], self._named, self._backup, source, kind="backup")
            made += [(self._backup, each) for each in backed]
        return made

    def store(self, made: Sequence[Placed]) -> None:
        """Put objects. Raises SinkBusy when it is to be tried again, BucketRefused when a bucket cannot take
        one; putting them all again changes nothing."""
        for where, each in made:
            about = {"content_type": each.content_type, "content_encoding": each.content_encoding}
            self._around.bucket.put(where.bucket, each.key, each.body, sse=where.sse, **about)  # type: ignore[arg-type]

    def follow(self, stream: DeliveryStream) -> None:
        """Take up a changed address of an HTTP endpoint, for the next try."""
        if isinstance(self._sink, HttpEndpoint) and stream.kind == "HttpEndpoint":
            self._sink.endpoint = Endpoint.of(stream.destination, local=self._around.local)

    def _transformed(self, put: Records) -> Transformed:
        """The range through the transforms, some MiB at a time."""
        if not self._stream.processors():
            return Transformed(put, np.arange(len(put)), None, [], 0)
        parts = []
        for run in split((sizes(put.data), _AT_ONCE)):
            rows = np.arange(run.start, run.stop)
            part = transform(
                put.take(rows), self._processing, self._sender, self._invoke,
                sleep=self._around.sleep, now=self._around.now,
            )  # fmt: skip
            parts.append((rows, part))
        keys: list[Mapping[str, Any]] = []
        failed: list[Failed] = []
        for _, part in parts:
            keys += part.partition_keys or [{}] * len(part.records)
            failed += part.failed
        records = Records.joined([part.records for _, part in parts])
        origin = np.concatenate([rows[part.origin] for rows, part in parts])
        given = any(part.partition_keys is not None for _, part in parts)
        return Transformed(
            records, origin, keys if given else None, failed, sum(part.dropped for _, part in parts)
        )


def _hints(stream: DeliveryStream) -> Hints:
    kind = "http" if stream.kind == "HttpEndpoint" else "opensearch"
    return hints.hints(kind, stream.destination.get("BufferingHints"))
