"""A stage's state in a key-value store that keeps single writes, not sets of them: a table with changelog.

A checkpoint changes many keys. Where a crash may leave any first part of its writes behind, each value has
two places and is written into the one that is not in use, stamped with the number of the checkpoint. The last
write, the head, says which checkpoint counts; what bears a later number is as if it were not there, and is
removed before the next head is written. A value that is gone is first stored as one without pieces, and both
places are cleared when that counts.

Nobody can keep a worker that was cut off from writing late what it once meant to write. So each worker that
takes a partition up writes into places of its own, named by its epoch, which is later than all before, and
its head says up to which checkpoint those of former epochs count.
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
_NOBODY = -1  # an epoch
_STAMP = struct.Struct(">QII")  # number of the checkpoint, pieces, bytes before compression
_CODEC = pa.Codec("zstd", compression_level=1)

Write = tuple[bytes, bytes | None]  # key and value; None removes


class Head(Struct, frozen=True):
    """Which checkpoint counts: the last offset that it covers, and the log whose offset that is. `epochs` are
    the number of the first checkpoint of each epoch, in order."""

    number: int = 0
    covered: int = -1
    log: str = ""
    epochs: tuple[tuple[int, int], ...] = ()
    version: int = _VERSION


class _Place(Struct, frozen=True, order=True):
    epoch: int
    side: int  # 0 or 1

    def key(self, piece: int, name: str) -> bytes:
        return b"%d.%d.%d|%b" % (self.epoch, self.side, piece, name.encode())


class _Live(Struct):
    """Where the value of a name is, in how many pieces (none: it is gone), and every key that it has used."""

    place: _Place
    pieces: int
    used: set[tuple[_Place, int]]


class Plan(Struct, frozen=True):
    """A checkpoint as writes: all of `values` must be durable before `head` is written, `head` before what it
    covers is acknowledged and before `garbage`, which may be lost."""

    values: list[Write]
    head: Write
    garbage: list[Write]
    covered: int


class Stamped:
    """What a table holds of one partition of a stage. `plan` takes up a checkpoint as if it were stored."""

    def __init__(self, head: Head, epoch: int) -> None:
        self.head = head
        self.intent: int | None = None
        self._epoch = epoch
        self._live: dict[str, _Live] = {}
        self._torn: list[bytes] = []  # keys whose values do not count
        self._intents: list[bytes] = []  # keys of intents of former epochs

    @classmethod
    def load(
        cls, items: Iterable[tuple[bytes, bytes]], log: str = "", epoch: int = 0
    ) -> tuple["Stamped", dict[str, bytes]]:
        """The state that counts, by name, and what it takes to go on from it in `epoch`, or in a later one
        where that has been before.

        Raises StateError when the state is of another version, or of another log than `log`.
        """
        stored = dict(items)
        heads, intents = _of_epochs(stored, _HEAD), _of_epochs(stored, _INTENT)
        latest = max(heads, default=-1)
        head = msgspec.msgpack.decode(heads[latest], type=Head) if heads else Head(log=log)
        _check(head, log)
        self = cls(head, max([epoch, *(seen + 1 for seen in (*heads, *intents))]))
        latest_first = [intents[seen] for seen in sorted(intents, reverse=True)]
        untils = [msgspec.msgpack.decode(raw, type=tuple[int, int]) for raw in latest_first]
        self.intent = next((until for number, until in untils if number == head.number + 1), None)
        self._intents = [_key(_INTENT, seen) for seen in intents]
        self._torn = [_key(_HEAD, seen) for seen in heads if seen < latest]
        return self, dict(self._values(stored))

    def _values(self, stored: Mapping[bytes, bytes]) -> Iterator[tuple[str, bytes]]:
        places: dict[str, set[tuple[_Place, int]]] = {}
        for key in stored:
            place, piece, name = _parts(key)
            places.setdefault(name, set()).add((place, piece))
        for name, used in places.items():
            found = [(self._number(stored, place, name), place) for place in {place for place, _ in used}]
            number, place = max(found)
            if not number:
                self._torn += [place.key(piece, name) for place, piece in used]
                continue
            _, pieces, size = _STAMP.unpack_from(stored[place.key(0, name)])
            counted = {(at, n) for at, n in used if self._counts(stored, at.key(n, name), at)}
            self._torn += [at.key(n, name) for at, n in used - counted]
            self._live[name] = _Live(place, pieces, counted)
            if pieces:
                body = b"".join(stored[place.key(piece, name)][_STAMP.size :] for piece in range(pieces))
                yield name, _CODEC.decompress(body, size, asbytes=True)

    def _number(self, stored: Mapping[bytes, bytes], place: _Place, name: str) -> int:
        """The number of a value that counts and is whole, else 0."""
        pieces, found = 1, set()
        piece = 0
        while piece < pieces:
            key = place.key(piece, name)
            if key not in stored or not self._counts(stored, key, place):
                return 0
            number, pieces, _ = _STAMP.unpack_from(stored[key])
            found.add(number)
            piece += 1
        return int(number) if len(found) == 1 else 0

    def _counts(self, stored: Mapping[bytes, bytes], key: bytes, place: _Place) -> bool:
        """Whether a write belongs to a checkpoint that counts: one of the epoch that was in force then."""
        number = _STAMP.unpack_from(stored[key])[0]
        began = [epoch for first, epoch in self.head.epochs if first <= number]
        return number <= self.head.number and bool(began) and began[-1] == place.epoch

    def plan(self, changes: Mapping[str, bytes | None], covered: int) -> Plan:
        """The next checkpoint, which changes the values of these names (None: gone) and covers so much."""
        number = self.head.number + 1
        in_use = {place.epoch for live in self._live.values() for place, _ in live.used}
        garbage = self._clear({name for name, value in changes.items() if value is not None})
        values: list[Write] = []
        for name, value in changes.items():
            before = self._live.get(name)
            if value is None and (before is None or not before.pieces):
                continue
            place, pieces = self._free(before), _pieces(value)
            for piece, body in enumerate(pieces or [b""]):
                stamp = _STAMP.pack(number, len(pieces), len(value or b""))
                values.append((place.key(piece, name), stamp + body))
            used = {(place, piece) for piece in range(max(len(pieces), 1))}
            self._live[name] = _Live(place, len(pieces), used | (before.used if before else set()))
        written = {key for key, _ in values}
        values[:0] = [(key, None) for key in self._torn if key not in written]
        garbage += [(key, None) for key in self._intents]  # until the head is there, they count
        self._torn, self._intents = [], []
        self.head = self._next_head(number, covered, in_use)
        return Plan(values, (_key(_HEAD, self._epoch), msgspec.msgpack.encode(self.head)), garbage, covered)

    def _free(self, before: _Live | None) -> _Place:
        if before is None or before.place.epoch != self._epoch:
            return _Place(self._epoch, 0)
        return _Place(self._epoch, 1 - before.place.side)

    def _next_head(self, number: int, covered: int, in_use: Set[int]) -> Head:
        """Epochs are kept that any place was of before this checkpoint: what it clears may yet be found."""
        epochs = self.head.epochs
        if not epochs or epochs[-1][1] != self._epoch:
            epochs = (*epochs, (number, self._epoch))
        return Head(number, covered, self.head.log, _shortened(epochs, in_use | {self._epoch}))

    def _clear(self, wanted: Set[str]) -> list[Write]:
        """Remove what is gone and not wanted again, and what former epochs have left of a value. The place
        that counts goes last: without it the value in another would count once more."""
        garbage: list[Write] = []
        for name, live in list(self._live.items()):
            former = [(place, piece) for place, piece in live.used if place.epoch != live.place.epoch]
            if not live.pieces and name not in wanted:
                del self._live[name]
                last = [(place, piece) for place, piece in live.used if place == live.place]
                former = [each for each in live.used if each not in last] + last
            elif former:
                live.used = live.used.difference(former)
            garbage += [(place.key(piece, name), None) for place, piece in former]
        return garbage

    def intend(self, until: int) -> Write:
        """What to store before the range of the checkpoint that was planned last is delivered: a worker that
        takes over delivers the same range."""
        return _key(_INTENT, self._epoch), msgspec.msgpack.encode((self.head.number, until))


def _shortened(epochs: Iterable[tuple[int, int]], in_use: Set[int]) -> tuple[tuple[int, int], ...]:
    """The same where it matters: neighbours that hold nothing any more become one that nobody is."""
    kept: list[tuple[int, int]] = []
    for first, epoch in epochs:
        if epoch in in_use:
            kept.append((first, epoch))
        elif kept and kept[-1][1] != _NOBODY:
            kept.append((first, _NOBODY))
    return tuple(kept)


def _check(head: Head, log: str) -> None:
    if head.version != _VERSION:
        raise StateError("the state is of another version of streamgauge: choose another kafka.app")
    if head.log != log:
        raise StateError(
            f"the state covers offsets of topic {head.log}, and the topic is now {log}: "
            "it was deleted and made again; choose another kafka.app"
        )


def _of_epochs(stored: dict[bytes, bytes], kind: bytes) -> dict[int, bytes]:
    """Values of this kind by epoch; they are taken out of `stored`."""
    keys = [key for key in stored if key.startswith(kind + b"@")]
    return {int(key.partition(b"@")[2]): stored.pop(key) for key in keys}


def _key(kind: bytes, epoch: int) -> bytes:
    return b"%b@%d" % (kind, epoch)


def _pieces(value: bytes | None) -> list[bytes]:
    if value is None:
        return []
    body: bytes = _CODEC.compress(value, asbytes=True)
    return [body[start : start + MAX_VALUE] for start in range(0, len(body), MAX_VALUE)]


def _parts(key: bytes) -> tuple[_Place, int, str]:
    place, _, name = key.partition(b"|")
    epoch, side, piece = place.split(b".")
    return _Place(int(epoch), int(side)), int(piece), name.decode()
