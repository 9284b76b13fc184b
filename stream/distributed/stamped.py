"""A stage's state in a key-value store that keeps single writes, not sets of them: a table with changelog.

A checkpoint changes many keys. Where a crash may leave any first part of its writes behind, each value has
two places and is written into the one that is not in use, stamped with the number of the checkpoint. The last
write, the head, says which checkpoint counts; what bears a later number is as if it were not there, and is
removed before the next head is written. A value that is gone is first stored as one without pieces, and both
places are cleared when that counts.

Nobody can keep a worker that was cut off from writing late what it once meant to write. So each worker that
takes a partition up writes into places of its own, named by its epoch, which is later than all before, and
its head says up to which checkpoint those of former epochs count.

Values may be many more than fit into memory: of each one only its stamp is kept, and it is read when it is
asked for.
"""

from collections.abc import Iterable, Mapping, Set

import msgspec
from msgspec import Struct

from schemas.errors import StateError
from stream.distributed.values import CODEC, STAMP, Live, Place, Read, Values

MAX_VALUE = 400_000  # bytes of one write; larger values are cut, because messages have a limit

_VERSION = 3
_HEAD, _INTENT = b"head", b"intent"
_NOBODY = -1  # an epoch

Write = tuple[bytes, bytes | None]  # key and value; None removes
_Found = dict[tuple[Place, int], bytes]  # stamps of one name, by place and piece


class Head(Struct, frozen=True):
    """Which checkpoint counts: the last offset that it covers, and the log whose offset that is. `epochs` are
    the number of the first checkpoint of each epoch, in order."""

    number: int = 0
    covered: int = -1
    log: str = ""
    epochs: tuple[tuple[int, int], ...] = ()
    version: int = _VERSION


class Plan(Struct, frozen=True):
    """A checkpoint as writes: all of `values` must be durable before `head` is written, `head` before what it
    covers is acknowledged and before `garbage`, which may be lost."""

    values: list[Write]
    head: Write
    garbage: list[Write]
    covered: int


