"""The delivery stage of a worker: Faust brings messages and keeps what is remembered of each partition."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import faust
import msgspec
from faust.types import EventT
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import BadFrame, SinkBusy
from schemas.times import now as wall_clock
from stream.deliveries.runner import Runner
from stream.deliveries.surroundings import Sleep, Surroundings
from stream.distributed.aside import Aside
from stream.distributed.definitions import KafkaDefinitions
from stream.distributed.delivering import PartitionDelivery
from stream.distributed.faust_outside import FaustOutside
from stream.distributed.health import loudly
from stream.distributed.publishing import Store
from stream.distributed.remembered import Remembered, Write
from stream.distributed.room import Room
from stream.ingest.metrics import Metrics
from stream.settings import FirehoseSettings, Settings

log = logging.getLogger(__name__)

_TICK = 0.25  # seconds between two looks at what was delivered
_LOOK = 4  # ticks between two looks at whether something did not come
_SWEEP = 20  # ticks between two looks at which streams are gone
_STORED = 30.0  # seconds until a write of the changelog is tried again


class _Part(Struct, eq=False):
    """A partition that this worker delivers, and its events that are not acknowledged yet."""

    number: int
    outside: FaustOutside
    remembered: Remembered
    delivery: PartitionDelivery
    runner: Runner
    events: deque[tuple[int, EventT[Any]]]
    next: int  # offset
    sought: tuple[int, int] | None = None
    lacking: tuple[int, int] | None = None  # the offset that should come next and the end, at the last look
    again: tuple[int, int] | None = None  # the same, when that was read again


class DeliveryStage:
    """Delivers the partitions of records that the worker has. Acknowledges a message when all of it, and of
    those before it, is delivered; begins anew from what is remembered whenever partitions are assigned."""

    def __init__(self, app: faust.App, settings: Settings, metrics: Metrics, now: Callable[[], int]) -> None:
        kafka = settings.kafka
        self._app, self._metrics, self._topic = app, metrics, kafka.records_topic
        self._now = now
        self.definitions = KafkaDefinitions(kafka)
        self.room = Room(kafka.max_held_bytes)
        self._aside = Aside(Store.of(settings).errors, self._topic)
        firehose = settings.firehose or FirehoseSettings()
        self._around = Surroundings.of(firehose, settings.output, lambda seconds: None, now)
        self.table = app.Table(
            "delivery", key_type=bytes, value_type=bytes, partitions=kafka.partitions
        )  # the store's own bytes are read and written, a partition at a time
        self._parts: dict[int, _Part] = {}
        self._following = asyncio.Event()
        self._assigned = False

    async def run(self) -> None:
        """Acknowledge what was delivered, until the worker stops. Raises what ends the stage."""
        await self.definitions.start()
        self._following.set()
        tick = 0
        while not self._app.should_stop:
            if self.definitions.following.done():
                self.definitions.following.result()
            for part in list(self._parts.values()):
                self._acknowledge(part)
                if tick % _SWEEP == 0:
                    await self._sweep(part)
            if tick % _LOOK == 0:
                await self._look()
            tick += 1
            await asyncio.sleep(_TICK)

    async def _look(self) -> None:
        """Take up partitions that nothing came from yet, and read again, once, what should have come by now:
        what is fetched while partitions move may never arrive."""
        if not self._assigned or self._app.rebalancing:
            return
        places = [place for place in self._app.consumer.assignment() if place.topic == self._topic]
        ends = await self._app.consumer.highwaters(*places) if places else {}
        for place in places:
            if not self._assigned or self._app.rebalancing:
                return
            part = self._parts.get(place.partition) or await self._open(place.partition)
            lacking = (part.next, int(ends.get(place) or 0))
            stands = part.next < lacking[1] and part.lacking == lacking and part.again != lacking
            part.lacking = lacking
            if stands and self._has(part):
                part.again = lacking
                await part.outside.seek(part.next)

    def _acknowledge(self, part: _Part) -> None:
        delivered = part.delivery.delivered
        if part.events and part.events[0][0] <= delivered:
            part.outside.write(part.remembered.at(delivered + 1))
        while part.events and part.events[0][0] <= delivered:
            part.events.popleft()[1].ack()

    async def _sweep(self, part: _Part) -> None:
        try:
            await asyncio.to_thread(part.delivery.sweep)
        except SinkBusy as error:
            log.warning("streams that are gone are not forgotten yet", extra={"reason": str(error)})

    async def take_all(self, events: AsyncIterator[EventT[Any]]) -> None:
        """Hold the records of events as they come."""
        async for event in events:
            await self.take(event)

    async def take(self, event: EventT[Any]) -> None:
        """Hold the records of an event, as soon as there is room."""
        message = event.message
        await self._following.wait()
        if not self._assigned:
            return  # it comes again
        part = self._parts.get(message.partition) or await self._open(message.partition)
        if not await self._is_next(part, event):
            return
        name, created = (message.key or b"").decode("utf-8", "replace"), _created(message.headers)
        if not part.delivery.knows(name, created):
            await self._refresh(part)
        while self.room.full() and self._has(part):
            await asyncio.sleep(_TICK / 5)
        if not self._has(part):
            return
        try:
            part.delivery.take(message.offset, message.value or b"", created)
        except BadFrame as error:
            await self._aside.keep(message, error, lambda: self._has(part))
            if not self._has(part):
                return  # it comes again
            self._metrics.add("", MessagesKeptAside=1)
            part.delivery.pass_over(message.offset)
        part.events.append((message.offset, event))
        part.next = message.offset + 1

    def _streams(self) -> Mapping[str, DeliveryStream]:
        now = self._now()
        return {name: s for name, s in self.definitions.streams.items() if not s.gone(now)}

    async def _is_next(self, part: _Part, event: EventT[Any]) -> bool:
        """Whether no message lies between the last one and this one: what was fetched for an assignment that
        is no more may come first. A gap is believed, as of transactions or of what was deleted, when it is
        still there after the partition was read again from where it begins."""
        offset = event.message.offset
        if offset < part.next:
            if offset < part.remembered.next or offset <= part.delivery.delivered:
                event.ack()  # else it is held already
            return False
        if offset == part.next or part.sought == (part.next, offset):
            return True
        if part.sought is None or part.sought[0] != part.next:
            part.sought = part.next, offset
            await part.outside.seek(part.next)
        return False

    def _has(self, part: _Part) -> bool:
        return self._parts.get(part.number) is part

    async def _refresh(self, part: _Part) -> None:
        """Whether a stream is gone, or not known yet, only the end of the topic says."""
        while self._has(part):
            try:
                return await self.definitions.refresh()
            except SinkBusy as error:
                log.warning("definitions cannot be read, trying again", extra={"reason": str(error)})
                await asyncio.sleep(1)

    async def _open(self, number: int) -> _Part:
        """Go on where this worker, or another one, was."""
        loop = asyncio.get_running_loop()
        outside = FaustOutside(self._app, self.table, self._topic, number)
        remembered = Remembered(outside.items(), outside.epoch())

        def remember(name: str, value: bytes | None) -> None:
            writing = asyncio.run_coroutine_threadsafe(self._remember(part, name, value), loop)
            try:
                writing.result(2 * _STORED)
            except TimeoutError as error:
                raise SinkBusy("the changelog is not written") from error

        def around(sleep: Sleep) -> Surroundings:
            return msgspec.structs.replace(self._around, sleep=sleep, place=f"{self._topic}/{number}")

        delivery = PartitionDelivery(number, self._streams, remembered.values, remember, self.room)
        runner = Runner(delivery, around, self._metrics, hurry=delivery.hurries)
        part = self._parts[number] = _Part(
            number, outside, remembered, delivery, runner, deque(), remembered.next
        )
        while self._has(part):
            try:
                await asyncio.gather(*(self._write(part, write) for write in remembered.copies))
                await self._write(part, remembered.mark)
                break
            except SinkBusy as error:
                log.warning("changelog is busy, trying again", extra={"reason": str(error)})
                await asyncio.sleep(1)
        if self._has(part):
            for write in remembered.garbage:
                outside.write(write)
            runner.start()
            facts = {"partition": number, "epoch": remembered.epoch, "streams": len(remembered.values)}
            log.info("delivery of a partition goes on", extra=facts)
        return part

    async def _remember(self, part: _Part, name: str, value: bytes | None) -> None:
        """Return when brokers have it, and have told that the partition is this worker's. Raises SinkBusy."""
        await self._write(part, part.remembered.write(name, value))
        if part.events and not await part.outside.is_mine(part.events[0][0] - 1):
            raise SinkBusy("brokers do not say that the partition is this worker's")

    async def _write(self, part: _Part, write: Write) -> None:
        if not self._has(part):
            raise SinkBusy("the partition belongs to another worker")
        try:
            await asyncio.wait_for(asyncio.shield(part.outside.write(write)), _STORED)
        except Exception as error:
            raise SinkBusy(f"the changelog is not written: {error!r}") from error
        if not self._has(part):
            raise SinkBusy("the partition belongs to another worker")

    async def assigned(self) -> None:
        """Events of this assignment may come."""
        self._assigned = True

    async def revoked(self) -> None:
        """Let go of everything that is held: it comes again, here or elsewhere."""
        self._assigned = False
        parts, self._parts = self._parts, {}
        for part in parts.values():
            part.delivery.close()
        await asyncio.gather(*(asyncio.to_thread(part.runner.stop) for part in parts.values()))

    async def stop(self) -> None:
        """Deliver no more."""
        for part in self._parts.values():
            self._acknowledge(part)
        await self.revoked()
        if self._following.is_set():
            await self.definitions.stop()


