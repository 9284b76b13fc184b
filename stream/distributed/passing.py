"""What is passed on to the join stage, as messages: predictions and labels by the hash of their ids.

Each must have its effect once: a worker that starts anew passes on again what no checkpoint covered, and one
that was cut off may send late. So whoever passes on numbers what it sends to each partition, and names its
epoch, which is higher than those of all workers that had its partition before it.
"""

import uuid
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from schemas.errors import BadFrame
from schemas.frame import Subject
from schemas.id_hash import hashes
from stream.distributed.cutting import cut, uncut
from stream.distributed.news import Closed, Heard
from stream.joining.runs import Indices
from stream.watermarks import Progress


class Origin(Struct, frozen=True, array_like=True):
    """The partition of captures or of ground truth that something comes from."""

    kind: Literal["captures", "labels"]
    partition: int


class Piece(Struct, frozen=True, tag="piece"):
    """The part `piece` of the `number`-th that `session` has sent to this partition; `size` is that of the
    whole before compression."""

    origin: Origin
    epoch: int
    session: str
    number: int
    piece: int
    pieces: int
    size: int
    body: bytes


class Predictions(Struct, frozen=True, tag="predictions"):
    """Tables of predictions of one subject, in Arrow's format, with their offsets: all that its partition
    holds up to `until` and that was not passed on before."""

    partition: int
    subject: Subject
    until: int
    tables: list[bytes]


class Labels(Struct, frozen=True, tag="labels"):
    """The same of labels."""

    partition: int
    until: int
    table: bytes


class Moved(Struct, frozen=True, tag="moved"):
    """How far a subject has come in one partition."""

    subject: Subject
    progress: Progress


class Word(Struct, frozen=True, tag="word"):
    """What is said to all partitions of the join, when `session` had sent `number` times to this one: it
    rests on that."""

    origin: Origin
    epoch: int
    session: str
    number: int
    said: Moved | Heard


Rows = Predictions | Labels
Passed = Rows | Moved | Heard | Closed

_Message = Piece | Word | Closed


class Session:
    """Passes on what comes from `origin` to `partitions` of the join, for as long as this worker has it."""

    def __init__(
        self, origin: Origin, epoch: int, partitions: int, send: Callable[[int, bytes], object]
    ) -> None:
        self._origin, self._epoch, self._send = origin, epoch, send
        self._name = uuid.uuid4().hex
        self._sent = [0] * partitions

    @property
    def partition(self) -> int:
        """Where all of it comes from."""
        return self._origin.partition

    @property
    def partitions(self) -> int:
        """How many partitions of the join there are."""
        return len(self._sent)

    def rows(self, partition: int, what: Rows) -> None:
        """Pass on rows to one of them."""
        raw = msgspec.msgpack.encode(what)
        cuts = cut(raw)
        number = self._sent[partition]
        self._sent[partition] += 1
        for at, body in enumerate(cuts):
            piece = Piece(self._origin, self._epoch, self._name, number, at, len(cuts), len(raw), body)
            self._send(partition, msgspec.msgpack.encode(piece))

    def all(self, what: Moved | Heard) -> None:
        """Tell all of them. It counts where the rows that were passed on before have come."""
        for partition, number in enumerate(self._sent):
            word = Word(self._origin, self._epoch, self._name, number, what)
            self._send(partition, msgspec.msgpack.encode(word))


def encode(what: Closed) -> bytes:
    """What the judge tells every partition of the join; to hear it twice changes nothing."""
    return msgspec.msgpack.encode(what)


def places(ids: pa.StringArray, partitions: int) -> Indices:
    """The partition in which each id is joined, shape (ids,)."""
    return (hashes(ids).second % np.uint64(partitions)).astype(np.int64)


class _Heard(Struct):
    """What was last heard of an origin: the session, how much of it was taken, and pieces of the next."""

    epoch: int
    session: str
    number: int = 0
    pieces: list[bytes] = []


class Receiver:
    """Puts messages together again, each that is new once. What it gives of one origin is in the order in
    which it was sent, without a gap."""

    def __init__(self, stored: bytes | None) -> None:
        self._origins: dict[Origin, _Heard] = {}
        if stored is not None:
            found = msgspec.msgpack.decode(stored, type=list[tuple[Origin, _Heard]])
            self._origins = dict(found)
        self.missed: set[Origin] = set()

    def add(self, message: bytes) -> Passed | None:
        """What is new and complete with this message. Raises BadFrame when it is no such message."""
        try:
            found: _Message = msgspec.msgpack.decode(message, type=_Message)
            if isinstance(found, Closed):
                return found
            if isinstance(found, Word):
                return found.said if self._rests(found) else None
            pieces = self._next(found)
            if pieces is None:
                return None
            rows: Rows = msgspec.msgpack.decode(uncut(pieces, found.size), type=Rows)
            return rows
        except (msgspec.MsgspecError, pa.ArrowException, OSError, ValueError) as error:
            raise BadFrame(f"not predictions or labels: {error}") from error

    def _rests(self, word: Word) -> bool:
        """Whether all has come that it rests on. Of a worker that was cut off it may not have: it is then
        passed on again, and nothing may be closed before that has come."""
        heard = self._heard(word)
        number = heard.number if heard is not None else 0
        if heard is None and self._is_cut_off(word):
            return False
        if word.number > number:
            self.missed.add(word.origin)
        return word.number == number

    def _heard(self, found: Piece | Word) -> _Heard | None:
        heard = self._origins.get(found.origin)
        return heard if heard is not None and heard.session == found.session else None

    def _is_cut_off(self, found: Piece | Word) -> bool:
        """Whether another worker has the partition now."""
        heard = self._origins.get(found.origin)
        return heard is not None and found.epoch < heard.epoch

    def _next(self, piece: Piece) -> list[bytes] | None:
        """All pieces of what is complete with this one."""
        heard = self._heard(piece)
        if heard is None:
            if self._is_cut_off(piece):
                return None
            if piece.number or piece.piece:
                self.missed.add(piece.origin)
                return None
            heard = self._origins[piece.origin] = _Heard(piece.epoch, piece.session)
            self.missed.discard(piece.origin)
        if (piece.number, piece.piece) != (heard.number, len(heard.pieces)):
            if piece.number > heard.number:
                self.missed.add(piece.origin)
            return None
        heard.pieces.append(piece.body)
        if len(heard.pieces) < piece.pieces:
            return None
        pieces, heard.pieces = heard.pieces, []
        heard.number += 1
        return pieces

    def dump(self) -> bytes:
        """What is known of all origins."""
        return msgspec.msgpack.encode(list(self._origins.items()))


def to_bytes(table: pa.Table) -> bytes:
    """A table in Arrow's streaming format."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def from_bytes(raw: bytes) -> pa.Table:
    """The table again."""
    with pa.ipc.open_stream(raw) as reader:
        return reader.read_all()
