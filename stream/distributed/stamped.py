"""A stage's state in a key-value store that keeps single writes, not sets of them: a table with changelog.

A checkpoint changes many keys. Where a crash may leave any first part of its writes behind, each value has
two places and is written into the one that is not in use, stamped with the number of the checkpoint. The last
write, the head, says which checkpoint counts; what bears a later number is as if it were not there, and is
removed before the next head is written. A value that is gone is first stored as one without pieces, and both
places are cleared when that counts.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Set

import msgspec
import pyarrow as pa
from msgspec import Struct

from schemas.errors import StateError

MAX_VALUE = 400_000  # bytes of one write; larger values are cut, because messages have a limit

_VERSION = 1
_HEAD, _INTENT = b"head", b"intent"
_STAMP = struct.Struct(">QII")  # number of the checkpoint, pieces, bytes before compression
_CODEC = pa.Codec("zstd", compression_level=1)

Write = tuple[bytes, bytes | None]  # key and value; None removes


class Head(Struct, frozen=True):
    """Which checkpoint counts: the last offset that it covers, and the log whose offset that is."""

    number: int = 0
    covered: int = -1
    log: str = ""
    version: int = _VERSION


class _Live(Struct):
    """Where the value of a name is: its place (0 or 1), in how many pieces, and the most it ever had in one
    place. Without pieces it is gone."""

    place: int
    pieces: int
    most: int


class Plan(Struct, frozen=True):
    """A checkpoint as writes: all of `values` must be durable before `head` is written, `head` before what it
    covers is acknowledged and before `garbage`, which may be lost."""

    values: list[Write]
    head: Write
    garbage: list[Write]
    covered: int


class Stamped:
    """What a table holds of one partition of a stage. `plan` takes up a checkpoint as if it were stored."""

    def __init__(self, log: str = "") -> None:
        self.head = Head(log=log)
        self.intent: int | None = None
        self._live: dict[str, _Live] = {}
        self._torn: list[bytes] = []  # keys that a checkpoint without a head has left
        self._log = log

    @classmethod
    def load(cls, items: Iterable[tuple[bytes, bytes]], log: str = "") -> tuple["Stamped", dict[str, bytes]]:
        """The state that counts, by name, and what it takes to go on from it.

        Raises StateError when the state is of another version, or of another log than `log`.
        """
        stored = dict(items)
        self = cls(log)
        if (head := stored.pop(_HEAD, None)) is not None:
            self.head = msgspec.msgpack.decode(head, type=Head)
            self._check()
        if (intent := stored.pop(_INTENT, None)) is not None:
            until = msgspec.msgpack.decode(intent, type=int)
            self.intent = until if until > self.head.covered else None
        self._torn = [key for key, raw in stored.items() if _STAMP.unpack_from(raw)[0] > self.head.number]
        return self, dict(self._values(stored))

    def _check(self) -> None:
        if self.head.version != _VERSION:
            raise StateError(
                "the state was stored by another version of streamgauge: choose another kafka.app"
            )
        if self.head.log != self._log:
            raise StateError(
                f"the state covers offsets of topic {self.head.log}, and the topic is now {self._log}: "
                "it was deleted and made again; choose another kafka.app"
            )

    def _values(self, stored: Mapping[bytes, bytes]) -> Iterator[tuple[str, bytes]]:
        most: dict[str, int] = {}
        for key in stored:
            _, piece, name = _parts(key)
            most[name] = max(most.get(name, 1), piece + 1)
        for name in most:
            number, place = max((self._number(stored, place, name), place) for place in (0, 1))
            if not number:
                continue
            _, pieces, size = _STAMP.unpack_from(stored[_key(place, 0, name)])
            self._live[name] = _Live(place, pieces, most[name])
            if pieces:
                body = b"".join(stored[_key(place, piece, name)][_STAMP.size :] for piece in range(pieces))
                yield name, _CODEC.decompress(body, size, asbytes=True)

    def _number(self, stored: Mapping[bytes, bytes], place: int, name: str) -> int:
        """The number of a value that counts and is whole, else 0."""
        pieces, found = 1, set()
        piece = 0
        while piece < pieces:
            raw = stored.get(_key(place, piece, name))
            if raw is None:
                return 0
            number, pieces, _ = _STAMP.unpack_from(raw)
            found.add(number)
            piece += 1
        return int(number) if len(found) == 1 and number <= self.head.number else 0

    def plan(self, changes: Mapping[str, bytes | None], covered: int) -> Plan:
        """The next checkpoint, which changes the values of these names (None: gone) and covers so much."""
        head = Head(self.head.number + 1, covered, self._log)
        garbage = self._clear({name for name, value in changes.items() if value is not None})
        values: list[Write] = []
        for name, value in changes.items():
            before = self._live.get(name, _Live(1, 0, 1))
            if value is None and not before.pieces:
                continue
            place, pieces = 1 - before.place, _pieces(value)
            for piece, body in enumerate(pieces or [b""]):
                stamp = _STAMP.pack(head.number, len(pieces), len(value or b""))
                values.append((_key(place, piece, name), stamp + body))
            self._live[name] = _Live(place, len(pieces), max(before.most, len(pieces)))
        written = {key for key, _ in values}
        values[:0] = [(key, None) for key in self._torn if key not in written]
        self._torn = []
        self.head = head
        return Plan(values, (_HEAD, msgspec.msgpack.encode(head)), garbage, covered)

    def _clear(self, wanted: Set[str]) -> list[Write]:
        """Forget what is gone and not wanted again. The place that says so goes last: without it the value in
        the other place would count once more."""
        garbage: list[Write] = []
        for name in [name for name, live in self._live.items() if not live.pieces and name not in wanted]:
            live = self._live.pop(name)
            for place in (1 - live.place, live.place):
                garbage += [(_key(place, piece, name), None) for piece in range(live.most)]
        return garbage

    def intend(self, until: int) -> Write:
        """What to store before the range up to `until` is delivered: the next checkpoint ends there."""
        return _INTENT, msgspec.msgpack.encode(until)


def _pieces(value: bytes | None) -> list[bytes]:
    if value is None:
        return []
    body: bytes = _CODEC.compress(value, asbytes=True)
    return [body[start : start + MAX_VALUE] for start in range(0, len(body), MAX_VALUE)]


def _key(place: int, piece: int, name: str) -> bytes:
    return b"%d.%d|%b" % (place, piece, name.encode())


def _parts(key: bytes) -> tuple[int, int, str]:
    place, _, name = key.partition(b"|")
    first, _, second = place.partition(b".")
    return int(first), int(second), name.decode()
