"""A partition's table as a shard sees it: real files, and a changelog that only counts."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.stores.rocksdb import RocksDBOptions, Store
from faust.types import TP

from stream.distributed.faust_outside import FaustOutside
from stream.distributed.stamped import Stamped
from stream.distributed.values import Values

_OFFSET = b"__faust\0offset__"


class Files:
    """What Faust keeps of a table: a database for each partition."""

    offset_key = _OFFSET
    persisted_offset = Store.persisted_offset
    set_persisted_offset = Store.set_persisted_offset

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dbs: dict[int, Any] = {}

    def _db_for_partition(self, partition: int) -> Any:
        if partition not in self._dbs:
            self._dbs[partition] = RocksDBOptions().open(self._path / f"{partition}.db")
        return self._dbs[partition]


class Changelog:
    """Gives each write the next offset of its partition; what is `held` arrives when it is let go."""

    def __init__(self) -> None:
        self._ends: Counter[int] = Counter()
        self.held: list[Callable[[], None]] | None = None

    def send_soon(self, *, partition: int, callback: Any, **_: Any) -> asyncio.Future[Any]:
        sent = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            sent.set_result(
                SimpleNamespace(topic_partition=TP("log", partition), offset=self.other(partition))
            )
            callback(sent)

        arrive() if self.held is None else self.held.append(arrive)
        return sent

    def other(self, partition: int) -> int:
        """The offset of somebody's next write."""
        self._ends[partition] += 1
        return self._ends[partition] - 1


@pytest.fixture
def table(tmp_path: Path) -> SimpleNamespace:
    return SimpleNamespace(data=Files(tmp_path), changelog_topic=Changelog())


def load(outside: FaustOutside) -> tuple[Stamped, Values]:
    return Stamped.load(outside.items(), "", 1, outside.read)


def test_what_was_written_to_a_partition_is_read_from_it_and_no_other(table):
    async def work() -> None:
        one, other = (FaustOutside(None, table, "t", partition) for partition in (1, 2))
        await one.write((b"a", b"1"))
        await one.write((b"b", b"2"))
        writing = one.write((b"b", None))
        assert (one.read(b"a"), one.read(b"b"), other.read(b"a")) == (b"1", None, None)
        await writing
        table.data._db_for_partition(1).put(_OFFSET, b"7")
        assert dict(one.items()) == {b"a": b"1"}

    asyncio.run(work())


def test_values_of_checkpoints_are_read_back_from_the_files(table):
    async def work() -> None:
        outside = FaustOutside(None, table, "t", 0)
        state, values = load(outside)
        large = bytes(range(256)) * 10
        for n, changes in enumerate([{"a": b"1", "b": large}, {"a": b"2", "c": b""}, {"c": None}]):
            plan = state.plan(changes, n)
            for write in [*plan.values, plan.head, *plan.garbage]:
                await outside.write(write)
            state.stored()
        assert dict(values) == dict(load(outside)[1]) == {"a": b"2", "b": large}

    asyncio.run(work())


def test_the_record_of_what_the_file_has_of_the_changelog_grows_with_each_write(table):
    async def work() -> None:
        outside = FaustOutside(None, table, "t", 3)
        for n in range(3):
            await outside.write((b"a", b"%d" % n))
            assert table.data.persisted_offset(TP("log", 3)) == n

    asyncio.run(work())


def test_it_does_not_pass_what_another_worker_has_written_before_a_write_that_was_late(table):
    async def work() -> None:
        outside = FaustOutside(None, table, "t", 3)
        await outside.write((b"a", b"1"))
        table.changelog_topic.held = held = []
        late = outside.write((b"a", b"2"))
        table.changelog_topic.other(3)
        held.pop()()
        table.changelog_topic.held = None
        await late
        await outside.write((b"a", b"3"))
        assert table.data.persisted_offset(TP("log", 3)) == 0

    asyncio.run(work())


def test_of_a_changelog_that_has_begun_without_it_the_file_has_nothing(table):
    async def work() -> None:
        table.changelog_topic.other(3)
        await FaustOutside(None, table, "t", 3).write((b"a", b"1"))
        assert table.data.persisted_offset(TP("log", 3)) is None

    asyncio.run(work())
