"""Definitions of delivery streams in a compacted topic, which every door and every worker follows."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.delivery_stream import DeliveryStream
from schemas.errors import BrokerError, SinkBusy, TopicError
from stream.distributed.book import Book, Written
from stream.ingest.intake import Overtaken
from stream.kafka_client import async_options
from stream.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)

_POLL_MS = 500
_FETCH_MS = 50  # that brokers hold a request back; others on the same connection wait behind it


class KafkaDefinitions:
    """Follows `settings.streams_topic` from its start, and writes to it; see Definitions.

    All coroutines belong to the event loop in which `start` was called; `streams` may be read by any thread.
    `patience` is how long (seconds) a call waits for brokers before it raises SinkBusy.
    """

    def __init__(self, settings: KafkaSettings, patience: float = 10.0) -> None:
        self._settings, self._patience = settings, patience
        self._place = TopicPartition(settings.streams_topic, 0)
        self._book = Book()
        self._position = 0
        self._moved = asyncio.Condition()
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}  # own messages that were not read back yet

    @property
    def streams(self) -> Mapping[str, DeliveryStream]:
        """The streams that are defined, by name, as far as the topic was read."""
        return self._book.streams

    async def start(self) -> None:
        """Return when the topic was read to its end. Raises BrokerError, TopicError, ConfigError."""
        options = async_options(self._settings)
        self._consumer = AIOKafkaConsumer(
            enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=_FETCH_MS, **options
        )
        self._producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **options)
        try:
            await self._consumer.start()
            await self._producer.start()
            if self._place.topic not in await self._consumer.topics():
                raise TopicError(f"there is no topic {self._place.topic}: make it with `streamgauge topics`")
            self._consumer.assign([self._place])
            self._position = (await self._consumer.beginning_offsets([self._place]))[self._place]
            self._consumer.seek(self._place, self._position)
            self.following = asyncio.create_task(self._follow())
            await self.refresh()
        except (KafkaError, SinkBusy) as error:
            await self.stop()
            raise BrokerError(f"{', '.join(self._settings.brokers)}: {error}") from error
        except BaseException:
            await self.stop()
            raise
        for name in self._book.strays():
            with suppress(Overtaken, SinkBusy):
                await self._write(name, self._book.mend(name))

    async def stop(self) -> None:
        """Follow no more."""
        if hasattr(self, "following"):
            self.following.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self.following
        await self._producer.stop()
        await self._consumer.stop()

    async def _follow(self) -> None:
        while True:
            polled = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for message in polled.get(self._place, ()):
                self._take(message)
            async with self._moved:
                self._position = await self._consumer.position(self._place)
                self._moved.notify_all()

    def _take(self, message: Any) -> None:
        about = dict(message.headers)
        before = int(about["before"]) if "before" in about else None
        written = Written(
            (message.key or b"").decode("utf-8", "replace"), message.value, message.offset, before
        )
        holds = self._book.read(written)
        done = self._waiting.pop(about.get("token", b""), None)
        if done is not None and not done.done():
            done.set_result(holds)

    async def refresh(self) -> None:
        """Return when everything was read that the topic held at the time of the call. Raises SinkBusy."""
        self._check()
        try:
            async with asyncio.timeout(self._patience):
                end = (await self._consumer.end_offsets([self._place]))[self._place]
                async with self._moved:
                    await self._moved.wait_for(lambda: self._position >= end)
        except (TimeoutError, KafkaError) as error:
            raise SinkBusy(f"brokers do not answer: {error}") from error

    def _check(self) -> None:
        if self.following.done():
            raise SinkBusy("definitions of streams are not followed any more")

    async def define(self, stream: DeliveryStream) -> None:
        """Store a definition, and return when it was read back. Raises SinkBusy, Overtaken."""
        await self._settle(stream.name, msgspec.json.encode(stream))

    async def drop(self, stream: str) -> None:
        """Forget a stream; workers drop what waits in it. Raises SinkBusy, Overtaken."""
        if stream in self._book.streams:
            await self._settle(stream, None)

    async def _settle(self, name: str, value: bytes | None) -> None:
        if await self._write(name, value):
            return
        with suppress(SinkBusy):  # else the next that starts puts it right
            await self._write(name, self._book.mend(name))
        raise Overtaken(f"Firehose {name} was changed by another call at the same time")

    async def _write(self, name: str, value: bytes | None) -> bool:
        """Whether what was written holds."""
        self._check()
        token = secrets.token_hex(8).encode()
        about = [("before", str(self._book.last(name)).encode()), ("token", token)]
        read: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[token] = read
        try:
            async with asyncio.timeout(self._patience):
                place = {"partition": self._place.partition, "headers": about}
                await self._producer.send_and_wait(self._place.topic, value, name.encode(), **place)
                return await read
        except (TimeoutError, KafkaError) as error:
            raise SinkBusy(f"the definition was not stored yet: {error}") from error
        finally:
            self._waiting.pop(token, None)
