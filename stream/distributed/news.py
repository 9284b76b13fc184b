"""What the watch stage tells the judge stage, as messages: news of windows, and how far partitions have read.

One piece of news may be larger than a message may be. It is then cut, and joined again on the other side,
where the pieces of several senders lie between each other.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from schemas.errors import BadFrame
from schemas.frame import Subject
from schemas.labelled import NO_LABELS
from schemas.report import Counts, Coverage, Window
from schemas.rows import NO_ROWS
from stream.distributed.cutting import cut, uncut
from stream.watch import Partial, load_states
from stream.watermarks import Progress


class Part(Struct, frozen=True, array_like=True):
    """A partial as it is sent: the parts of its states by monitor and name."""

    start: int
    end: int
    counts: Counts
    states: dict[str, dict[str, bytes]] | None
    labels: Coverage | None = None
    version: int = 0


class News(Struct, frozen=True, tag="news"):
    """Partials of one subject and how far its partition has come: one of captures, or one in which labels
    are `joined`."""

    subject: Subject
    progress: Progress
    parts: list[Part]
    joined: bool = False


class Heard(Struct, frozen=True, tag="heard"):
    """`partition` has read all that arrived in it before `until` (ms)."""

    partition: int
    until: int


class Closed(Struct, frozen=True, tag="closed"):
    """By the clock, nothing more is expected of an idle subject before `until` (event time, ms)."""

    subject: Subject
    until: int


Told = News | Heard | Closed


class _Piece(Struct, frozen=True, array_like=True):
    sender: str
    number: int
    piece: int
    pieces: int
    size: int
    body: bytes
    epoch: int = 0


def told(subject: Subject, partials: Sequence[Partial], progress: Progress, joined: bool = False) -> News:
    """News of one subject."""
    parts = [
        Part(
            partial.window.start,
            partial.window.end,
            partial.counts,
            None if partial.states is None else {name: dict(s.dump()) for name, s in partial.states.items()},
            partial.labels,
            partial.version,
        )
        for partial in partials
    ]
    return News(subject, progress, parts, joined)


def partials(news: News, monitors: Callable[[Subject], Sequence[Any]]) -> list[Partial]:
    """The partials of `news`, with states of `monitors` that can be merged."""
    found = []
    for part in news.parts:
        states: Mapping[str, Any] | None = None
        if part.states is not None:
            dumped = {(name, p): raw for name, raws in part.states.items() for p, raw in raws.items()}
            states = load_states(monitors(news.subject), dumped, NO_LABELS if news.joined else NO_ROWS)
        window, partition = Window(part.start, part.end), news.progress.partition
        found.append(
            Partial(
                news.subject,
                window,
                partition,
                part.counts,
                states,
                labels=part.labels,
                version=part.version,
            )
        )
    return found


class Sender:
    """Makes messages of news; `name` tells this sender from every other, and from itself after a restart.
    `epoch` is higher than those of its predecessors."""

    def __init__(self, name: str, epoch: int = 0) -> None:
        self._name, self._epoch = name, epoch
        self._numbers = count()

    def messages(self, what: Told) -> list[bytes]:
        """`what` as one message, or several that must stay in their order."""
        raw = msgspec.msgpack.encode(what)
        cuts = cut(raw)
        number = next(self._numbers)
        return [
            msgspec.msgpack.encode(_Piece(self._name, number, piece, len(cuts), len(raw), body, self._epoch))
            for piece, body in enumerate(cuts)
        ]


class Joiner:
    """Joins messages again. What a sender did not finish is given up when its successor is heard: the part of
    a sender's name before the last `/` is the same for both. What one that was cut off sends late disturbs
    nothing that its successor has begun."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[str, int, list[_Piece]]] = {}

    def add(self, message: bytes, offset: int) -> Told | None:
        """What is complete with this message, if anything is. Raises BadFrame when it is no such message."""
        try:
            piece = msgspec.msgpack.decode(message, type=_Piece)
            if self._is_cut_off(piece):
                return self._read([piece]) if piece.pieces == 1 else None
            if piece.pieces == 1:
                self._begun.pop(_line(piece.sender), None)
                return self._read([piece])
            sender, first, pieces = self._begun.get(_line(piece.sender), ("", offset, []))
            if sender != piece.sender or (pieces and pieces[0].number != piece.number):
                first, pieces = offset, []
            if piece.piece != len(pieces):
                return None  # its beginning was told before what is remembered, or was given up
            pieces.append(piece)
            self._begun[_line(piece.sender)] = (piece.sender, first, pieces)
            if len(pieces) < piece.pieces:
                return None
            del self._begun[_line(piece.sender)]
            return self._read(pieces)
        except (msgspec.MsgspecError, pa.ArrowException, OSError, ValueError) as error:
            raise BadFrame(f"not news of a partition: {error}") from error

    def _is_cut_off(self, piece: _Piece) -> bool:
        """Whether a successor of its sender has begun something."""
        _, _, pieces = self._begun.get(_line(piece.sender), ("", 0, []))
        return bool(pieces) and piece.epoch < pieces[0].epoch

    def _read(self, pieces: Sequence[_Piece]) -> Told:
        raw = uncut((piece.body for piece in pieces), pieces[0].size)
        found: Told = msgspec.msgpack.decode(raw, type=Told)
        return found

    def covered(self, offset: int) -> int:
        """The last offset that need not be read again, when all up to `offset` was added."""
        return min([offset, *(first - 1 for _, first, _ in self._begun.values())])


def _line(sender: str) -> str:
    return sender.rpartition("/")[0]


def partition_of(subject: Subject, partitions: int) -> int:
    """The partition in which a subject is judged."""
    return zlib.crc32(msgspec.json.encode(subject)) % partitions
