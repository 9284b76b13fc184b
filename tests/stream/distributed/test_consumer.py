"""What a worker's consumer takes of what has been fetched."""

import asyncio
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchError
from faust.types import TP

from stream.distributed.consumer import WorkerApp, WorkerConsumer

PLACE = TP("changelog", 0)


class _Taken(Exception):
    """Something was taken of the partition."""


class _Thread:
    """Takes of fetched messages what a consumer asks for, as Faust's own thread does."""

    def __init__(self) -> None:
        self._fetcher: Any = object.__new__(Fetcher)
        self._fetcher._subscriptions = _Assigned()
        self._fetcher._records = {PLACE: FetchError(error=_Taken(), backoff=0)}
        self._fetcher._notify = lambda _: None
        self._fetcher._wait_consume_future = None

    async def getmany(self, partitions: Any, timeout: float) -> Any:
        await asyncio.sleep(0)  # it is another thread's turn
        return await self._fetcher.fetched_records(partitions, 0)


class _Assigned:
    reassignment_in_progress = False

    def is_assigned(self, place: TP) -> bool:
        return True


@pytest.fixture
def consumer() -> WorkerConsumer:
    consumer: Any = object.__new__(WorkerConsumer)
    consumer._thread = _Thread()
    return consumer


def test_nothing_is_taken_while_no_partition_is_active(consumer):
    active: set[TP] = set()
    assert asyncio.run(consumer._getmany(active, 0.0)) == {}


def test_what_is_active_is_taken_also_where_it_has_become_so_meanwhile(consumer):
    active: set[TP] = set()

    async def becomes_active() -> None:
        fetch = asyncio.create_task(consumer._getmany(active, 0.0))
        await asyncio.sleep(0)
        active.add(PLACE)
        await fetch

    with pytest.raises(_Taken):
        asyncio.run(becomes_active())


def test_to_the_library_itself_no_partition_means_all():
    """Else there would be nothing to guard against."""
    with pytest.raises(_Taken):
        asyncio.run(_Thread().getmany(set(), 0.0))


def test_an_app_has_this_consumer(tmp_path):
    async def consumer() -> Any:
        return WorkerApp("one", broker="kafka://127.0.0.1:1", datadir=tmp_path).transport.Consumer

    assert asyncio.run(consumer()) is WorkerConsumer
