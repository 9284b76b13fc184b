"""Captured records kept on disk until their labels come: they are written together."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from stream.changes import Changes, Stored, key
from stream.joining.runs import Indices
from stream.placing import BEFORE_ALL

_BLOCK = 1_024  # records
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")
_ABOUT = key("about")


class _Block(Struct):
    """Records by number from `first` on, of which the last need is over when the event time of each subject
    in `until` has passed that."""

    first: int
    records: int
    until: dict[int, int]


class Captures:
    """Records by number, in blocks. `load` gives a block that was stored; the others are kept in memory.

    `stored` needs to hold nothing but what `ABOUT` names.
    """

    ABOUT = _ABOUT

    def __init__(self, stored: Stored, load: Callable[[str], bytes | None]) -> None:
        self._load = load
        self._blocks: list[_Block] = []
        self._new: list[_Block] = []
        self._records: list[pa.BinaryArray] = []  # of the new blocks
        self._gone: list[_Block] = []
        self._next = 0
        self.unsaved = 0  # bytes that are kept in memory until the next checkpoint
        if (raw := stored.get(_ABOUT)) is not None:
            self._next, self._blocks = msgspec.msgpack.decode(raw, type=tuple[int, list[_Block]])

    def add(self, records: pa.BinaryArray, subject: int, until: int) -> Indices:
        """Keep records until their subject has come so far (ms); their numbers, shape (records,)."""
        first = self._next
        for start in range(0, len(records), _BLOCK):
            part = records[start : start + _BLOCK]
            self._new.append(_Block(self._next, len(part), {subject: until}))
            self._records.append(part)
            self._next += len(part)
            self.unsaved += part.nbytes
        return np.arange(first, self._next)

    def take(self, numbers: Indices) -> pa.BinaryArray:
        """The records of these numbers; null where one is not kept any more."""
        blocks = [*self._blocks, *self._new]
        firsts = np.array([block.first for block in blocks], np.int64)
        order = np.argsort(numbers, kind="stable")
        at = np.searchsorted(firsts, numbers[order], side="right") - 1
        edges = np.flatnonzero(np.diff(at, prepend=-2, append=-2))
        parts = [
            self._of_block(int(at[begin]), numbers[order[begin:end]])
            for begin, end in pairwise(edges.tolist())
        ]
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_arrays([pa.array([], pa.binary()), *parts]).take(pa.array(back))

    def _of_block(self, place: int, numbers: Indices) -> pa.BinaryArray:
        records = self._read(place) if place >= 0 else None
        if records is None:
            return pa.nulls(len(numbers), pa.binary())
        rows = numbers - [*self._blocks, *self._new][place].first
        inside = pa.array(rows, mask=(rows < 0) | (rows >= len(records)))
        return records.take(inside)

    def _read(self, place: int) -> pa.BinaryArray | None:
        if place >= len(self._blocks):
            return self._records[place - len(self._blocks)]
        raw = self._load(key(self._blocks[place].first))
        return None if raw is None else pa.ipc.open_stream(raw).read_all()["data"].combine_chunks()

    def drop(self, watermarks: Mapping[int, int]) -> None:
        """Let go of blocks that nothing can need any more when the event time (ms) of subjects is so far: it
        may be that of years ago in one and of today in another."""

        def is_over(block: _Block) -> bool:
            return all(until <= watermarks.get(of, BEFORE_ALL) for of, until in block.until.items())

        self._gone += [block for block in self._blocks if is_over(block)]
        self._blocks = [block for block in self._blocks if not is_over(block)]

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values."""
        changes: Changes = {key(block.first): None for block in self._gone}
        self._join_small()
        changes.update(self._dumped())
        self._blocks += self._new
        self._new, self._records, self._gone, self.unsaved = [], [], [], 0
        changes[_ABOUT] = msgspec.msgpack.encode((self._next, self._blocks))
        return changes

    def _join_small(self) -> None:
        """Fill new blocks, where records came a few at a time."""
        full: list[_Block] = []
        parts: list[list[pa.BinaryArray]] = []
        for block, records in zip(self._new, self._records, strict=True):
            if full and full[-1].records + block.records <= _BLOCK:
                full[-1].records += block.records
                full[-1].until = _later(full[-1].until, block.until)
                parts[-1].append(records)
            else:
                full.append(block)
                parts.append([records])
        self._new, self._records = full, [pa.concat_arrays(part) for part in parts]

    def _dumped(self) -> Iterator[tuple[str, bytes]]:
        for block, records in zip(self._new, self._records, strict=True):
            sink = pa.BufferOutputStream()
            table = pa.table({"data": records})
            with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
                writer.write_table(table)
            yield key(block.first), sink.getvalue().to_pybytes()


def _later(a: Mapping[int, int], b: Mapping[int, int]) -> dict[int, int]:
    """The later time of each subject that either has."""
    return {of: max(a.get(of, BEFORE_ALL), b.get(of, BEFORE_ALL)) for of in {**a, **b}}
