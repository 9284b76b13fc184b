"""The delivery of one stream: which records make a range, and the order in which a range is delivered."""

import logging
from collections.abc import Callable

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import ConfigError, SinkBusy
from schemas.records import Records
from sinks.bucket import BucketRefused
from stream.deliveries.destination import Delivered, Destination
from stream.deliveries.surroundings import Surroundings
from stream.firehose import body
from stream.firehose.buffering import Buffer
from stream.ingest.metrics import Metrics
from stream.ingest.queue import Queue

log = logging.getLogger(__name__)

NO_LIMIT = 1 << 62
_READ = 8 << 20  # bytes of records looked at together
_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds between tries; the last for ever


class Intent(Struct, frozen=True):
    """A range that was sealed: it ends with the sequence number `until`, and is delivered as the stream was
    configured at the time `sealed` (ms), whatever has been changed since."""

    until: int
    sealed: int
    stream: DeliveryStream


class Channel:
    """Delivers one stream. `step` is one look at the queue.

    Order: seal a range, remember it, deliver it, then drop it from the queue. After a crash the range that
    was remembered is delivered again, under the same keys and ids, so that nothing is lost and no object is
    there twice. `limit` gives the last sequence number that may be delivered yet.
    """

    def __init__(
        self,
        queue: Queue,
        name: str,
        around: Surroundings,
        metrics: Metrics,
        limit: Callable[[], int] = lambda: NO_LIMIT,
    ) -> None:
        self._queue, self._name, self._around, self._metrics = queue, name, around, metrics
        self._limit = limit
        self._stream: DeliveryStream | None = None
        self._destination: Destination | None = None
        self._buffer: Buffer | None = None
        self._seen = queue.covered(name)  # the last record that is in the buffer, or before it
        self._first_time = True

    def step(self) -> bool:
        """Deliver what is due; whether a range was delivered. Raises what the surroundings' sleep raises."""
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
            self._around.sleep(_DELAYS[-1])
            return False
        self._stream = stream
        hints = self._destination.hints
        self._buffer = msgspec.structs.replace(self._buffer, hints=hints) if self._buffer else Buffer(hints)
        return True

    def _take(self) -> bool:
        """Look at records that are new, and seal where they fill the buffer or have waited long enough."""
        assert self._buffer is not None and self._destination is not None
        new = self._queue.read(self._name, self._seen, _READ)
        new = _until(new, self._limit())
        sizes = body.lengths(new.data, delimited=self._destination.delimited)
        cuts, buffer = self._buffer.add(sizes, new.arrived)
        if cuts:
            self._deliver(int(new.sequence[cuts[0] - 1]) if cuts[0] else self._seen)
            return True
        if len(new):
            self._seen, self._buffer = int(new.sequence[-1]), buffer
        if self._buffer.due(self._around.now()):
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
        put = self._range(intent.until)
        if len(put):
            destination = self._destination
            if destination is None or intent.stream != self._stream:
                destination = Destination(intent.stream, self._around)
            delivered: list[Delivered] = []
            self._repeat(lambda: delivered.append(self._tried(destination, put, intent.sealed)))
            self._count(destination, put, delivered[-1])
        self._repeat(lambda: self._queue.commit(self._name, intent.until))
        self._seen = max(self._seen, intent.until)

    def _range(self, until: int) -> Records:
        """The records that wait, up to `until`; not all that do: after an outage there may be many."""
        at = self._queue.covered(self._name)
        parts = [_until(self._queue.read(self._name, at, _READ), until)]
        while len(parts[-1]) and (at := int(parts[-1].sequence[-1])) < until:
            parts.append(_until(self._queue.read(self._name, at, _READ), until))
        return Records(
            pa.concat_arrays([part.data for part in parts]),
            np.concatenate([part.arrived for part in parts]),
            np.concatenate([part.sequence for part in parts]),
        )

    def _tried(self, destination: Destination, put: Records, sealed: int) -> Delivered:
        try:
            return destination.deliver(put, sealed)
        except (SinkBusy, BucketRefused):
            waited = (self._around.now() - int(put.arrived[0])) / 1_000
            self._metrics.add(
                self._name,
                {f"{destination.metric}.Success": 0, f"{destination.metric}.DataFreshness": waited},
            )
            raise

    def _repeat(self, action: Callable[[], object]) -> None:
        """Until it succeeds: what was acknowledged is kept, however long a destination is away."""
        tries = 0
        while True:
            try:
                action()
                return
            except (SinkBusy, BucketRefused) as error:
                delay = _DELAYS[min(tries, len(_DELAYS) - 1)]
                log.error(
                    "delivery waits", extra={"stream": self._name, "reason": str(error), "seconds": delay}
                )
                self._around.sleep(delay)
                tries += 1

    def _count(self, destination: Destination, put: Records, done: Delivered) -> None:
        metric, now = destination.metric, self._around.now()
        counted = {
            f"{metric}.Records": len(put) - done.failed - done.dropped,
            f"{metric}.Bytes": put.nbytes,
            f"{metric}.Success": 1,
            f"{metric}.DataFreshness": max(now - int(put.arrived[0]), 0) / 1_000,
        }
        if metric == "DeliveryToS3":
            counted["DeliveryToS3.ObjectCount"] = sum(each.kind == "data" for each in done.objects)
        for each in done.objects:
            if each.kind == "backup":
                counted |= {"BackupToS3.Records": each.records, "BackupToS3.Success": 1}
        self._metrics.add(self._name, counted)
        log.info(
            "range delivered",
            extra={
                "stream": self._name,
                "records": len(put),
                "objects": len(done.objects),
                "failed": done.failed,
                "dropped": done.dropped,
            },
        )


def _until(records: Records, last: int) -> Records:
    """Those up to the sequence number `last`."""
    count = int(np.searchsorted(records.sequence, last, side="right"))
    if count == len(records):
        return records
    return Records(records.data[:count], records.arrived[:count], records.sequence[:count])
