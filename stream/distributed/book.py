"""Definitions of delivery streams as a log tells them: all who read it agree on what holds."""

import logging
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream

log = logging.getLogger(__name__)

NOTHING = -1  # in the place of an offset: the writer had seen no message of the stream


class Written(Struct, frozen=True):
    """One message: `value` is a definition, or None when the stream is no more. `before` is the offset of the
    stream's last message that its writer had seen; None where the writer does not say."""

    name: str
    value: bytes | None
    offset: int
    before: int | None = None


class Book:
    """Reads a compacted log of definitions; of changes made at once the first one in the log holds.

    A message whose writer had not seen the stream's last one is a stray: nothing of it holds. Compaction may
    keep the stray, though, and drop what holds, so that `mend` says what must be written behind it.

    >>> book = Book()
    >>> book.read(Written("s", b"one", 0, NOTHING)), book.read(Written("s", b"two", 1, NOTHING))
    (True, False)
    >>> book.mend("s"), book.last("s"), book.strays()
    (b'one', 1, ['s'])
    >>> book.read(Written("s", b"one", 2, 1)), book.strays()
    (True, [])
    """

    def __init__(self) -> None:
        self.streams: Mapping[str, DeliveryStream] = {}
        self._holds: dict[str, bytes | None] = {}
        self._last: dict[str, int] = {}
        self._stray: set[str] = set()

    def read(self, written: Written) -> bool:
        """Take the next message of the log; whether it holds."""
        name = written.name
        holds = self._holds_of(written)
        self._last[name] = written.offset
        if holds:
            self._holds[name] = written.value
            self._stray.discard(name)
            self._define(name, written.value)
        else:
            self._stray.add(name)
        return holds

    def _holds_of(self, written: Written) -> bool:
        name, before = written.name, written.before
        if name not in self._last or before is None or before == self._last[name]:
            return True  # where compaction took what was before, it is the first that is read
        if before == NOTHING and self._holds[name] is None and name not in self._stray:
            return True  # its writer came when the end of the former one was compacted away
        return written.value == self._holds[name]

    def _define(self, name: str, value: bytes | None) -> None:
        streams = {other: stream for other, stream in self.streams.items() if other != name}
        if value is not None:
            try:
                streams[name] = msgspec.json.decode(value, type=DeliveryStream)
            except msgspec.MsgspecError as error:
                log.error("definition cannot be read", extra={"stream": name, "reason": str(error)})
        self.streams = streams

    def last(self, name: str) -> int:
        """The offset of the stream's last message, NOTHING where there is none."""
        return self._last.get(name, NOTHING)

    def strays(self) -> list[str]:
        """Streams whose last message is a stray."""
        return sorted(self._stray)

    def mend(self, name: str) -> bytes | None:
        """What holds of the stream."""
        return self._holds.get(name)
