"""A partition's table as a shard sees it: real files, the changelog left out."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.stores.rocksdb import RocksDBOptions

from stream.distributed.faust_outside import FaustOutside
from stream.distributed.stamped import Stamped
from stream.distributed.values import Values

_OFFSET = b"__faust\0offset__"


class Files:
    """What Faust keeps of a table: a database for each partition."""

    offset_key = _OFFSET

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dbs: dict[int, Any] = {}

    def _db_for_partition(self, partition: int) -> Any:
        if partition not in self._dbs:
            self._dbs[partition] = RocksDBOptions().open(self._path / f"{partition}.db")
        return self._dbs[partition]


@pytest.fixture
def table(tmp_path: Path) -> SimpleNamespace:
    async def send_changelog(*_: Any) -> None:
        pass

    return SimpleNamespace(data=Files(tmp_path), send_changelog=send_changelog)


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
