"""Delivery of one partition of records: what waits, how far each stream was delivered, what may be forgotten.

After a crash, or on another worker, messages come again from the first that was not delivered completely.
What is remembered of each stream says where in them delivery stood: a range that may have been begun is
delivered again as it was, once all of it has come again; what was delivered before is passed over.
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Mapping
from threading import RLock

import msgspec
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import BadFrame, SinkBusy
from schemas.frame import decode
from schemas.records import Records
from stream.deliveries.channel import Intent
from stream.distributed.framing import offset_of, sequence
from stream.distributed.room import Room

log = logging.getLogger(__name__)

_LAST = 2**63 - 1  # sequence number
_OVERHEAD = 64  # bytes that a record counts beside its data
_BEFORE = -1  # offset, and sequence number

Streams = Callable[[], Mapping[str, DeliveryStream]]
Remember = Callable[[str, bytes | None], object]  # durable when it returns, else raises SinkBusy


class _State(Struct):
    """What is remembered of a stream; `created` tells it from a later one of the same name."""

    created: int
    covered: int = _BEFORE
    intent: bytes | None = None


class _Held(Struct):
    """What waits of a stream: a part for each message, and the last sequence number of each."""

    parts: list[Records] = []
    lasts: list[int] = []


class PartitionDelivery:
    """Satisfies Backlog. `streams` gives the streams that are defined now, `stored` what was remembered.

    `take` and `sweep` are the worker's, the rest may be called by any thread.
    """

    def __init__(
        self, partition: int, streams: Streams, stored: Mapping[str, bytes], remember: Remember, room: Room
    ) -> None:
        self._partition, self._defined, self._remember, self._room = partition, streams, remember, room
        self._states = {name: msgspec.msgpack.decode(raw, type=_State) for name, raw in stored.items()}
        self._held: dict[str, _Held] = {}
        self._until: dict[str, int] = {}  # where ranges end that must come again before they are delivered
        for name, state in self._states.items():
            if state.intent is not None:
                self._until[name] = msgspec.msgpack.decode(state.intent, type=Intent).until
                room.stick((partition, name), True)
        self._taken = _BEFORE
        self._lock = RLock()
        self._closed = False

    # The worker's side.

    def knows(self, name: str, created: int | None) -> bool:
        """Whether the stream is defined, and as new as a message that was put into it."""
        stream = self._defined().get(name)
        return stream is not None and (created is None or stream.created >= created)

    def take(self, offset: int, message: bytes, created: int | None = None) -> None:
        """Hold the records of the next message; those of a stream that is no more are let go of.

        `created` is when the stream was created that they were put into. Raises BadFrame of a message that
        cannot be read, which is not taken, and ValueError where messages do not come in their order.
        """
        if offset <= self._taken:
            raise ValueError(f"message {offset} came after {self._taken}")
        frame = decode(message)
        if not frame.source:
            raise BadFrame("a message that no door has written")
        records = Records(frame.data, frame.arrived, sequence(offset, len(frame)))
        self._hold(frame.source, records, created)
        self.pass_over(offset)

    def pass_over(self, offset: int) -> None:
        """Take note that all messages up to `offset` have come, and nothing more of them is to be held."""
        with self._lock:
            self._taken = offset
            for name in [name for name, until in self._until.items() if offset_of(until) <= offset]:
                del self._until[name]
                self._room.stick((self._partition, name), False)

    def _hold(self, name: str, records: Records, created: int | None) -> None:
        stream = self._defined().get(name)
        if stream is None or (created is not None and created != stream.created):
            facts = {"stream": name, "partition": self._partition, "records": len(records)}
            log.warning("records of a stream that is no more are dropped", extra=facts)
            return
        with self._lock:
            state = self._states.setdefault(name, _State(stream.created))
            if state.created != stream.created:
                self._forget(name)
                self._states[name] = state = _State(stream.created, state.covered)
            held = self._held.setdefault(name, _Held())
            if len(records := records.between(state.covered, _LAST)):
                held.parts.append(records)
                held.lasts.append(int(records.sequence[-1]))
                self._room.add((self._partition, name), _size(records))

    @property
    def delivered(self) -> int:
        """The offset of the last message before which, and with which, all are delivered."""
        with self._lock:
            waiting = (held.parts[0].sequence[0] for held in self._held.values() if held.parts)
            return min((offset_of(int(first)) - 1 for first in waiting), default=self._taken)

    def sweep(self) -> None:
        """Let go of streams that are no more. Raises SinkBusy."""
        defined = self._defined()
        with self._lock:
            gone = [name for name in {*self._states, *self._held} if name not in defined]
            for name in gone:
                self._forget(name)
        for name in gone:
            self._remember(name, None)
            with self._lock:
                self._states.pop(name, None)

    def _forget(self, name: str) -> None:
        self._held.pop(name, None)
        self._until.pop(name, None)
        self._room.leave((self._partition, name))

    def close(self) -> None:
        """The partition is another worker's from now on: nothing more is remembered, nothing is held."""
        with self._lock:
            self._closed = True
            for name in {*self._states, *self._held}:
                self._forget(name)

    def hurries(self, stream: str) -> bool:
        """Whether a stream is to be delivered at once, for want of room."""
        return self._room.presses((self._partition, stream))

    # Delivery's side; see Backlog.

    @property
    def streams(self) -> Mapping[str, DeliveryStream]:
        """Streams that have records here, or had; not those whose range has not come again completely."""
        defined = self._defined()
        with self._lock:
            here = [name for name in {*self._held, *self._states} if name not in self._until]
            return {
                name: defined[name]
                for name in here
                if name in defined and self._states[name].created == defined[name].created
            }

    def read(self, stream: str, after: int, limit_bytes: int) -> Records:
        with self._lock:
            held = self._held.get(stream, _Held())
            begin = end = bisect_right(held.lasts, after)
            size = 0
            while end < len(held.parts) and size < limit_bytes:
                size += _size(held.parts[end])
                end += 1
            parts = held.parts[begin:end]
        return Records.joined(parts).between(after, _LAST)

    def covered(self, stream: str) -> int:
        with self._lock:
            return self._states[stream].covered if stream in self._states else _BEFORE

    def intent(self, stream: str) -> bytes | None:
        with self._lock:
            return self._states[stream].intent if stream in self._states else None

    def intend(self, stream: str, document: bytes) -> None:
        self._settle(stream, self.covered(stream), document)

    def commit(self, stream: str, covered: int) -> None:
        covered = max(covered, self.covered(stream))
        self._settle(stream, covered, None)
        with self._lock:
            held = self._held.get(stream, _Held())
            done = bisect_right(held.lasts, covered)
            freed = sum(map(_size, held.parts[:done]))
            del held.parts[:done], held.lasts[:done]
            if held.parts:
                rest = held.parts[0].between(covered, _LAST)
                freed += _size(held.parts[0]) - _size(rest)
                held.parts[0] = rest
            if freed:
                self._room.add((self._partition, stream), -freed)

    def _settle(self, name: str, covered: int, intent: bytes | None) -> None:
        with self._lock:
            state = self._states.get(name)
        if self._closed:
            raise SinkBusy("the partition belongs to another worker")
        if state is None:
            return  # the stream is no more
        self._remember(name, msgspec.msgpack.encode(_State(state.created, covered, intent)))
        with self._lock:
            state.covered, state.intent = covered, intent


def _size(records: Records) -> int:
    return records.nbytes + _OVERHEAD * len(records)
