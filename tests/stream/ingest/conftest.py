"""Doors and queues that tests open, closed after each."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from doors import S3, Clock, Running, a_stream
from stream.ingest.queue import Queue


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_door(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Running]]:
    """Opens doors with settings; all of a test lie on one queue, and are closed after it."""
    opened: list[Running] = []

    def open_door(
        intake: Callable[[Queue], Any] = lambda queue: queue,
        deliverable: Callable[..., Any] = lambda stream: None,
        **settings: Any,
    ) -> Running:
        opened.append(Running(tmp_path, clock, intake, settings, deliverable=deliverable))
        return opened[-1]

    yield open_door
    for running in opened:
        running.close()


@pytest.fixture
def door(open_door: Callable[..., Running]) -> Running:
    return open_door()


@pytest.fixture
def client(door: Running) -> Any:
    return door.client()


@pytest.fixture
def plain(client: Any) -> str:
    """A stream to put into."""
    client.create_delivery_stream(DeliveryStreamName="plain", S3DestinationConfiguration=S3)
    return "plain"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A queue without a door, with streams a and b."""
    queue = Queue(tmp_path / "queue.db")
    for name in ("a", "b"):
        asyncio.run(queue.define(a_stream(name)))
    yield queue
    queue.close()
