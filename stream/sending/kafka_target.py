"""A topic as what takes captures or ground truth in. Each message is a frame, or one raw record.

The producer is idempotent: what a broker that went away had stored and not answered is not stored twice. It
tries again for ever, in an event loop of its own; how long that may take is decided here.

aiokafka, and not kafka-python, which the rest of the project uses where nothing is awaited: with raw records
it was measured to be six times as fast.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as ProducerError
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from schemas.errors import BrokerError, TopicError
from schemas.frame import MAX_FRAME_BYTES, Frame, Subject, encode
from schemas.times import END_OF_TIME
from stream.by_id import by_id
from stream.kafka_client import admin_client, async_options
from stream.kafka_settings import KafkaSettings
from stream.sending.cutting import part, where
from stream.sending.target import Stopped, Told

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_Message = tuple[bytes, int, int]  # value, records in it, partition

_LINGER = 20  # ms that messages wait for others
_PATIENCE = 10.0  # seconds that the producer waits longer than we do: it must not give up on its own
_ENVELOPE = 256  # bytes that a broker counts beside a message's value, at most
_DEFAULT_LIMIT = 1_048_588  # of a broker, in bytes
_LOOK = 0.2  # seconds between two looks at whether to stop
_SILENCE = 5.0  # seconds without an answer until that is said


class KafkaTarget:
    """Sends message i to partition i modulo their number: a frame, or a record where they are sent raw. A
    label goes to the partition of its id, where the last stays the last.

    `connected` gives aiokafka's producer, not yet started; `limit` is the largest message that the topic
    takes: records that do not fit are left out and counted. `timeout` is how long (seconds) brokers may
    answer nothing. Raises BrokerError when none can be reached.
    """

    def __init__(
        self,
        connected: Callable[[], Any],
        topic: str,
        timeout: float,
        *,
        raw: bool = False,
        limit: int = _DEFAULT_LIMIT,
    ) -> None:
        self.told = Told()
        self._topic, self._timeout, self._raw, self._limit = topic, timeout, raw, limit - _ENVELOPE
        self._open = 0  # messages that are not answered
        self._failure: BaseException | None = None
        self._heard, self._said = (
            time.monotonic(),
            False,
        )  # when a broker last answered; that none does was said
        self._next = 0
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="kafka-producer", daemon=True)
        self._thread.start()
        try:
            self._producer = self._call(_started(connected))
            self._partitions = self._known_partitions()
        except BaseException:
            self._end_loop()
            raise

    @classmethod
    def open(cls, settings: KafkaSettings, topic: str, timeout: float, *, raw: bool = False) -> Self:
        """Connect to brokers. Raises BrokerError, TopicError when there is no such topic, ConfigError."""
        limit = _limit(settings, topic)
        options = async_options(settings)

        def connected() -> AIOKafkaProducer:
            return AIOKafkaProducer(
                **options,
                acks="all",
                enable_idempotence=True,
                linger_ms=_LINGER,
                max_batch_size=min(MAX_FRAME_BYTES, limit - _ENVELOPE),
                max_request_size=limit,
                request_timeout_ms=int((timeout + _PATIENCE) * 1000),  # also of a message without leader
            )

        return cls(connected, topic, timeout, raw=raw, limit=limit)

    def send(self, frame: Frame, stopped: Stopped) -> None:
        """Hand the frame to the producer; that waits where much is unanswered. Raises BrokerError."""
        if frame.labels:
            messages = [
                (message, records, self._partitions[place])
                for place, part in by_id(frame, self.partitions)
                for message, records in self._messages(part)
            ]
        else:
            messages = [(message, records, self._turn()) for message, records in self._messages(frame)]
        self._await(self._hand_over(messages), stopped)

    @property
    def partitions(self) -> int:
        """How many the topic has."""
        return len(self._partitions)

    def _turn(self) -> int:
        """The partition whose turn it is."""
        self._next += 1
        return self._partitions[(self._next - 1) % self.partitions]

    def complete(self, subjects: Iterable[Subject]) -> None:
        """Say in every partition that nothing more comes of `subjects`."""
        ends = [encode(Frame.completion(subject, END_OF_TIME)) for subject in subjects]
        partitions = self._known_partitions()
        messages = [(message, 0, partition) for message in ends for partition in partitions]
        self._await(self._hand_over(messages), lambda: False)

    def finish(self, stopped: Stopped) -> None:
        """Wait until every message is answered. Raises BrokerError."""
        self._await(self._all_answered(), stopped)

    def close(self, seconds: float) -> None:
        """Wait so long for answers, count them, and close the producer. Raises BrokerError."""
        end = time.monotonic() + seconds
        try:
            if seconds:
                self.finish(lambda: time.monotonic() >= end)
        finally:
            with suppress(ProducerError, OSError):
                self._call(_ended(self._producer, max(end - time.monotonic(), 0.1)))
            self._end_loop()

    def _messages(self, frame: Frame) -> Iterator[tuple[bytes, int]]:
        """The frame as messages that the topic takes, each with the number of its records."""
        if self._raw:
            for index, record in enumerate(frame.data.to_pylist()):
                if self._fits(len(record), frame, index):
                    yield record.replace(b"\n", b" "), 1  # a line feed would make it two
            return
        message = encode(frame)
        if len(message) > self._limit and len(frame) > 1:
            middle = len(frame) // 2
            yield from self._messages(part(frame, 0, middle))
            yield from self._messages(part(frame, middle, len(frame)))
        elif self._fits(len(message), frame, 0):
            yield message, len(frame)

    def _fits(self, size: int, frame: Frame, index: int) -> bool:
        if size <= self._limit:
            return True
        self.told.refuse(f"{where(frame, index)}: {size:,} bytes; the topic takes {self._limit:,}")
        return False

    async def _hand_over(self, messages: Sequence[_Message]) -> None:
        """In the loop: give messages to the producer, in order; it waits where a partition has enough."""
        for message, records, partition in messages:
            if not self._open:
                self._heard = time.monotonic()
            self._open += 1
            try:
                future = await self._producer.send(self._topic, message, partition=partition)
            except BaseException:
                self._open -= 1
                raise
            future.add_done_callback(partial(self._answered, records, len(message)))

    async def _all_answered(self) -> None:
        while self._open:
            await self._producer.flush()
            await asyncio.sleep(0.001)  # those that wait for messages hear of it after those that flush

    def _answered(self, records: int, size: int, future: "asyncio.Future[Any]") -> None:
        self._open -= 1
        if future.cancelled():
            return
        if error := future.exception():
            self._failure = self._failure or error
            return
        self.told.acknowledged += records
        self.told.messages += 1
        self.told.nbytes += size
        self._heard, self._said = time.monotonic(), False

    def _await(self, work: Coroutine[Any, Any, object], stopped: Stopped) -> None:
        """Wait for what the loop does, until stopped. Raises BrokerError where it fails or is too long."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while not future.done() and not stopped():
            with suppress(NotYet, ProducerError):
                future.result(_LOOK)
            self._check_silence(future)
        if not future.done():
            future.cancel()
        elif not future.cancelled() and (error := future.exception()):
            raise BrokerError(f"{self._topic}: {error}") from error
        if self._failure:
            raise BrokerError(f"{self._topic}: {self._failure}") from self._failure

    def _check_silence(self, future: "Future[Any]") -> None:
        silent = time.monotonic() - self._heard
        if not self._open or future.done():
            return
        if silent >= self._timeout:
            future.cancel()
            raise BrokerError(f"{self._topic}: no broker answered for {self._timeout:g} s")
        if silent > _SILENCE and not self._said:
            log.warning("no broker answers, trying again", extra={"topic": self._topic})
            self._said = True

    def _known_partitions(self) -> list[int]:
        return sorted(self._call(self._producer.partitions_for(self._topic)))

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except (ProducerError, OSError) as error:
            raise BrokerError(f"{self._topic}: {error}") from error

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _started(connected: Callable[[], Any]) -> Any:
    producer = connected()
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


async def _ended(producer: Any, seconds: float) -> None:
    """Close the producer; what it still waits for after so many seconds is given up."""
    with suppress(TimeoutError):
        await asyncio.wait_for(producer.stop(), seconds)
        return
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await producer.client.close()


def _limit(settings: KafkaSettings, topic: str) -> int:
    """Bytes of the largest message of `topic`. Raises TopicError when it is not there, BrokerError."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    with admin_client(settings) as admin:
        try:
            if topic not in admin.list_topics():
                raise TopicError(f"{topic}: no such topic; `streamgauge topics` makes those of workers")
            config = admin.describe_configs([resource], config_filter="all")["topic"].get(topic, {})
        except (KafkaError, OSError) as error:
            raise BrokerError(f"{topic}: {error}") from error
    return int(config["max.message.bytes"]["value"]) if "max.message.bytes" in config else _DEFAULT_LIMIT
