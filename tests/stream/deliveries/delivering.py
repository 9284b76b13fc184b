"""Streams, queues and buckets to deliver with, on a clock that tests turn."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.delivery_stream import DeliveryStream
from sinks.local_bucket import LocalBuckets
from stream.deliveries.channel import Channel
from stream.deliveries.surroundings import Surroundings
from stream.ingest.metrics import Metrics
from stream.ingest.queue import Queue

NOW = 1_767_323_045_123  # 2026-01-02T03:04:05.123Z
ROLE = "arn:aws:iam::000000000000:role/local-delivery"
LAKE = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
MIB = 1 << 20


class Clock:
    """Stands still until it is moved, or slept on; ms since the epoch."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1_000)


def stream(name: str = "s", kind: str = "ExtendedS3", **destination: Any) -> DeliveryStream:
    arn = f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}"
    document = {**LAKE, **destination} if kind == "ExtendedS3" else destination
    return DeliveryStream(name, arn, "DirectPut", kind, document, NOW, NOW)  # type: ignore[arg-type]


class Delivering:
    """One stream in a queue, the channel that delivers it, and the bucket it goes to."""

    def __init__(self, path: Path, defined: DeliveryStream, bucket: Any = None, **around: Any) -> None:
        self.path, self.name, self.clock = path, defined.name, Clock()
        self.metrics = Metrics()
        self.bucket = bucket or LocalBuckets(path / "buckets")
        self._around = around
        self.queue = Queue(path / "queue.db")
        asyncio.run(self.queue.define(defined))
        self.open()

    def open(self) -> None:
        around = Surroundings(bucket=self.bucket, sleep=self.clock.sleep, now=self.clock, **self._around)
        self.channel = Channel(self.queue, self.name, around, self.metrics)

    def restart(self) -> None:
        """As after a crash: nothing is left but what was stored."""
        self.queue.close()
        self.queue = Queue(self.path / "queue.db")
        self.open()

    def put(self, *records: bytes) -> None:
        asyncio.run(self.queue.append(self.name, pa.array(records, pa.binary()), self.clock()))

    def run(self) -> int:
        """Step until nothing is due; how many ranges were delivered."""
        ranges = 0
        idle = 0
        while idle < 2:
            before = self.queue.covered(self.name)
            idle = 0 if self.channel.step() else idle + 1
            ranges += self.queue.covered(self.name) > before
        return ranges

    def objects(self, under: str = "") -> dict[str, bytes]:
        """Bodies by key, unzipped."""
        root = self.path / "buckets" / "lake"
        files = sorted(path for path in root.rglob("*") if path.is_file()) if root.exists() else []
        found = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
        return {key: _unzipped(key, body) for key, body in found.items() if key.startswith(under)}

    def close(self) -> None:
        self.queue.close()


def _unzipped(key: str, body: bytes) -> bytes:
    return gzip.decompress(body) if key.endswith(".gz") else body
