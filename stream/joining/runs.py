"""Rows found by the hash of an id, kept in few sorted runs: a log-structured merge tree of Arrow columns.

A batch becomes a run; runs of about the same size are merged into one. A row is thus written a few times in
its life, and looked for in a dozen places, each a binary search for a whole batch at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.id_hash import Hashes
from stream.changes import Changes, Stored, Tracker, key, parts

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

_FANOUT = 4  # runs of one size that are merged
_LEAST = 4_096  # rows: smaller runs count as of one size
_CHUNK = 8_192  # rows of one stored value
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class Run:
    """Rows in the order of their hashes. `kept` and `met`, shape (rows,), are all that changes of them: which
    are still there, and which have found what they wait for."""

    def __init__(self, number: int, ids: Hashes, columns: pa.Table, kept: Mask, met: Mask) -> None:
        self.number, self.ids, self.columns = number, ids, columns
        self.kept, self.met = kept, met
        self.unsaved_rows = self.unsaved_marks = True

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> NDArray[np.int64]:
        """A column of whole numbers, shape (rows,)."""
        return np.asarray(self.columns[name].chunk(0))

    @property
    def tier(self) -> int:
        """Runs of one tier are about as large as each other."""
        size, tier = _LEAST, 0
        while len(self) > size:
            size, tier = size * _FANOUT, tier + 1
        return tier


class Found(Struct, frozen=True):
    """Pairs of what was looked for and a row of `run`: indices, shape (pairs,)."""

    run: Run
    sought: Indices
    row: Indices

    def only(self, which: Mask) -> "Found":
        """Some of the pairs."""
        return Found(self.run, self.sought[which], self.row[which])


class Runs:
    """All rows of one kind; `name` tells them from those of others that are stored in the same place."""

    def __init__(self, name: str, stored: Stored) -> None:
        self._name = name
        self._runs: list[Run] = []
        self._next = 0
        self._gone: set[int] = set()
        self._tracker = Tracker()
        self._restore(stored)

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(run.kept)) for run in self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def add(self, ids: Hashes, columns: pa.Table, met: Mask) -> None:
        """Keep rows."""
        if len(ids):
            self._insert(ids, columns, met)
            self._merge_alike()

    def _insert(self, ids: Hashes, columns: pa.Table, met: Mask) -> None:
        order = np.argsort(ids.first, kind="stable")
        ordered = columns.take(pa.array(order)).combine_chunks()
        self._runs.append(
            Run(self._next, ids.take(order), ordered, np.ones(len(order), np.bool_), met[order])
        )
        self._next += 1

    def _merge_alike(self) -> None:
        """Merge runs of one tier when there are enough of them; what comes of it may fill the next."""
        while True:
            tiers: dict[int, list[Run]] = {}
            for run in self._runs:
                tiers.setdefault(run.tier, []).append(run)
            alike = next((runs for _, runs in sorted(tiers.items()) if len(runs) >= _FANOUT), None)
            if alike is None:
                return
            self._replace(alike)

    def _replace(self, runs: list[Run]) -> None:
        """One run instead of these, without the rows that are gone."""
        self._runs = [run for run in self._runs if run not in runs]
        self._gone |= {run.number for run in runs}
        kept = [np.flatnonzero(run.kept) for run in runs]
        ids = [run.ids.take(rows) for run, rows in zip(runs, kept, strict=True)]
        tables = [run.columns.take(pa.array(rows)) for run, rows in zip(runs, kept, strict=True)]
        if any(map(len, kept)):
            joined = Hashes(np.concatenate([i.first for i in ids]), np.concatenate([i.second for i in ids]))
            met = np.concatenate([run.met[rows] for run, rows in zip(runs, kept, strict=True)])
            self._insert(joined, concatenated(tables), met)

    def find(self, ids: Hashes) -> Iterator[Found]:
        """Rows that have one of `ids`, run by run."""
        order = np.argsort(ids.first)
        needles = ids.first[order]
        for run in self._runs:
            found = _in_run(run, ids, needles, order)
            if len(found.row):
                yield found

    def alone(self, rows: Callable[[Run], Mask] | None = None) -> int:
        """How many rows have met nothing, of all or of those that `rows` marks."""
        which = (run.kept & ~run.met & (True if rows is None else rows(run)) for run in self._runs)
        return sum(int(np.count_nonzero(mask)) for mask in which)

    def drop(self, rows: Callable[[Run], Mask]) -> None:
        """Let go of the rows of each run that `rows` marks. What is mostly gone is made smaller."""
        for run in list(self._runs):
            gone = rows(run) & run.kept
            if gone.any():
                run.kept &= ~gone
                run.unsaved_marks = True
            if 2 * np.count_nonzero(run.kept) < len(run):
                self._replace([run])
        self._merge_alike()

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values."""
        dirty: dict[str, Stored | None] = {}
        for number in self._gone:
            dirty[self._group("rows", number)] = dirty[self._group("marks", number)] = None
        self._gone.clear()
        for run in self._runs:
            if run.unsaved_rows:
                group = self._group("rows", run.number)
                dirty[group] = _values(group, _dump_rows(run))
            if run.unsaved_marks:
                group = self._group("marks", run.number)
                dirty[group] = _values(group, _dump_marks(run))
            run.unsaved_rows = run.unsaved_marks = False
        return self._tracker.changes(dirty)

    def _group(self, what: str, number: int) -> str:
        return f"{self._name} {what} {number}"

    def _restore(self, stored: Stored) -> None:
        mine = {name: raw for name, raw in stored.items() if str(parts(name)[0]).startswith(f"{self._name} ")}
        self._tracker = Tracker(mine)
        chunks: dict[int, dict[str, dict[int, bytes]]] = {}
        for name, raw in mine.items():
            group, chunk = parts(name)
            _, what, number = group.split(" ")
            chunks.setdefault(int(number), {}).setdefault(what, {})[chunk] = raw
        for number in sorted(chunks):
            self._runs.append(_load(number, chunks[number]))
            self._next = number + 1


