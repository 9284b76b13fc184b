"""The delivery of one stream: which records make a range, and the order in which a range is delivered."""

import logging
from collections.abc import Callable, Sequence
from itertools import chain, repeat

import msgspec
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import ConfigError, SinkBusy
from schemas.records import Records
from sinks.bucket import BucketRefused
from stream.deliveries.backlog import Backlog
from stream.deliveries.counting import counted
from stream.deliveries.destination import Destination, Placed, Processed
from stream.deliveries.surroundings import Surroundings
from stream.firehose import body
from stream.firehose.buffering import Buffer
from stream.ingest.metrics import Metrics
from stream.retry import persist

log = logging.getLogger(__name__)

NO_LIMIT = 1 << 62
_READ = 4 << 20  # bytes of records looked at together
_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds between tries; the last for ever


class Intent(Struct, frozen=True):
    """A range that was sealed: it ends with the sequence number `until`, and is delivered as the stream was
    configured at the time `sealed` (ms), whatever has been changed since."""

    until: int
    sealed: int
    stream: DeliveryStream


class Abandoned(Exception):
    """The stream was deleted while it was delivered: nobody waits for what is left of it."""


class Channel:
    """Delivers one stream. `step` is one look at the queue.

    Order: seal a range, remember it, deliver it, then drop it from the queue. After a crash the range that
    was remembered is delivered again, under the same keys and ids, so that nothing is lost and no object is
    there twice. `limit` gives the last sequence number that may be delivered yet; `hurry` says that room is
    needed: a buffer is then delivered before it is full or due.
    """

    def __init__(
        self,
        queue: Backlog,
        name: str,
        around: Surroundings,
        metrics: Metrics,
        limit: Callable[[], int] = lambda: NO_LIMIT,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        self._queue, self._name, self._metrics = queue, name, metrics
        self._shared = around
        self._around = msgspec.structs.replace(around, sleep=self._sleep)
        self._limit, self._hurry = limit, hurry
        self._intent: Intent | None = None
        self._current: Destination | None = None  # what carries it out
        self._stream: DeliveryStream | None = None
        self._destination: Destination | None = None
        self._buffer: Buffer | None = None
        self._seen = queue.covered(name)  # the last record that is in the buffer, or before it
        self._first_time = True

    def step(self) -> bool:
        """Deliver what is due; whether there may be more at once. Raises Abandoned and what waits raise."""
        if self._first_time:
            if (raw := self._queue.intent(self._name)) is not None:
                self._carry_out(msgspec.msgpack.decode(raw, type=Intent))
            self._first_time = False
        stream = self._queue.streams.get(self._name)
        if stream is None or stream.status(self._around.now()) != "ACTIVE":
            return False
        if stream != self._stream and not self._configure(stream):
            return False
        return self._take()

    def _configure(self, stream: DeliveryStream) -> bool:
        """Take up a new or changed definition; records wait where it cannot be carried out."""
        try:
            self._destination = Destination(stream, self._around)
        except (ValueError, ConfigError) as error:
            log.error("stream cannot be delivered", extra={"stream": self._name, "reason": str(error)})
            self._sleep(_DELAYS[-1])
            return False
        hints = self._destination.hints
        goes_on = self._stream is not None and self._stream.created == stream.created
        if goes_on and self._buffer is not None:
            self._buffer = msgspec.structs.replace(self._buffer, hints=hints)
        else:
            self._buffer = Buffer(hints)
        self._stream = stream
        return True

    def _take(self) -> bool:
        """Look at records that are new, and seal where they fill the buffer or have waited long enough."""
        assert self._buffer is not None and self._destination is not None
        new = self._queue.read(self._name, self._seen, _READ).between(self._seen, self._limit())
        sizes = body.lengths(new.data, delimited=self._destination.delimited)
        cuts, buffer = self._buffer.add(sizes, new.arrived)
        if cuts:
            self._deliver(int(new.sequence[cuts[0] - 1]) if cuts[0] else self._seen)
            return True
        if len(new):
            self._seen, self._buffer = int(new.sequence[-1]), buffer
            return True  # more may wait, and belong to this range
        if self._buffer.due(self._around.now()) or (self._buffer.count and self._hurry()):
            self._deliver(self._seen)
            return True
        return False

    def _deliver(self, until: int) -> None:
        assert self._stream is not None and self._destination is not None
        intent = Intent(until, self._around.now(), self._stream)
        self._repeat(lambda: self._queue.intend(self._name, msgspec.msgpack.encode(intent)))
        self._carry_out(intent)
        self._seen, self._buffer = until, Buffer(self._destination.hints)

    def _carry_out(self, intent: Intent) -> None:
        """Deliver the range that was remembered, however long its destination is away, and drop it."""
        self._intent = intent
        destination = self._destination_of(intent.stream)
        if len(put := self._range(intent.until, destination.hints.nbytes + _READ)):
            self._current = destination
            processed = destination.process(put)
            made = destination.objects(put, processed, intent.sealed)
            for delay in chain(_DELAYS, repeat(_DELAYS[-1])):
                try:
                    destination.store(made)
                    break
                except (SinkBusy, BucketRefused) as error:
                    self._wait(put, destination, error, delay)
                if (renewed := self._renewed(intent)) is not intent:
                    intent = renewed
                    destination = self._destination_of(intent.stream)
                    made = destination.objects(put, processed, intent.sealed)
            self._count(destination, put, processed, made)
        self._repeat(lambda: self._queue.commit(self._name, intent.until))
        self._seen = max(self._seen, intent.until)
        self._intent = self._current = None

    def _destination_of(self, stream: DeliveryStream) -> Destination:
        if self._destination is not None and stream == self._stream:
            return self._destination
        return Destination(stream, self._around)

    def _renewed(self, intent: Intent) -> Intent:
        """The intent with the stream as it is now configured: what could not be stored where it pointed may
        be meant for another place."""
        now = self._queue.streams.get(self._name, intent.stream)
        if now.destination == intent.stream.destination or now.kind != intent.stream.kind:
            return intent
        renewed = Intent(intent.until, intent.sealed, now)
        self._repeat(lambda: self._queue.intend(self._name, msgspec.msgpack.encode(renewed)))
        return renewed

    def _sleep(self, seconds: float) -> None:
        """Wait, in whatever is under way; not for a stream that is no more."""
        if (intent := self._intent) is not None:
            now = self._queue.streams.get(self._name)
            if now is None or now.gone_from is not None or now.created != intent.stream.created:
                raise Abandoned
            if self._current is not None and now.destination != intent.stream.destination:
                self._current.follow(now)
        self._shared.sleep(seconds)

    def _wait(self, put: Records, destination: Destination, error: Exception, delay: float) -> None:
        age = (self._around.now() - int(put.arrived[0])) / 1_000
        metric = destination.metric if destination.metric == "DeliveryToS3" else "BackupToS3"
        self._metrics.add(self._name, {f"{metric}.Success": 0, f"{metric}.DataFreshness": age})
        log.error("delivery waits", extra={"stream": self._name, "reason": str(error), "seconds": delay})
        self._sleep(delay)

    def _range(self, until: int, size: int) -> Records:
        """The records that wait, up to `until`, of about `size` bytes; not all that wait are read: after an
        outage there may be many."""
        at = self._queue.covered(self._name)
        parts = [self._queue.read(self._name, at, size).between(at, until)]
        while len(parts[-1]) and (at := int(parts[-1].sequence[-1])) < until:
            parts.append(self._queue.read(self._name, at, _READ).between(at, until))
        return Records.joined(parts)

    def _repeat(self, action: Callable[[], object]) -> None:
        """A write of the queue until it succeeds."""
        persist(action, chain(_DELAYS, repeat(_DELAYS[-1])), self._sleep)

    def _count(
        self, destination: Destination, put: Records, processed: Processed, made: Sequence[Placed]
    ) -> None:
        self._metrics.add(self._name, counted(destination, put, processed, made, self._around.now()))
        facts = {"stream": self._name, "records": len(put), "objects": len(made)}
        facts |= {"failed": len(processed.failed), "dropped": processed.done.dropped}
        log.info("range delivered", extra=facts)
