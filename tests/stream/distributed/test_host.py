"""The partitions that a worker holds: taken up, let go, read to the end, and what old assignments leave."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from stream.distributed import host as module
from stream.distributed.faust_outside import FaustOutside
from stream.distributed.host import Host


class Consumer:
    """A consumer that holds partitions of `t`, each of them read to a position."""

    def __init__(self, *partitions: int) -> None:
        self.held = {TP("t", partition) for partition in partitions} | {TP("other", 9)}
        self.ends: dict[TP, int] = {}
        self.positions: dict[TP, int] = {}

    def assignment(self) -> set[TP]:
        return self.held

    async def highwaters(self, *places: TP) -> dict[TP, int]:
        return {place: self.ends[place] for place in places if place in self.ends}

    async def position(self, place: TP) -> int | None:
        return self.positions.get(place)


class FakeShard:
    def __init__(self, partition: int) -> None:
        self.name, self.at, self.covered, self.state_bytes = f"s {partition}", -1, -1, 0
        self.taken: list[int] = []
        self.ticks = self.read_again = 0
        self.closed = self.dropped = False

    async def take(self, event: Any) -> None:
        await asyncio.sleep(0)
        self.taken.append(event.offset)
        self.at = event.offset

    async def tick(self) -> None:
        self.ticks += 1

    async def again(self) -> None:
        self.read_again += 1

    async def close(self) -> None:
        self.closed = True

    def drop(self) -> None:
        self.dropped = True


def hosting(*partitions: int) -> tuple[Any, Host, list[FakeShard]]:
    app = SimpleNamespace(consumer=Consumer(*partitions), consumer_generation_id=1, rebalancing=False)
    begun: list[FakeShard] = []

    def begin(partition: int, outside: FaustOutside) -> Any:
        begun.append(FakeShard(partition))
        return begun[-1]

    return app, Host(app, None, "t", begin), begun


def event(partition: int, offset: int, generation: int = 1) -> Any:
    message = SimpleNamespace(generation_id=generation, partition=partition, offset=offset, timestamp=1.0)
    return SimpleNamespace(message=message, value=b"")


async def coming(events: Iterable[Any]):
    for each in events:
        yield each


def test_a_shard_is_begun_with_the_first_message_or_with_time():
    _app, host, begun = hosting(0, 1)

    async def work() -> None:
        await host.run(coming([event(1, 0), event(1, 1)]))
        await host.tick()

    asyncio.run(work())
    assert sorted(host.shards) == host.assigned() == [0, 1]
    assert [(shard.name, shard.taken, shard.ticks) for shard in begun] == [("s 1", [0, 1], 1), ("s 0", [], 1)]


def test_messages_of_an_assignment_that_is_no_more_are_not_taken():
    _app, host, begun = hosting(0)
    asyncio.run(host.run(coming([event(0, 0, generation=0)])))
    assert not begun


def test_a_message_that_waited_while_partitions_moved_is_not_taken():
    """It would begin a shard of a partition that is another worker's."""
    app, host, begun = hosting(0)

    async def work() -> None:
        async with host._turn:
            running = asyncio.create_task(host.run(coming([event(0, 0)])))
            await asyncio.sleep(0.01)
            app.consumer_generation_id = 2
            host.revoke([TP("t", 0)])
        await running

    asyncio.run(work())
    assert not begun and not host.shards


def test_partitions_that_go_are_let_go_and_begun_anew_when_they_come_back():
    _app, host, begun = hosting(0, 1)
    asyncio.run(host.tick())
    host.revoke([TP("t", 0), TP("other", 1)])
    assert [shard.dropped for shard in begun] == [True, False] and sorted(host.shards) == [1]
    asyncio.run(host.tick())
    assert len(begun) == 3 and begun[2].name == "s 0"


def test_nothing_happens_while_partitions_move():
    app, host, begun = hosting(0)
    app.rebalancing = True
    asyncio.run(host.tick())
    assert not begun


def test_a_host_that_is_closed_stores_everything_and_takes_nothing():
    _app, host, begun = hosting(0, 1)

    async def work() -> None:
        await host.tick()
        await host.close()
        await host.run(coming([event(0, 0)]))
        await host.tick()

    asyncio.run(work())
    assert [(shard.closed, shard.taken, shard.ticks) for shard in begun] == [(True, [], 1)] * 2


def test_a_partition_is_caught_up_when_its_last_message_was_taken():
    app, host, _ = hosting(0, 1)
    app.consumer.ends = {TP("t", 0): 2, TP("t", 1): 2}

    async def work() -> dict[int, bool]:
        assert await host.caught_up() == {0: False, 1: False}  # nothing is known of them
        await host.run(coming([event(0, 0), event(0, 1), event(1, 0)]))
        return await host.caught_up()

    assert asyncio.run(work()) == {0: True, 1: False}


def test_what_the_consumer_passed_and_never_handed_over_is_read_again_before_it_counts_as_nothing(
    monkeypatch,
):
    """
    offsets   0 1 2 3          taken: 0       position: 4
                ╰───┴─ of a transaction, or lost while partitions moved
    """
    app, host, begun = hosting(0)
    place, clock = TP("t", 0), [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    app.consumer.ends, app.consumer.positions = {place: 4}, {place: 4}

    async def look(seconds: float) -> bool:
        clock[0] += seconds
        return (await host.caught_up())[0]

    async def work() -> None:
        await host.run(coming([event(0, 0)]))
        assert not await look(0.5) and begun[0].read_again == 0  # it may still come
        assert not await look(1.0) and begun[0].read_again == 1
        assert not await look(0.5)
        assert await look(1.0) and begun[0].read_again == 1
        app.consumer.ends = app.consumer.positions = {place: 5}
        assert not await look(2.0) and begun[0].read_again == 2

    asyncio.run(work())
