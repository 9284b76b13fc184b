"""What a shard needs of the world, as Faust gives it: a table, its changelog, a consumer."""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from typing import Any

from faust.types import TP

from stream.distributed.stamped import Write

_NOTHING = -1  # the offset before the first
_LATEST = 253_402_300_799.0  # the last second of the year 9999
RAW = {"key_serializer": "raw", "value_serializer": "raw"}


def arrived(message: Any) -> int:
    """When a Kafka message arrived, in ms. Its sender may say anything: what is no time is made one."""
    seconds = message.timestamp or 0.0
    return int(min(max(seconds, 0.0), _LATEST) * 1_000)


class FaustEvent:
    """A Faust event that was not acknowledged."""

    __slots__ = ("_event", "arrived", "offset")

    def __init__(self, event: Any) -> None:
        self._event = event
        self.offset = int(event.message.offset)
        self.arrived = arrived(event.message)

    @property
    def value(self) -> bytes:
        """The message; a deletion is an empty one."""
        return self._event.value or b""

    def ack(self) -> None:
        """It need not be read again."""
        self._event.ack()


class FaustOutside:
    """One partition of `table`, and of the `topic` whose states it holds.

    Faust writes a value to the changelog of the partition whose event it handles just now. Here it is said
    which partition is meant, so that a checkpoint need not wait for an event. The local file is written
    first: its record of how far it has the changelog is written when the changelog has the value.

    That record grows by one message at a time. Faust would let it jump to wherever a write has arrived: a
    worker that was cut off writes behind what others have written meanwhile, and would never read that. After
    a gap it stands still until the next recovery, which reads the more. Whether the file has such a late
    write makes no difference: keys bear an epoch, and that of a worker that was cut off does not count.
    """

    def __init__(self, app: Any, table: Any, topic: str, partition: int) -> None:
        self._app, self._table = app, table
        self._place = TP(topic, partition)
        self._unsent: set[asyncio.Future[Any]] = set()

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Everything that the table holds of the partition."""
        for key, value in self._database.items():
            if key != self._table.data.offset_key:
                yield bytes(key), bytes(value)

    def read(self, key: bytes) -> bytes | None:
        """What the table holds under `key`, with all writes that were begun."""
        value = self._database.get(key)
        return None if value is None else bytes(value)

    @property
    def _database(self) -> Any:
        return self._table.data._db_for_partition(self._place.partition)

    def write(self, write: Write) -> Awaitable[Any]:
        """Begin to write; durable when it was awaited."""
        key, value = write
        database = self._database
        if value is None:
            database.delete(key)
        else:
            database.put(key, value)
        sent: Awaitable[Any] = self._table.changelog_topic.send_soon(
            key=key,
            value=value,
            partition=self._place.partition,
            callback=self._has_arrived,
            eager_partitioning=True,
            **RAW,
        )
        return sent

    def _has_arrived(self, sent: "asyncio.Future[Any]") -> None:
        """Record that the local file has the changelog up to this write, if it has what lies before."""
        place, offset = sent.result().topic_partition, sent.result().offset
        before = self._table.data.persisted_offset(place)
        if offset == (_NOTHING if before is None else before) + 1:
            self._table.data.set_persisted_offset(place, offset)

    def send(self, topic: Any, partition: int, message: bytes) -> None:
        """Send to another topic; `sent` tells when it is there."""
        future = topic.send_soon(key=b"", value=message, partition=partition, **RAW)
        self._unsent.add(future)
        future.add_done_callback(self._arrived)

    def _arrived(self, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled() and future.exception() is None:
            self._unsent.discard(future)

    async def sent(self) -> None:
        """Return when all that was sent so far is durable."""
        if self._unsent:
            await asyncio.gather(*self._unsent)

    def epoch(self) -> int:
        """The generation of the group of workers: it grows with each rebalance."""
        return int(self._app.consumer_generation_id)

    async def is_mine(self, covered: int) -> bool:
        """Whether brokers take a commit of this worker's: not, when another has the partition."""
        return bool(await self._app.consumer._commit({self._place: covered + 1}))

    async def seek(self, offset: int) -> None:
        """Have messages read again from `offset` on."""
        await self._app.consumer.seek(self._place, offset)

    async def skip(self, first: int, until: int) -> None:
        """Have what lies behind committed, though these offsets were never acknowledged: they are none."""
        await self._app.consumer._add_gap(self._place, first, until - 1)

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        return time.monotonic()
