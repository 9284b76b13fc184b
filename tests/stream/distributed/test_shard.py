"""A shard dies anywhere and is fed anything: no message is lost and none counts twice."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SinkBusy, StateError
from stream.distributed import shard as module
from stream.distributed.shard import Cut, Shard
from stream.distributed.stamped import Write


class Dead(Exception):
    """The process is gone."""


@dataclass
class World:
    """What outlives a worker: the log, the table of its partition, objects, and what is acknowledged."""

    log: list[int]  # offsets, not all of them one after the other
    table: dict[bytes, bytes] = field(default_factory=dict)
    objects: dict[int, list[int]] = field(default_factory=dict)
    acked: int = -1
    busy: int = 0  # deliveries that are refused before one is taken
    held: bool = False  # whether objects must stay what they were: those of a sealed stage

    def put(self, name: int, content: list[int]) -> None:
        if self.busy:
            self.busy -= 1
            raise SinkBusy("not now")
        if self.held:
            assert self.objects.get(name, content) == content, "a range is not what it was"
        self.objects[name] = content


class Life:
    """One life of a worker. It ends before the step `end` of those that reach something outside: a write
    that becomes durable, an object, an acknowledgement. Of what was begun then, `lasting` writes last.


    It takes messages in order from `position`, `fetch` at once: those are handed over also after a seek. The
    first `lost` are not: that happens while partitions move.
    """

    def __init__(self, world: World, end: int | None, lasting: int, fetch: int = 1, lost: int = 0) -> None:
        self.world, self._left, self._lasting, self._fetch = world, end, lasting, fetch
        self._begun: list[tuple[Write, asyncio.Future[None]]] = []
        self.died = asyncio.Event()
        self.mine = True
        self.position = world.acked + 1
        self.time = 0.0
        self._fetched: list[int] = []
        for _ in range(lost):
            self.next()

    def next(self) -> int | None:
        """The offset that comes next, if any does."""
        if not self._fetched:
            coming = [offset for offset in self.world.log if offset >= self.position]
            self._fetched = coming[: self._fetch]
            if not self._fetched:
                return None
            self.position = self._fetched[-1] + 1
        return self._fetched.pop(0)

    def step(self) -> None:
        if self.died.is_set():
            raise Dead
        if self._left is not None:
            if not self._left:
                for write, _ in self._begun[: self._lasting]:
                    self._apply(write)
                self.died.set()
                raise Dead
            self._left -= 1

    def _apply(self, write: Write) -> None:
        key, value = write
        if value is None:
            self.world.table.pop(key, None)
        else:
            self.world.table[key] = value

    def epoch(self) -> int:
        return 0  # the state itself tells that others were before

    async def is_mine(self, covered: int) -> bool:
        return self.mine

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        return list(self.world.table.items())

    def read(self, key: bytes) -> bytes | None:
        return self.world.table.get(key)

    def write(self, write: Write) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        self._begun.append((write, future := loop.create_future()))
        loop.call_soon(self._broker)
        return future

    def _broker(self) -> None:
        try:
            self.step()
        except Dead:
            return
        write, future = self._begun.pop(0)
        self._apply(write)
        if not future.done():
            future.set_result(None)

    async def seek(self, offset: int) -> None:
        await asyncio.sleep(0)
        self.position = offset

    async def skip(self, first: int, until: int) -> None:
        assert not [offset for offset in self.world.log if first <= offset < until]

    async def sent(self) -> None:
        await asyncio.sleep(0)

    def now(self) -> float:
        return self.time


@dataclass
class Message:
    life: Life
    offset: int
    arrived: int = 0
    value: bytes = b""

    def ack(self) -> None:
        self.life.step()
        covered = module.Stamped.load(self.life.items(), "log")[0].head.covered
        assert self.offset <= covered, "acknowledged before it was stored"
        self.life.world.acked = max(self.life.world.acked, self.offset)


class Collecting:
    """Keeps the offsets of all messages as its state, and delivers those of each range. At any time it finds
    stored what it has cut last."""

    def __init__(self, world: World, life: Life, stored: Mapping[str, bytes], sealed: bool) -> None:
        self.sealed, self._world, self._life = sealed, world, life
        self._stored, self._cut = stored, stored.get("seen")
        self.seen: list[int] = json.loads(self._cut or b"[]")
        self._rows: list[int] = []

    def take(self, event: Message) -> None:
        assert self._stored.get("seen") == self._cut
        self.seen.append(event.offset)
        self._rows.append(event.offset)

    def pending(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def full(self) -> bool:
        return len(self._rows) >= 4

    def due(self) -> bool:
        return not self.sealed and bool(self._rows)

    def cut(self, first: int, until: int) -> Cut:
        rows, self._rows = self._rows, []
        content = rows if self.sealed else list(self.seen)

        def deliver() -> None:
            assert self._stored.get("seen") == self._cut
            self._life.step()
            self._world.put(first if self.sealed else 0, content)
            self._life.step()

        self._cut = json.dumps(self.seen).encode()
        return Cut(until, {"seen": self._cut}, deliver)


Act = tuple[str, int]


async def live(world: World, life: Life, acts: list[Act], sealed: bool) -> None:
    """Feed a shard as `acts` say, then all the rest, until it has stored everything or died."""
    shard = Shard("s", life, "log", 1.0, lambda stored, _: Collecting(world, life, stored, sealed))

    async def feed_next() -> bool:
        offset = life.next()
        if offset is not None:
            await shard.take(Message(life, offset))
            await asyncio.sleep(0)
        return offset is not None

    async def work() -> None:
        while acts:
            kind, n = acts.pop(0)
            if kind == "next":
                await feed_next()
            elif kind == "back":
                life.position = max(life.position - n, 0)
            else:
                life.time += n
                await shard.tick()
        for _ in range(3):
            while await feed_next():
                pass
            if shard.at == world.log[-1]:
                break
            await shard.again()
        assert shard.at == world.log[-1]
        await shard.close()

    working = asyncio.create_task(work())
    dying = asyncio.create_task(life.died.wait())
    await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    ended = await asyncio.gather(*rest, return_exceptions=True)
    if not life.died.is_set():
        working.result()
    assert all(
        isinstance(e, (Dead, asyncio.CancelledError)) or not isinstance(e, BaseException) for e in ended
    )


async def inline(function) -> object:
    return function()


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.just(0)),
        st.tuples(st.just("next"), st.just(0)),
        st.tuples(st.just("back"), st.integers(1, 9)),
        st.tuples(st.just("time"), st.integers(0, 2)),
    ),
    max_size=40,
)
LOGS = st.lists(st.sampled_from([1, 1, 1, 1, 2, 5]), min_size=1, max_size=24).map(
    lambda steps: [sum(steps[: n + 1]) - 1 for n in range(len(steps))]
)
FEEDS = st.tuples(st.integers(1, 8), st.integers(0, 9))  # fetched at once, lost at the start
CRASHES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6), FEEDS), max_size=5)


@pytest.mark.parametrize("sealed", [True, False])
@given(log=LOGS, acts=ACTS, crashes=CRASHES, last=FEEDS, busy=st.integers(0, 2))
def test_a_crash_at_any_step_loses_nothing_and_doubles_nothing(sealed, log, acts, crashes, last, busy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.asyncio, "to_thread", inline)
        patch.setattr(module, "_DELAYS", (0.0,))
        world = World(log, busy=busy, held=sealed)
        left = list(acts)

        async def lives() -> None:
            for end, lasting, feeds in [*crashes, (None, 0, last)]:
                await live(world, Life(world, end, lasting, *feeds), left, sealed)

        asyncio.run(lives())
        _, stored = module.Stamped.load(world.table.items(), "log")
        assert json.loads(stored["seen"]) == log
        lost = any(feeds[1] for *_, feeds in crashes) or last[1]
        assert lost or world.acked == log[-1]
        if sealed:
            rows = [offset for name in sorted(world.objects) for offset in world.objects[name]]
            assert rows == log
        else:
            assert world.objects == {0: log}


def fed(
    world: World, offsets: Sequence[int]
) -> tuple[Shard, Life, Callable[[], Coroutine[None, None, None]]]:
    """A shard, and what feeds it."""
    life = Life(world, None, 0)
    shard = Shard("s", life, "log", 1.0, lambda stored, _: Collecting(world, life, stored, True))

    async def feed() -> None:
        for offset in offsets:
            await shard.take(Message(life, offset))

    return shard, life, feed


def test_a_checkpoint_comes_with_time_and_none_without_messages():
    async def work() -> None:
        world = World([0, 1, 2])
        shard, life, feed = fed(world, [0, 1])
        await shard.tick()
        life.time = 100
        await shard.tick()
        await shard.settle()
        assert not world.table
        await feed()
        await shard.tick()
        await shard.settle()
        assert not world.table
        life.time = 101.5
        await shard.tick()
        await shard.settle()
        assert shard.covered == world.acked == 1 and world.objects == {0: [0, 1]}

    asyncio.run(work())


def test_what_was_let_go_is_neither_stored_nor_acknowledged():
    async def work() -> None:
        world = World([0, 1])
        shard, _, feed = fed(world, [0, 1])
        await feed()
        await shard.checkpoint()
        shard.drop()
        await asyncio.sleep(0)
        await shard.take(Message(Life(world, None, 0), 2))
        await shard.close()
        assert world.acked == -1 and shard.waiting == 0

    asyncio.run(work())


def test_what_a_delivery_raises_is_raised_by_what_comes_next():
    async def work() -> None:
        world = World([0, 1])
        shard, life, feed = fed(world, [0])
        world.put = broken
        await feed()
        await shard.checkpoint()
        with pytest.raises(KeyError):
            await shard.settle()
        with pytest.raises(KeyError):
            await shard.take(Message(life, 1))

    def broken(name: int, content: list[int]) -> None:
        raise KeyError("a bug")

    asyncio.run(work())


def test_a_stage_is_told_a_later_epoch_than_its_predecessor_and_reads_what_is_stored():
    async def work() -> None:
        world = World([0, 1, 2])
        begun: list[tuple[Mapping[str, bytes], int]] = []

        def begin(stored: Mapping[str, bytes], epoch: int) -> Collecting:
            begun.append((stored, epoch))
            return Collecting(world, life, stored, True)

        for generation, offset in enumerate(world.log, 7):
            life = Life(world, None, 0)
            life.epoch = lambda generation=generation: generation // 8 * 10  # 0, then 10 twice
            shard = Shard("s", life, "log", 1.0, begin)
            assert shard.state_bytes == sum(map(len, begun[-1][0].values()))
            await shard.take(Message(life, offset))
            await shard.close()
        assert [epoch for _, epoch in begun] == [0, 10, 11]
        stored, _ = begun[-1]
        assert json.loads(stored["seen"]) == world.log
        world.table.clear()
        assert stored.get("seen") is None, "it is kept in memory"

    asyncio.run(work())


def test_state_of_a_topic_that_was_made_again_is_refused():
    async def work() -> None:
        world = World([0])
        shard, life, feed = fed(world, [0])
        await feed()
        await shard.close()
        with pytest.raises(StateError, match="made again"):
            Shard("s", life, "other", 1.0, lambda stored, _: Collecting(world, life, stored, True))

    asyncio.run(work())
