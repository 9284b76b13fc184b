"""Records of a delivery stream as they were put, before anything is known of what they hold."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray


class Records(Struct, frozen=True):
    """`data` are the raw bytes (a record may be empty), `arrived` when each came (ms since the epoch), and
    `sequence` numbers them along their stream: ascending, unique, the same after a restart; all of shape
    (records,)."""

    data: pa.BinaryArray
    arrived: NDArray[np.int64]
    sequence: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.data)

    @property
    def nbytes(self) -> int:
        """Bytes of data, as buffering counts them."""
        offsets = np.frombuffer(self.data.buffers()[1], np.int32)
        start, stop = self.data.offset, self.data.offset + len(self.data)
        return int(offsets[stop] - offsets[start]) if len(self.data) else 0

    @classmethod
    def joined(cls, parts: Sequence["Records"]) -> "Records":
        """One of many, in their order; none of none."""
        if len(parts) == 1:
            return parts[0]
        none = np.empty(0, np.int64)
        return cls(
            pa.concat_arrays([pa.array([], pa.binary()), *(part.data for part in parts)]),
            np.concatenate([none, *(part.arrived for part in parts)]),
            np.concatenate([none, *(part.sequence for part in parts)]),
        )

    def between(self, after: int, until: int) -> "Records":
        """Those that follow the sequence number `after`, up to `until`.

        >>> data = pa.array([b"a", b"b", b"c"], pa.binary())
        >>> few = Records(data, np.zeros(3, np.int64), np.array([3, 5, 9]))
        >>> few.between(3, 8).data.to_pylist(), len(Records.joined([few, few])), len(Records.joined([]))
        ([b'b'], 6, 0)
        """
        start, stop = np.searchsorted(self.sequence, [after, until], side="right").tolist()
        return Records(self.data[start:stop], self.arrived[start:stop], self.sequence[start:stop])

    def take(self, rows: NDArray[np.int64]) -> "Records":
        """Some of the records, in this order."""
        return Records(self.data.take(pa.array(rows)), self.arrived[rows], self.sequence[rows])