class Stamped:
    """What a table holds of one partition of a stage. `plan` takes up a checkpoint as if it were stored;
    `stored` tells that it is, before the next one is planned.

    Writes go into places of `epoch`.
    """

    def __init__(self, head: Head, epoch: int) -> None:
        self.head = head
        self.intent: int | None = None
        self.epoch = epoch
        self._live: dict[str, Live] = {}
        self._planned: dict[str, bytes | None] = {}  # the table need not have these yet
        self._torn: list[bytes] = []  # keys whose values do not count
        self._intents: list[bytes] = []  # keys of intents of former epochs

    @classmethod
    def load(
        cls,
        items: Iterable[tuple[bytes, bytes]],
        log: str = "",
        epoch: int = 0,
        read: Read | None = None,
    ) -> tuple["Stamped", Values]:
        """The state that counts, by name, and what it takes to go on from it in `epoch`, or in a later one
        where that has been before.

        Values are read from the table by `read` when they are asked for; without it all `items` are kept, and
        what is stored later cannot be read back.
        Raises StateError when the state is of another version, or of another log than `log`.
        """
        if read is None:
            kept = dict(items)
            items, read = kept.items(), kept.get
        heads, intents, stamps = _sorted_out(items)
        latest = max(heads, default=-1)
        head = msgspec.msgpack.decode(heads[latest], type=Head) if heads else Head(log=log)
        _check(head, log)
        self = cls(head, max([epoch, *(seen + 1 for seen in (*heads, *intents))]))
        latest_first = [intents[seen] for seen in sorted(intents, reverse=True)]
        untils = [msgspec.msgpack.decode(raw, type=tuple[int, int]) for raw in latest_first]
        self.intent = next((until for number, until in untils if number == head.number + 1), None)
        self._intents = [_key(_INTENT, seen) for seen in intents]
        self._torn = [_key(_HEAD, seen) for seen in heads if seen < latest]
        for name, found in stamps.items():
            self._take_up(name, found)
        return self, Values(self._live, self._planned, read)

    def _take_up(self, name: str, found: _Found) -> None:
        counted = {at: stamp for at, stamp in found.items() if self._counts(stamp, at[0])}
        whole = [(counted[at], at[0]) for at in counted if not at[1] and _is_whole(counted, at[0])]
        if whole:
            stamp, place = max(whole)  # a stamp begins with the number of its checkpoint
            _, pieces, _ = STAMP.unpack(stamp)
            self._live[name] = Live(place, stamp, pieces, set(counted))
        else:
            counted = {}
        self._torn += [place.key(piece, name) for place, piece in found.keys() - counted.keys()]

    def _counts(self, stamp: bytes, place: Place) -> bool:
        """Whether a write belongs to a checkpoint that counts: one of the epoch that was in force then."""
        number = STAMP.unpack(stamp)[0]
        began = [epoch for first, epoch in self.head.epochs if first <= number]
        return number <= self.head.number and bool(began) and began[-1] == place.epoch

    @property
    def nbytes(self) -> int:
        """Size of all values before compression."""
        return sum(STAMP.unpack(live.stamp)[2] for live in self._live.values())

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
            stamp = STAMP.pack(number, len(pieces), len(value or b""))
            values += [(place.key(piece, name), stamp + body) for piece, body in enumerate(pieces or [b""])]
            used = {(place, piece) for piece in range(max(len(pieces), 1))}
            self._live[name] = Live(place, stamp, len(pieces), used | (before.used if before else set()))
        self._planned.update(changes)
        written = {key for key, _ in values}
        values[:0] = [(key, None) for key in self._torn if key not in written]
        garbage += [(key, None) for key in self._intents]  # until the head is there, they count
        self._torn, self._intents = [], []
        self.head = self._next_head(number, covered, in_use)
        return Plan(values, (_key(_HEAD, self.epoch), msgspec.msgpack.encode(self.head)), garbage, covered)

    def stored(self) -> None:
        """Take note that the table has all that was planned: it need not be kept any more."""
        self._planned.clear()

    def _free(self, before: Live | None) -> Place:
        if before is None or before.place.epoch != self.epoch:
            return Place(self.epoch, 0)
        return Place(self.epoch, 1 - before.place.side)

    def _next_head(self, number: int, covered: int, in_use: Set[int]) -> Head:
        """Epochs are kept that any place was of before this checkpoint: what it clears may yet be found."""
        epochs = self.head.epochs
        if not epochs or epochs[-1][1] != self.epoch:
            epochs = (*epochs, (number, self.epoch))
        return Head(number, covered, self.head.log, _shortened(epochs, in_use | {self.epoch}))

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
        return _key(_INTENT, self.epoch), msgspec.msgpack.encode((self.head.number, until))


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


def _sorted_out(
    items: Iterable[tuple[bytes, bytes]],
) -> tuple[dict[int, bytes], dict[int, bytes], dict[str, _Found]]:
    """Heads and intents by epoch, and the stamps of values by name."""
    kinds: dict[bytes, dict[int, bytes]] = {_HEAD: {}, _INTENT: {}}
    stamps: dict[str, _Found] = {}
    for key, value in items:
        kind, _, epoch = key.partition(b"@")
        if kind in kinds:
            kinds[kind][int(epoch)] = value
        else:
            place, piece, name = _parts(key)
            stamps.setdefault(name, {})[place, piece] = value[: STAMP.size]
    return kinds[_HEAD], kinds[_INTENT], stamps


def _is_whole(found: _Found, place: Place) -> bool:
    """Whether all pieces are there that the first one tells of."""
    stamp = found[place, 0]
    _, pieces, _ = STAMP.unpack(stamp)
    return all(found.get((place, piece)) == stamp for piece in range(1, pieces))


def _key(kind: bytes, epoch: int) -> bytes:
    return b"%b@%d" % (kind, epoch)


def _pieces(value: bytes | None) -> list[bytes]:
    if value is None:
        return []
    body: bytes = CODEC.compress(value, asbytes=True)
    return [body[start : start + MAX_VALUE] for start in range(0, len(body), MAX_VALUE)]


def _parts(key: bytes) -> tuple[Place, int, str]:
    place, _, name = key.partition(b"|")
    epoch, side, piece = place.split(b".")
    return Place(int(epoch), int(side)), int(piece), name.decode()