def _created(headers: Any) -> int | None:
    """When the stream was created that a message was put into, as its door says."""
    found = dict(headers.items() if isinstance(headers, Mapping) else headers or ())
    raw = found.get("created")
    return int(raw) if raw is not None and raw.isdigit() else None


def add_delivery(
    app: faust.App,
    settings: Settings,
    metrics: Metrics | None = None,
    now: Callable[[], int] = wall_clock,
) -> DeliveryStage:
    """Let the workers of `app` deliver the records of `settings.kafka.records_topic`.

    Needs `stream_wait_empty=False`. What ends the stage ends the worker. Raises ConfigError.
    """
    stage = DeliveryStage(app, settings, metrics or Metrics(), now)
    topic = app.topic(
        settings.kafka.records_topic,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=settings.kafka.partitions,
    )

    @app.agent(topic, name="deliver")
    async def deliver(records: Any) -> None:
        await loudly(app, stage.take_all(records.noack().events()))

    async def assigned(*_: Any, **__: Any) -> None:
        await stage.assigned()

    async def revoked(*_: Any, **__: Any) -> None:
        await stage.revoked()

    async def stop(*_: Any, **__: Any) -> None:
        await stage.stop()

    app.task(stage.run)
    app.on_partitions_assigned.connect(assigned)
    app.on_partitions_revoked.connect(revoked)
    app.on_before_shutdown.connect(stop)
    return stage
