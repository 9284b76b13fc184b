"""One partition of a stage in a worker: takes messages, stores checkpoints, acknowledges what they cover."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from msgspec import Struct

from schemas.errors import SinkBusy
from stream.changes import Changes, Stored
from stream.distributed.stamped import Plan, Stamped, Write

log = logging.getLogger(__name__)

_PENDING = 1.0  # seconds that messages wait for others to be taken in with
_DELAYS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds between tries of a delivery; the last for ever


class Event(Protocol):
    """A message of the partition, not acknowledged yet."""

    offset: int
    arrived: int  # ms

    @property
    def value(self) -> bytes: ...

    def ack(self) -> None:
        """It need not be read again."""
        ...


class Cut(Struct, frozen=True):
    """A checkpoint to store: what has changed up to `until`, and what must be delivered before that counts.
    `deliver` may block, raises SinkBusy, and is safe to repeat."""

    until: int
    changes: Changes
    deliver: Callable[[], object]
    nbytes: int = 0


class Stage(Protocol):
    """What happens to the messages of a partition, without a clock or a network.

    `sealed`: a range must be delivered again exactly as it was cut.
    """

    sealed: bool

    def take(self, event: Event) -> None:
        """Take in the next message."""
        ...

    def flush(self) -> None:
        """Let what was taken in have its effect."""
        ...

    def pending(self) -> bool:
        """Whether something was taken in that has had no effect yet: more of it costs less together."""
        ...

    def full(self) -> bool:
        """Whether a checkpoint is due for its size."""
        ...

    def due(self) -> bool:
        """Whether a checkpoint is wanted as soon as the one before is stored."""
        ...

    def cut(self, first: int, until: int) -> Cut:
        """What was taken in from offset `first` to `until`; collecting starts anew."""
        ...


class Outside(Protocol):
    """What a shard needs of the world."""

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Everything that the table holds of the partition."""
        ...

    def read(self, key: bytes) -> bytes | None:
        """What the table holds under `key`, with all writes that were begun."""
        ...

    def write(self, write: Write) -> Awaitable[Any]:
        """Begin to write; durable when it was awaited. Writes keep their order."""
        ...

    def epoch(self) -> int:
        """A number that is higher for each worker that takes the partition up."""
        ...

    def is_mine(self, covered: int) -> Awaitable[bool]:
        """Whether the partition is still this worker's; `covered` may be acknowledged by the way."""
        ...

    def seek(self, offset: int) -> Awaitable[Any]:
        """Have messages read again from `offset` on."""
        ...

    def skip(self, first: int, until: int) -> Awaitable[Any]:
        """Take note that offsets from `first` to before `until` are none."""
        ...

    def sent(self) -> Awaitable[Any]:
        """When all that the stage has sent so far is durable."""
        ...

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        ...


