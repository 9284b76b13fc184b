"""One thread and one connection that write: what many ask for at the same time becomes one transaction.

A durable transaction costs a wait for the disk, however little is in it. While one is under way further
requests gather, and the next takes them all; so its cost is shared by as many as come meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from schemas.errors import SinkBusy
from schemas.frame import Frame, Subject, encode
from stream.ingest import store
from stream.ingest.intake import UnknownStream
from stream.ingest.store import Connection, Message

log = logging.getLogger(__name__)

_GROUP_BYTES = 32 * 2**20  # of records in one transaction
_FRAME_BYTES = 2**20  # small puts of one stream share a frame up to this size


class Append(Struct, eq=False):
    """Records to be stored; `done` gets the sequence number of the first."""

    stream: str
    records: pa.BinaryArray
    arrived: int
    size: int
    done: "Future[Any] | asyncio.Future[Any]"


class Task(Struct, eq=False):
    """Something else to be written; `done` gets what `run` returns."""

    run: Callable[[Connection], Any]
    done: "Future[Any] | asyncio.Future[Any]"
    size: int = 0


Job = Append | Task
Outcome = tuple[Job, Any]  # the result, or the exception


class Writer:
    """Runs jobs in the order they were submitted. `stored` is told of each append that was made durable."""

    def __init__(self, db: Connection, stored: Callable[[Append, bool], None]) -> None:
        self._db = db
        self._stored = stored
        self._next = store.end(db) + 1
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._failing = ""
        self._stopped = False
        self._thread = Thread(target=self._run, name="queue-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Write `job` with the next transaction. Raises SinkBusy after `stop`."""
        if self._stopped:
            raise SinkBusy("the queue is closed")
        self._inbox.put(job)

    def stop(self) -> None:
        """Write what was submitted, then close."""
        self._stopped = True
        self._inbox.put(None)
        self._thread.join()
        self._db.close()

    def _run(self) -> None:
        while (first := self._inbox.get()) is not None:
            group, last = self._gather(first)
            _settle(self._write(group))
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        """What waits behind `first`, and whether nothing comes after it."""
        group, size = [first], first.size
        try:
            while size < _GROUP_BYTES:
                job = self._inbox.get_nowait()
                if job is None:
                    return group, True
                group.append(job)
                size += job.size
        except Empty:
            pass
        return group, False

    def _write(self, group: list[Job]) -> list[Outcome]:
        try:
            with store.transaction(self._db):
                outcomes = [outcome for jobs in _runs(group) for outcome in self._store(jobs)]
        except Exception as error:
            # Nothing of the group is stored, and it is for those who asked to try again or give up.
            self._complain(str(error))
            busy = SinkBusy(f"the queue cannot be written: {error}")
            outcomes = [(job, busy) for job in group]
        else:
            self._complain("")
        for job, result in outcomes:
            if isinstance(job, Append):
                self._stored(job, not isinstance(result, Exception))
        return outcomes

    def _complain(self, reason: str) -> None:
        """Say that writing fails, or does no longer, once."""
        if reason and reason != self._failing:
            log.error("queue cannot be written, puts are refused", extra={"reason": reason})
        elif self._failing and not reason:
            log.warning("queue is written again")
        self._failing = reason

    def _store(self, jobs: list[Job]) -> Iterable[Outcome]:
        """Jobs of one kind; appends of one stream become one frame."""
        appends: dict[str, list[list[Append]]] = {}
        for job in jobs:
            if isinstance(job, Task):
                yield job, job.run(self._db)
                continue
            frames = appends.setdefault(job.stream, [[]])
            if frames[-1] and sum(a.size for a in frames[-1]) + job.size > _FRAME_BYTES:
                frames.append([])
            frames[-1].append(job)
        for stream, frames in appends.items():
            known = store.known(self._db, stream)
            for together in frames:
                yield from self._frame(stream, together) if known else _refused(stream, together)

    def _frame(self, stream: str, together: list[Append]) -> Iterable[Outcome]:
        counts = [len(append.records) for append in together]
        arrays = [append.records for append in together]
        data = arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
        arrived = np.repeat(np.array([append.arrived for append in together], np.int64), counts)
        frame = Frame(Subject(), data, arrived, np.zeros(len(data), np.uint32), stream)
        first = self._next
        self._next += len(data)
        size = sum(append.size for append in together)
        store.add(self._db, stream, Message(self._next - 1, len(data), size, encode(frame)))
        for append, count in zip(together, counts, strict=True):
            yield append, first
            first += count


def _runs(group: list[Job]) -> Iterable[list[Job]]:
    """The group in its order, cut where appends and tasks follow each other."""
    return (list(jobs) for _, jobs in groupby(group, key=type))


def _refused(stream: str, together: list[Append]) -> Iterable[Outcome]:
    return ((append, UnknownStream(f"no stream {stream}")) for append in together)


def _settle(outcomes: list[Outcome]) -> None:
    """Hand out results, to each event loop all of its own at once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for job, result in outcomes:
        if isinstance(job.done, asyncio.Future):
            by_loop.setdefault(job.done.get_loop(), []).append((job, result))
        else:
            _resolve([(job, result)])
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:
            log.warning("records were stored, and nobody waits to hear it", extra={"requests": len(mine)})


def _resolve(outcomes: list[Outcome]) -> None:
    for job, result in outcomes:
        if job.done.done():
            continue  # who asked has gone
        if isinstance(result, Exception):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)
