"""Joined records as Model Monitor merges them: the capture with its ground truth in it, a JSON line each."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas.frame import Subject
from stream.joining.captures import Captures
from stream.joining.joined import Joined, Merged

_ENCODINGS = {"C": "CSV", "J": "JSON"}


class MergedLines(Struct, frozen=True):
    """Lines of one subject, without their ends; `time` (ms) is when each was predicted, shape (lines,)."""

    subject: Subject
    time: NDArray[np.int64]
    lines: pa.BinaryArray


class Merging:
    """Collects what was joined since the last cut."""

    def __init__(self, captures: Captures) -> None:
        self._captures = captures
        self._parts: dict[Subject, list[Merged]] = {}
        self.records = 0

    def observe(self, joined: list[Joined]) -> None:
        """Take in what was joined, or joined with another label."""
        for part in joined:
            if part.merged is not None:
                self._parts.setdefault(part.subject, []).append(part.merged)
                self.records += len(part.merged.raw)

    def cut(self) -> list[MergedLines]:
        """Everything collected; collecting starts anew."""
        parts, self._parts, self.records = self._parts, {}, 0
        return [self._lines(subject, merged) for subject, merged in parts.items()]

    def _lines(self, subject: Subject, parts: list[Merged]) -> MergedLines:
        records = self._captures.take(np.concatenate([part.raw for part in parts]))
        label = pa.concat_arrays([part.label for part in parts])
        time = np.concatenate([part.time for part in parts])
        kept = records.is_valid()
        return MergedLines(
            subject, time[np.asarray(kept)], merged_lines(records.filter(kept), label.filter(kept))
        )


def merged_lines(captures: pa.BinaryArray, labels: pa.StringArray) -> pa.BinaryArray:
    """Captures with their labels, which are text behind a letter for its encoding.

    >>> merged_lines(pa.array([b'{"a":1} '], pa.binary()), pa.array(["C0"]))[0].as_py()
    b'{"a":1,"groundTruthData":{"data":"0","encoding":"CSV"}}'
    """
    coded = labels.dictionary_encode()
    written = pa.array(map(_written, coded.dictionary.to_pylist()), pa.binary()).take(coded.indices)
    record = pc.ascii_rtrim_whitespace(captures.cast(pa.string())).cast(pa.binary())
    return pc.binary_join_element_wise(pc.binary_slice(record, 0, -1), written, b"")


def _written(label: str) -> bytes:
    payload = {"data": label[1:], "encoding": _ENCODINGS[label[0]]}
    return b',"groundTruthData":' + msgspec.json.encode(payload) + b"}"
