"""The partitions of a stage that a worker holds just now: made when assigned, let go when revoked."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from faust.types import TP

from stream.distributed.faust_outside import FaustEvent, FaustOutside
from stream.distributed.shard import Shard

log = logging.getLogger(__name__)

_SILENCE = 1.0  # seconds

Begin = Callable[[int, FaustOutside], Shard]


class Host:
    """Runs a shard for each partition of `topic` that this worker holds. `begin` makes one.

    One thing happens at a time: a message is taken, or time has passed, or partitions go.
    """

    def __init__(self, app: Any, table: Any, topic: str, begin: Begin) -> None:
        self._app, self._table, self.topic, self._begin = app, table, topic, begin
        self.shards: dict[int, Shard] = {}
        self._turn = asyncio.Lock()
        self._closed = False
        self._taken: dict[int, float] = {}
        self._ends: dict[int, int] = {}
        self._read_again: dict[int, tuple[int, int]] = {}  # what a partition lacked when that was done

    async def run(self, events: AsyncIterator[Any]) -> None:
        """Take events in; they are acknowledged by the checkpoints that cover them."""
        async for event in events:
            async with self._turn:
                if self._closed or event.message.generation_id != self._app.consumer_generation_id:
                    continue  # of an assignment that is no more; who has the partition reads it again
                partition = event.message.partition
                self._taken[partition] = time.monotonic()
                await self._shard(partition).take(FaustEvent(event))

    def _shard(self, partition: int) -> Shard:
        if partition not in self.shards:
            began = time.monotonic()
            shard = self._begin(partition, FaustOutside(self._app, self._table, self.topic, partition))
            self.shards[partition] = shard
            facts = {"shard": shard.name, "covered": shard.covered, "state_bytes": shard.state_bytes}
            log.info("partition taken up", extra=facts | {"seconds": round(time.monotonic() - began, 3)})
        return self.shards[partition]

    async def tick(self, act: Callable[[Shard, int], None] = lambda shard, partition: None) -> None:
        """Do what time makes due, in every partition that this worker holds."""
        if self._app.rebalancing:
            return
        for partition in self.assigned():
            async with self._turn:
                if not self._closed and not self._app.rebalancing and partition in self.assigned():
                    shard = self._shard(partition)
                    await shard.tick()
                    act(shard, partition)

    def assigned(self) -> list[int]:
        """Partitions of the topic that this worker holds."""
        return sorted(tp.partition for tp in self._app.consumer.assignment() if tp.topic == self.topic)

    async def caught_up(self) -> dict[int, bool]:
        """Of each partition that this worker holds, whether everything in it was taken in.

        Behind the last message there may be offsets that are none: those of transactions. They count as taken
        in when the consumer has passed them and nothing came for a while, not even when it read them again:
        what it fetches while partitions move may never arrive.
        """
        consumer = self._app.consumer
        places = [TP(self.topic, partition) for partition in self.assigned()]
        ends = await consumer.highwaters(*places) if places else {}
        self._ends = {place.partition: int(end) for place, end in ends.items()}
        found: dict[int, bool] = {}
        for place in places:
            shard, end = self.shards.get(place.partition), ends.get(place)
            if shard is None or end is None:
                found[place.partition] = False
                continue
            silent = time.monotonic() - self._taken.get(place.partition, 0.0) > _SILENCE
            passed = silent and (await consumer.position(place) or 0) >= end
            found[place.partition] = shard.at + 1 >= end or (
                passed and await self._lacks_nothing(shard, place, end)
            )
        return found

    def lag(self, partition: int) -> int | None:
        """Messages of the partition that were not taken in when that was last looked at."""
        end, shard = self._ends.get(partition), self.shards.get(partition)
        return max(0, end - 1 - shard.at) if end is not None and shard is not None else None

    async def _lacks_nothing(self, shard: Shard, place: TP, end: int) -> bool:
        lacking = (shard.at, end)
        if self._read_again.get(place.partition) == lacking:
            return True
        self._read_again[place.partition] = lacking
        self._taken[place.partition] = time.monotonic()
        await shard.again()
        return False

    def revoke(self, partitions: Iterable[Any]) -> None:
        """Let go of partitions that are no longer this worker's."""
        for place in partitions:
            if place.topic == self.topic and (shard := self.shards.pop(place.partition, None)) is not None:
                shard.drop()
                self._read_again.pop(place.partition, None)
                log.info("partition let go", extra={"shard": shard.name, "covered": shard.covered})

    async def close(self) -> None:
        """Store everything, and take nothing in any more: what is sent from now on may not arrive."""
        async with self._turn:
            self._closed = True
            await asyncio.gather(*(shard.close() for shard in self.shards.values()))