def _in_run(run: Run, ids: Hashes, needles: NDArray[np.uint64], order: Indices) -> Found:
    """Pairs of this run; `needles` are the ids' first hashes, ascending, and `order` their places."""
    low = np.searchsorted(run.ids.first, needles)
    hit = np.flatnonzero(run.ids.first[np.minimum(low, len(run) - 1)] == needles)
    low = low[hit]
    count = np.searchsorted(run.ids.first, needles[hit], side="right") - low
    sought = order[hit]
    if len(count) and count.max() > 1:  # several rows of one id
        within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        low, sought = np.repeat(low, count) + within, np.repeat(sought, count)
    good = run.kept[low] & (run.ids.second[low] == ids.second[sought])
    return Found(run, sought[good], low[good])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of which some may lack columns of others: those are null in their rows, and gone where the
    others hold nothing either. Not all subjects carry the same columns, and what was stored under another
    configuration carries what that one asked for."""
    whole = pa.concat_tables(tables, promote_options="default")
    lacking = {name for name in whole.column_names if any(name not in t.column_names for t in tables)}
    return whole.drop_columns([name for name in lacking if whole[name].null_count == len(whole)])


def _values(group: str, chunks: list[bytes]) -> Mapping[str, bytes]:
    return {key(group, number): raw for number, raw in enumerate(chunks)}


def _dump_rows(run: Run) -> list[bytes]:
    first, second = (pa.array(h, pa.uint64()) for h in (run.ids.first, run.ids.second))
    whole = run.columns.append_column("first", first).append_column("second", second)
    chunks = []
    for start in range(0, len(run), _CHUNK):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, whole.schema, options=_OPTIONS) as writer:
            writer.write_table(whole.slice(start, _CHUNK))
        chunks.append(sink.getvalue().to_pybytes())
    return chunks


def _dump_marks(run: Run) -> list[bytes]:
    marks = (len(run), np.packbits(run.kept).tobytes(), np.packbits(run.met).tobytes())
    return [msgspec.msgpack.encode(marks)]


def _load(number: int, chunks: Mapping[str, Mapping[int, bytes]]) -> Run:
    tables = [pa.ipc.open_stream(raw).read_all() for _, raw in sorted(chunks["rows"].items())]
    whole = pa.concat_tables(tables).combine_chunks()
    ids = Hashes(np.array(whole["first"], np.uint64), np.array(whole["second"], np.uint64))
    n, *packed = msgspec.msgpack.decode(chunks["marks"][0], type=tuple[int, bytes, bytes])
    kept, met = (np.unpackbits(np.frombuffer(raw, np.uint8), count=n).astype(np.bool_) for raw in packed)
    run = Run(number, ids, whole.drop_columns(["first", "second"]), kept, met)
    run.unsaved_rows = run.unsaved_marks = False
    return run
