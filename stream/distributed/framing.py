"""Puts as frames, and how records are numbered by where their frame is."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.frame import MAX_FRAME_BYTES, Frame, Subject, encode, split

INDEX_BITS = 20  # of a sequence number: the place of a record in its frame
_OVERHEAD = 16  # bytes beside a record's data: offset, arrival, line
_PARTITIONS = 4_096  # as many as there may be of a topic


class Put(Struct, frozen=True, eq=False):
    """Records of one put."""

    records: pa.BinaryArray
    arrived: int

    @property
    def size(self) -> int:
        """Bytes, as a frame counts them: records that are empty fill it too."""
        return int(self.records.nbytes) + _OVERHEAD * len(self.records)


def frames(stream: str, puts: Sequence[Put], max_bytes: int = MAX_FRAME_BYTES) -> list[Frame]:
    """What is put into `stream` at one time as frames; several only where it does not fit into one.

    >>> puts = [Put(pa.array([b"x"] * 3, pa.binary()), at) for at in (5, 6)]
    >>> [(frame.source, frame.arrived.tolist()) for frame in frames("s", puts)]
    [('s', [5, 5, 5, 6, 6, 6])]
    """
    counts = [len(put.records) for put in puts]
    arrays = [put.records for put in puts]
    data = arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
    arrived = np.repeat(np.array([put.arrived for put in puts], np.int64), counts)
    return list(split(Frame(Subject(), data, arrived, np.zeros(len(data), np.uint32), stream), max_bytes))


def encoded(frame: Frame, subject: Subject, labels: bool = False) -> bytes:
    """The frame as a message, of another subject or of ground truth."""
    about = frame.source, frame.complete_until, labels
    return encode(Frame(subject, frame.data, frame.arrived, frame.line, *about))


def number(partition: int, offset: int, index: int) -> int:
    """A number that no other record of a topic has.

    >>> number(1, 0, 2), number(0, 1, 0)
    (1048578, 4294967296)
    """
    return (offset * _PARTITIONS + partition << INDEX_BITS) + index


def sequence(offset: int, records: int) -> NDArray[np.int64]:
    """Sequence numbers of the records of one frame along their partition.

    >>> sequence(2, 3).tolist()
    [2097152, 2097153, 2097154]
    """
    return np.arange(records, dtype=np.int64) + (offset << INDEX_BITS)


def offset_of(sequence: int) -> int:
    """The offset of the frame that a sequence number is from.

    >>> offset_of(2097154), offset_of(-1)
    (2, -1)
    """
    return sequence >> INDEX_BITS
