"""Records that are put go into Kafka: a put is answered when brokers have it."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

import pyarrow as pa
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import BrokerError, SinkBusy, TopicError
from schemas.frame import MAX_FRAME_BYTES, Frame, Subject
from stream.by_id import by_id
from stream.distributed.framing import Put, encoded, frames, number
from stream.ingest.intake import UnknownStream
from stream.kafka_client import async_options
from stream.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)

_UNDER_WAY = 8  # sends at the same time; what comes meanwhile gathers in frames
_CLOSE = 5.0  # seconds that a producer has to be closed

Streams = Callable[[], Mapping[str, DeliveryStream]]


class _Waiting(Struct, eq=False):
    """A put that is not answered yet; `done` gets the number of its first record."""

    put: Put
    size: int
    done: "asyncio.Future[int]"


_Key = tuple[str, int]  # a stream, and when it was created


class KafkaIntake:
    """Sends records to the topic of delivery, those of streams in `watch` to that of captures as well, and
    those of streams in `labels` to that of ground truth.

    What waits while sends are under way goes together: puts of one stream as one frame. At most `max_bytes`
    of records are held. A put that brokers have not acknowledged in time is refused, and may be stored
    nonetheless: clients send it again, and it is there twice, as with AWS.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        watch: Mapping[str, str],
        streams: Streams,
        max_bytes: int,
        producer: Callable[..., Any] = AIOKafkaProducer,
        labels: Collection[str] = (),
    ) -> None:
        self._settings, self._watch, self._labels, self._streams = settings, watch, labels, streams
        self._max = min(max_bytes, settings.max_held_bytes)
        self._patience = settings.patience.total_seconds()
        self._connect = producer
        self._held = 0
        self._pending: dict[_Key, deque[_Waiting]] = {}
        self._filled = asyncio.Event()
        self._slots = asyncio.Semaphore(_UNDER_WAY)
        self._sends: set[asyncio.Task[None]] = set()
        self._partitions: dict[str, int] = {}
        self._turns: Counter[str] = Counter()
        self._renewing = asyncio.Lock()

    async def start(self) -> None:
        """Return when records can be taken. Raises BrokerError, TopicError, ConfigError."""
        self._producer = self._made()
        self._lost: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            await self._producer.start()
            there = await self._producer.client.fetch_all_metadata()
        except (KafkaError, OSError) as error:
            await self._producer.stop()
            raise BrokerError(f"{', '.join(self._settings.brokers)}: {error}") from error
        self._partitions = {topic: len(there.partitions_for_topic(topic) or ()) for topic in self._topics()}
        if missing := [
            f"{topic}, {holds}" for topic, holds in self._topics().items() if not self._partitions[topic]
        ]:
            await self._producer.stop()
            raise TopicError(f"there is no topic {'; '.join(missing)}: `streamgauge topics` makes it")
        self.sending = asyncio.create_task(self._run())

    def _topics(self) -> dict[str, str]:
        """Topics that are sent to, and what goes there."""
        topics = {self._settings.records_topic: "for all records"}
        if self._watch:
            topics[self._settings.captures_topic] = "for the streams of firehose.watch"
        if self._labels:
            topics[self._settings.labels_topic] = "for the streams of firehose.labels"
        return topics

    def _made(self) -> Any:
        more = {"acks": "all", "enable_idempotence": True, "max_request_size": self._settings.message_bytes}
        return self._connect(**more, **async_options(self._settings))

    async def stop(self) -> None:
        """Send what waits, as far as brokers take it."""
        end = asyncio.get_running_loop().time() + _CLOSE
        while self._held and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        self.sending.cancel()
        for send in self._sends:
            send.cancel()
        with suppress(asyncio.CancelledError):
            await self.sending
        await _close(self._producer)

    async def append(self, stream: str, records: pa.BinaryArray, arrived: int) -> int:
        """Store records; see Intake."""
        defined = self._streams().get(stream)
        if defined is None:
            raise UnknownStream(f"no stream {stream}")
        put = Put(records, arrived)
        waiting = _Waiting(put, put.size, asyncio.get_running_loop().create_future())
        if self._held + waiting.size > self._max:
            raise SinkBusy("too much waits for the brokers")
        self._held += waiting.size
        key = stream, defined.created
        self._pending.setdefault(key, deque()).append(waiting)
        self._filled.set()
        try:
            async with asyncio.timeout(self._patience):
                return await waiting.done
        except TimeoutError as error:
            self._give_up(key, waiting)
            raise SinkBusy("brokers do not answer") from error

    def _give_up(self, key: _Key, waiting: _Waiting) -> None:
        """What was not sent yet is not sent any more; the rest is out of our hands."""
        if waiting in (queue := self._pending.get(key, deque())):
            queue.remove(waiting)
            self._held -= waiting.size
            if not queue:
                del self._pending[key]

    async def _run(self) -> None:
        while True:
            await self._filled.wait()
            await self._slots.acquire()
            if not self._pending:
                self._filled.clear()
                self._slots.release()
                continue
            key, together = self._gather()
            send = asyncio.create_task(self._send(key, together))
            self._sends.add(send)
            send.add_done_callback(self._sends.discard)

    def _gather(self) -> tuple[_Key, list[_Waiting]]:
        """Puts of the stream whose turn it is, as many as fit into a frame."""
        key = next(iter(self._pending))
        queue = self._pending.pop(key)
        together = [queue.popleft()]
        size = together[0].size
        while queue and size + queue[0].size <= MAX_FRAME_BYTES:
            size += queue[0].size
            together.append(queue.popleft())
        if queue:
            self._pending[key] = queue  # behind the other streams
        return key, together

    async def _send(self, key: _Key, together: list[_Waiting]) -> None:
        try:
            first: int | BaseException = await self._store(key, [waiting.put for waiting in together])
        except KafkaError as error:
            first = SinkBusy(f"brokers refuse: {error}")
            if not error.retriable and not isinstance(error, KafkaTimeoutError):
                log.error("records cannot be sent", extra={"stream": key[0], "reason": repr(error)})
                await self._renew()
        except SinkBusy as error:
            first = error
        except Exception as error:
            log.exception("records cannot be sent", extra={"stream": key[0]})
            first = SinkBusy(f"not sent: {error}")
        finally:
            self._held -= sum(waiting.size for waiting in together)
            self._slots.release()
        for waiting in together:
            if not waiting.done.done():
                if isinstance(first, int):
                    waiting.done.set_result(first)
                else:
                    waiting.done.set_exception(first)
            first = first + len(waiting.put.records) if isinstance(first, int) else first

    async def _store(self, key: _Key, puts: list[Put]) -> int:
        """The number of the first record, once brokers have all of them."""
        stream, created = key
        producer, lost = self._producer, self._lost
        made = frames(stream, puts)
        headers = [("created", str(created).encode())]
        # All before the first is sent: what cannot be made must not be stored in part.
        messages = [(self._turn(self._settings.records_topic), encoded(frame, Subject())) for frame in made]
        messages += chain.from_iterable(self._copies(stream, frame) for frame in made)
        sent = []
        for (topic, partition), message in messages:
            sent.append(
                await producer.send(topic, message, key=stream.encode(), partition=partition, headers=headers)
            )
        waiting: asyncio.Future[Any] = asyncio.gather(*sent)
        await asyncio.wait({waiting, lost}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            raise SinkBusy("the connection to brokers was given up")
        acknowledged = await waiting
        return number(acknowledged[0].partition, acknowledged[0].offset, 0)

    def _copies(self, stream: str, frame: Frame) -> Iterator[tuple[tuple[str, int], bytes]]:
        """The frame as workers read it that watch or join: messages, with the topic and partition of each."""
        if stream in self._labels:
            topic = self._settings.labels_topic
            for partition, part in by_id(frame, self._partitions[topic]):
                yield (topic, partition), encoded(part, Subject(), labels=True)
        elif endpoint := self._watch.get(stream):
            yield self._turn(self._settings.captures_topic), encoded(frame, Subject(endpoint))

    def _turn(self, topic: str) -> tuple[str, int]:
        """The topic, and the partition whose turn it is."""
        turn = self._turns[topic]
        self._turns[topic] += 1
        return topic, turn % self._partitions[topic]

    async def _renew(self) -> None:
        """A producer that met an error which repeating does not mend may never send again."""
        failed = self._producer
        async with self._renewing:
            if self._producer is failed:
                renewed = self._made()
                with suppress(KafkaError, OSError):
                    await renewed.start()
                    lost, self._lost = self._lost, asyncio.get_running_loop().create_future()
                    self._producer = renewed
                    await _close(failed)
                    lost.set_result(None)


async def _close(producer: Any) -> None:
    """Aiokafka waits for what it cannot send, for ever where brokers are away."""
    with suppress(TimeoutError, KafkaError):
        await asyncio.wait_for(producer.stop(), _CLOSE)
