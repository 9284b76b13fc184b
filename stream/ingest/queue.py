"""The queue: records that were acknowledged and not delivered yet, and the streams they belong to.

One file, one process. The door appends from its event loop; delivery reads and commits from other threads.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import IO, TypeVar

import numpy as np
import pyarrow as pa

from schemas.delivery_stream import DeliveryStream
from schemas.errors import SinkBusy, StateError
from schemas.frame import decode
from schemas.records import Records
from stream.ingest import store
from stream.ingest.store import Connection, Message
from stream.ingest.writer import Append, Task, Writer
from stream.locked import lock

log = logging.getLogger(__name__)

T = TypeVar("T")

_LAST = 2**63 - 1  # sequence number
_OVERHEAD = 16  # bytes that a record counts beside its data and offset, so that empty ones fill the queue too


class Queue:
    """Holds at most `max_waiting_bytes` of records, an empty one counted as 20; more are refused.

    Nothing that was acknowledged is lost by a crash. Sequence numbers ascend along a stream, with gaps, and
    never repeat. Raises StateError when the file is in use, damaged, or of another version.
    """

    def __init__(self, path: Path, max_waiting_bytes: int = 10 * 2**30) -> None:
        self._lock_file = _lock(path)
        self._max = max_waiting_bytes
        try:
            db = store.prepare(path)
        except StateError:
            self._lock_file.close()
            raise
        self._reader = store.reading(path)
        self._reading = Lock()
        self._streams = store.definitions(db)
        self._sizes = store.waiting(db)
        self._waiting = sum(self._sizes.values())
        self._counting = Lock()
        self._full = False
        self._writer = Writer(db, self._count_stored)

    def close(self) -> None:
        """Write what was submitted and let go of the file."""
        self._writer.stop()
        self._reader.close()
        self._lock_file.close()

    # The door's side.

    async def append(self, stream: str, records: pa.BinaryArray, arrived: int) -> int:
        """Store records; see Intake."""
        size = records.nbytes + _OVERHEAD * len(records)
        self._reserve(size)
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._writer.submit(Append(stream, records, arrived, size, done))
        return await done

    async def refresh(self) -> None:
        """Nothing to wait for: only this process stores."""

    async def define(self, stream: DeliveryStream) -> None:
        """Store a definition, new or changed."""
        await self._written(lambda db: store.define(db, stream))
        self._streams = {**self._streams, stream.name: stream}

    async def drop(self, stream: str) -> None:
        """Forget a stream, and the records that wait in it."""

        def run(db: Connection) -> int:
            store.remove(db, stream)
            return store.discard(db, stream, store.end(db))

        self._release(stream, await self._written(run))
        self._streams = {name: kept for name, kept in self._streams.items() if name != stream}

    async def _written(self, run: Callable[[Connection], T]) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(Task(run, done))
        return await done

    # Delivery's side; any thread.

    @property
    def streams(self) -> Mapping[str, DeliveryStream]:
        """The streams that are defined now, by name."""
        return self._streams

    def waiting(self, stream: str) -> int:
        """Bytes that wait to be delivered, as `max_waiting_bytes` counts them."""
        return self._sizes.get(stream, 0)

    def read(self, stream: str, after: int, limit_bytes: int) -> Records:
        """The records that follow `after`: about `limit_bytes` of them, more by less than one put; none where
        nothing waits. Raises BadFrame when the file is damaged."""
        with self._reading:
            parts = [_records(message) for message in _up_to(limit_bytes, self._messages(stream, after))]
        return Records.joined(parts).between(after, _LAST)

    def _messages(self, stream: str, after: int) -> Iterator[Message]:
        return store.messages(self._reader, stream, after)

    def covered(self, stream: str) -> int:
        """The last sequence number that was delivered; 0 before the first."""
        with self._reading:
            return store.delivered(self._reader, stream)[0]

    def intent(self, stream: str) -> bytes | None:
        """What a delivery that may have begun was going to do."""
        with self._reading:
            return store.delivered(self._reader, stream)[1]

    def intend(self, stream: str, document: bytes) -> None:
        """Remember what the next delivery does, before it begins. Raises SinkBusy."""

        def run(db: Connection) -> None:
            store.deliver(db, stream, store.delivered(db, stream)[0], document)

        self._wait(run)

    def commit(self, stream: str, covered: int, intent: bytes | None = None) -> None:
        """Remember that everything up to `covered` was delivered, drop it, and put `intent` in the place of
        the former one, all at once. Raises SinkBusy: nothing has changed, and it may be tried again."""

        def run(db: Connection) -> int:
            store.deliver(db, stream, max(covered, store.delivered(db, stream)[0]), intent)
            return store.discard(db, stream, covered)

        self._release(stream, self._wait(run))

    def _wait(self, run: Callable[[Connection], T]) -> T:
        done: Future[T] = Future()
        self._writer.submit(Task(run, done))
        return done.result()

    # How full it is.

    def _reserve(self, size: int) -> None:
        with self._counting:
            full = self._waiting + size > self._max
            if not full:
                self._waiting += size
            told, self._full = self._full, full
        if full and not told:
            log.error("queue is full, puts are refused", extra={"waiting": self._waiting, "most": self._max})
        if full:
            raise SinkBusy("the queue is full")

    def _count_stored(self, append: Append, stored: bool) -> None:
        with self._counting:
            if stored:
                self._sizes[append.stream] = self._sizes.get(append.stream, 0) + append.size
            else:
                self._waiting -= append.size

    def _release(self, stream: str, size: int) -> None:
        with self._counting:
            self._waiting -= size
            self._sizes[stream] = self._sizes.get(stream, 0) - size
            if self._sizes[stream] <= 0:
                del self._sizes[stream]


def _lock(path: Path) -> IO[str]:
    """Hold the queue for this process, until the file that is returned is closed or the process ends."""
    try:
        file = lock(path.with_name(path.name + ".lock"))
    except OSError as error:
        raise StateError(f"{path}: {error}") from error
    if file is None:
        raise StateError(f"{path}: another streamgauge is using it")
    return file


def _up_to(limit: int, messages: Iterator[Message]) -> Iterator[Message]:
    size = 0
    for message in messages:
        yield message
        size += message.size
        if size >= limit:
            return


def _records(message: Message) -> Records:
    frame = decode(message.body)
    sequence = np.arange(message.last - message.records + 1, message.last + 1, dtype=np.int64)
    return Records(frame.data, frame.arrived, sequence)
