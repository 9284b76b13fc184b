"""A partition of records, the worker that delivers it, and crashes at any write."""

import msgspec
import numpy as np
import pyarrow as pa

from delivering import NOW, Clock
from schemas.delivery_stream import DeliveryStream
from schemas.frame import Frame, Subject, encode
from stream.deliveries.channel import Abandoned, Channel
from stream.deliveries.surroundings import Surroundings
from stream.distributed.delivering import PartitionDelivery
from stream.distributed.room import Room
from stream.ingest.metrics import Metrics


class Crash(BaseException):
    """The worker is no more; unlike an error, nothing catches it."""


class Bucket:
    """Objects by key. Putting another body under a key that there is would lose what was there."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0

    def put(self, bucket, key, body, **_) -> None:
        raw = bytes(memoryview(body))
        assert self.objects.setdefault(key, raw) == raw
        self.puts += 1


class Partition:
    """Messages, what is remembered, the offset up to which messages are acknowledged: what a crash leaves."""

    def __init__(self, *streams: DeliveryStream, partition: int = 0, room: int = 1 << 30) -> None:
        self.partition, self.clock, self.bucket, self.most = partition, Clock(), Bucket(), room
        self.defined = {stream.name: stream for stream in streams}
        self.messages: list[bytes] = []
        self.stored: dict[str, bytes] = {}
        self.acknowledged = -1
        self.deadly = -1  # writes until a crash; negative: never
        self.open()

    def open(self) -> None:
        """Another worker, or the same anew."""
        self.room = Room(self.most)
        self.delivery = PartitionDelivery(
            self.partition, lambda: self.defined, dict(self.stored), self._remember, self.room
        )
        bucket = self.bucket

        class Deadly:
            def put(_, *arguments, **more) -> None:
                self._write(lambda: bucket.put(*arguments, **more))

        self.around = Surroundings(
            bucket=Deadly(), sleep=self.clock.sleep, now=self.clock, place=str(self.partition)
        )
        self.channels: dict[str, Channel] = {}
        self.at = self.acknowledged + 1

    def _write(self, action) -> None:
        """A crash comes before a write or after it."""
        self.deadly -= 1
        if self.deadly == 0:
            raise Crash
        action()
        self.deadly -= 1
        if self.deadly == 0:
            raise Crash

    def _remember(self, name: str, value: bytes | None) -> None:
        self._write(
            lambda: self.stored.pop(name, None) if value is None else self.stored.update({name: value})
        )

    def put(self, name: str, *records: bytes) -> None:
        data = pa.array(records, pa.binary())
        n = len(records)
        frame = Frame(Subject(), data, np.full(n, self.clock()), np.zeros(n, np.uint32), name)
        self.messages.append(encode(frame))

    def take(self, many: int = 1 << 30) -> None:
        while many and self.at < len(self.messages) and not self.room.full():
            self.delivery.take(self.at, self.messages[self.at], NOW)
            self.at += 1
            many -= 1

    def step(self) -> bool:
        """One look of each channel, as the runner's threads do; whether something happened."""
        did = False
        for name in sorted(self.delivery.streams):
            if name not in self.channels:
                hurry = lambda name=name: self.delivery.hurries(name)  # noqa: E731
                self.channels[name] = Channel(self.delivery, name, self.around, Metrics(), hurry=hurry)
            try:
                did |= self.channels[name].step()
            except Abandoned:
                del self.channels[name]
        self.acknowledged = max(self.acknowledged, self.delivery.delivered)
        return did

    def run(self) -> None:
        """Until nothing is due and nothing more comes."""
        idle = 0
        while idle < 2:
            before = self.at
            self.take()
            idle = 0 if self.step() or self.at > before else idle + 1

    def lines(self) -> list[bytes]:
        return [line for body in self.bucket.objects.values() for line in body.splitlines()]


def recreated(stream: DeliveryStream) -> DeliveryStream:
    return msgspec.structs.replace(stream, created=stream.created + 1)
