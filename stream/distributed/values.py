"""Values that a table holds in pieces, each under a stamp: where they are, and how they are read."""

import struct
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
from msgspec import Struct

STAMP = struct.Struct(">QII")  # number of the checkpoint, pieces, bytes before compression
CODEC = pa.Codec("zstd", compression_level=1)

Read = Callable[[bytes], bytes | None]  # the value of a key; None: it has none


class Place(Struct, frozen=True, order=True):
    epoch: int
    side: int  # 0 or 1

    def key(self, piece: int, name: str) -> bytes:
        return b"%d.%d.%d|%b" % (self.epoch, self.side, piece, name.encode())


class Live(Struct):
    """Where the value of a name is, the stamp of each of its pieces (without any it is gone), and every key
    that it has used."""

    place: Place
    stamp: bytes
    pieces: int
    used: set[tuple[Place, int]]


class Values(Mapping[str, bytes]):
    """The values of a state by name: a live view, which shows what was planned last.

    Between `Stamped.plan` and `Stamped.stored` the planned values may be in the table or not, or some of
    their pieces: they come from memory. All others are read from the table when they are asked for. Where it
    has not each piece of what counts, KeyError is raised: no value is a mixture, or an older one. That
    happens only where the table is not this worker's alone any more.

    Asking for names reads nothing. Use it in the thread that plans.
    """

    def __init__(self, live: Mapping[str, Live], planned: Mapping[str, bytes | None], read: Read) -> None:
        self._live, self._planned, self._read = live, planned, read

    def __getitem__(self, name: str) -> bytes:
        live = self._live.get(name)
        if live is None or not live.pieces:
            raise KeyError(name)
        if (planned := self._planned.get(name)) is not None:
            return planned
        body = b"".join(self._bodies(name, live))
        value: bytes = CODEC.decompress(body, STAMP.unpack(live.stamp)[2], asbytes=True)
        return value

    def _bodies(self, name: str, live: Live) -> Iterator[bytes]:
        for piece in range(live.pieces):
            raw = self._read(live.place.key(piece, name))
            if raw is None or not raw.startswith(live.stamp):
                raise KeyError(name)
            yield raw[STAMP.size :]

    def __contains__(self, name: object) -> bool:
        live = self._live.get(name) if isinstance(name, str) else None
        return live is not None and live.pieces > 0

    def __iter__(self) -> Iterator[str]:
        return (name for name, live in self._live.items() if live.pieces)

    def __len__(self) -> int:
        return sum(1 for _ in self)
