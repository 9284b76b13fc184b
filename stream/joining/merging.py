"""Joined records as Model Monitor merges them: the capture with its ground truth in it, a JSON line each."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from schemas.frame import Subject
from stream.joining.captures import Captures
from stream.joining.joined import Joined, Merged

_HOUR = 3_600_000
_ENCODINGS = {"C": "CSV", "J": "JSON"}


class MergedLines(Struct, frozen=True):
    """Joined records of one subject and hour (ms); their lines are made when they are asked for."""

    subject: Subject
    hour: int
    merged: Merged
    captures: Captures

    def body(self) -> pa.Buffer:
        """All lines, each with its end. Records that are not kept any more are left out."""
        records = self.captures.take(self.merged.raw)
        kept = records.is_valid()
        return _text(merged_lines(records.filter(kept), self.merged.label.filter(kept)))


class Merging:
    """Collects what was joined since the last cut."""

    def __init__(self, captures: Captures) -> None:
        self._captures = captures
        self._parts: dict[Subject, list[Merged]] = {}

    def observe(self, joined: list[Joined]) -> None:
        """Take in what was joined, or joined with another label."""
        for part in joined:
            if part.merged is not None:
                self._parts.setdefault(part.subject, []).append(part.merged)

    def cut(self) -> list[MergedLines]:
        """Everything collected, by subject and hour; collecting starts anew."""
        parts, self._parts = self._parts, {}
        return [cut for subject, merged in parts.items() for cut in self._hours(subject, merged)]

    def _hours(self, subject: Subject, parts: list[Merged]) -> Iterator[MergedLines]:
        raw, time = (np.concatenate([getattr(part, name) for part in parts]) for name in ("raw", "time"))
        label = pa.concat_arrays([part.label for part in parts])
        hours = time // _HOUR * _HOUR
        for hour in np.unique(hours).tolist():
            mine = np.flatnonzero(hours == hour)
            mine = mine[np.argsort(raw[mine], kind="stable")]
            merged = Merged(raw[mine], time[mine], label.take(pa.array(mine)))
            yield MergedLines(subject, hour, merged, self._captures)


def merged_lines(captures: pa.BinaryArray, labels: pa.StringArray) -> pa.BinaryArray:
    """Captures with their labels, which are text behind a letter for its encoding.

    >>> merged_lines(pa.array([b'{"a":1} '], pa.binary()), pa.array(["C0"]))[0].as_py()
    b'{"a":1,"groundTruthData":{"data":"0","encoding":"CSV"}}'
    """
    coded = labels.dictionary_encode()
    written = pa.array(map(_written, coded.dictionary.to_pylist()), pa.binary()).take(coded.indices)
    record = pc.ascii_rtrim_whitespace(captures.cast(pa.string())).cast(pa.binary())
    return pc.binary_join_element_wise(pc.binary_slice(record, 0, -1), written, b"")


def _text(lines: pa.BinaryArray) -> pa.Buffer:
    ended = pc.binary_join_element_wise(lines, b"\n", b"")
    offsets = np.frombuffer(ended.buffers()[1], np.int32)[ended.offset : ended.offset + len(ended) + 1]
    return ended.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))


def _written(label: str) -> bytes:
    payload = {"data": label[1:], "encoding": _ENCODINGS[label[0]]}
    return b',"groundTruthData":' + msgspec.json.encode(payload) + b"}"