class Shard:
    """Runs `stage` over one partition.

    Order of a checkpoint: remember where it ends (for a stage that is `sealed`), deliver, wait until what was
    sent is durable, store the values, store the head, acknowledge. A crash anywhere repeats what the head
    does not cover. The next range is taken in while a checkpoint is under way.

    `begin` makes the stage of what is stored and of the epoch, which is later than that of all workers that
    have stored something of the partition. A stored value is read when the stage asks for it. The stage may
    keep the view and always finds there what it has handed over by `cut`, stored already or not.
    """

    def __init__(
        self,
        name: str,
        outside: Outside,
        identity: str,
        interval: float,
        begin: Callable[[Stored, int], Stage],
    ) -> None:
        self.name = name
        self._outside = outside
        self._interval = interval
        self._stamped, stored = Stamped.load(outside.items(), identity, outside.epoch(), outside.read)
        self.state_bytes = self._stamped.nbytes
        self.stage = begin(stored, self._stamped.epoch)
        self.at = self.covered = self._stamped.head.covered
        self._cut_at = self.covered
        self._intent = self._stamped.intent
        self._held: deque[Event] = deque()
        self._pending_since = 0.0
        self._since: float | None = None  # when the first message came that is in no checkpoint
        self._storing: asyncio.Task[None] | None = None
        self._sought: tuple[int, int] | None = None
        self.dropped = False
        self.stored_at = outside.now()
        self.retries = self.bytes_stored = 0

    async def take(self, event: Event) -> bool:
        """Take in a message; whether it was new and next. Another is dropped, to be read again if need be."""
        self._raise_if_failed()
        if event.offset <= self.covered:
            event.ack()
            return False
        if event.offset <= self.at or not await self._is_next(event.offset):
            return False
        if self._intent is not None and event.offset > self._intent:
            await self.checkpoint()
        if self.dropped:
            return False
        now = self._outside.now()
        if self._since is None:
            self._since = now
        if not self.stage.pending():
            self._pending_since = now
        self._held.append(event)
        self.stage.take(event)
        self.at = event.offset
        if self._intent is not None:
            if self.at >= self._intent:
                await self.checkpoint()
        elif self.stage.full():
            await self.checkpoint()
        return True

    async def _is_next(self, offset: int) -> bool:
        """Whether no message lies between the last and this one.

        Offsets have gaps: of transactions, and of what was deleted. One is believed when it is still there
        after the partition was read again from where it begins, or a smaller one is.
        """
        if offset == self.at + 1 or (self.at < 0 and self._sought is None and offset == 0):
            return True
        if self._sought is not None and self._sought[0] == self.at and offset <= self._sought[1]:
            log.info("offsets are missing", extra={"shard": self.name, "after": self.at, "next": offset})
            await self._outside.skip(self.at + 1, offset)
            return True
        if self._sought is None or self._sought[0] != self.at:
            self._sought = (self.at, offset)
            await self._outside.seek(self.at + 1)
        return False

    async def again(self) -> None:
        """Have what comes next read again: it should have come."""
        self._sought = None
        await self._outside.seek(self.at + 1)

    async def tick(self) -> None:
        """Do what time makes due."""
        self._raise_if_failed()
        if self.stage.pending() and self._outside.now() - self._pending_since >= _PENDING:
            self.stage.flush()
        waited = self._since is not None and self._outside.now() - self._since >= self._interval
        free = self._intent is None and (self._storing is None or self._storing.done())
        if free and (waited or self.stage.due()):
            await self.checkpoint()

    async def checkpoint(self) -> None:
        """Begin to store what was taken in, when the checkpoint before is stored."""
        await self.settle()
        self.stage.flush()
        if self.at <= self._cut_at or self.dropped:
            return
        cut = self.stage.cut(self._cut_at + 1, self.at)
        plan = self._stamped.plan(cut.changes, cut.until)
        intended = self._intent is not None
        self._intent = self._since = None
        self._cut_at = self.at
        self._storing = asyncio.create_task(self._store(cut, plan, intended), name=f"store {self.name}")

    async def settle(self) -> None:
        """Wait for the checkpoint that is under way. Raises what it has raised."""
        if self._storing is not None:
            await asyncio.wait({self._storing})
        self._raise_if_failed()

    def _raise_if_failed(self) -> None:
        if self._storing is not None and self._storing.done() and not self.dropped:
            self._storing.result()

    async def _store(self, cut: Cut, plan: Plan, intended: bool) -> None:
        if self.stage.sealed and not intended:
            await self._outside.write(self._stamped.intend(cut.until))
        if not await self._deliver(cut):
            log.warning("partition was taken over, its checkpoint is left", extra={"shard": self.name})
            self.dropped = True
            return
        await self._outside.sent()
        await asyncio.gather(*map(self._outside.write, plan.values))
        await self._outside.write(plan.head)
        self._stamped.stored()
        for write in plan.garbage:
            self._outside.write(write)
        self.covered = plan.covered
        self.stored_at = self._outside.now()
        self.bytes_stored = sum(len(value or b"") for _, value in plan.values)
        while self._held and self._held[0].offset <= self.covered:
            self._held.popleft().ack()

    async def _deliver(self, cut: Cut) -> bool:
        """Whether it was delivered: not, when the partition is another worker's, who then delivers it."""
        attempt = 0
        while await self._outside.is_mine(self.covered):
            try:
                await asyncio.to_thread(cut.deliver)
                return True
            except SinkBusy as error:
                delay = _DELAYS[min(attempt, len(_DELAYS) - 1)]
                facts = {"shard": self.name, "reason": str(error), "seconds": delay}
                log.warning("delivery failed, trying again", extra=facts)
                self.retries += 1
                attempt += 1
                await asyncio.sleep(delay)
        return False

    async def close(self) -> None:
        """Store everything; but of a range that another worker has begun to deliver, all or nothing."""
        if self._intent is None:
            await self.checkpoint()
        await self.settle()

    def drop(self) -> None:
        """Let go of everything: the partition is another worker's, who takes it up where the head says."""
        self.dropped = True
        if self._storing is not None:
            self._storing.cancel()
        self._held.clear()

    @property
    def age(self) -> float:
        """Seconds since a checkpoint was stored; none counts where nothing waits for one."""
        return self._outside.now() - self.stored_at if self._held else 0.0

    @property
    def waiting(self) -> int:
        """Messages that were taken in and are in no checkpoint that is stored."""
        return len(self._held)
