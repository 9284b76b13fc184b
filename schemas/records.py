"""Records of a delivery stream as they were put, before anything is known of what they hold."""

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

    def take(self, rows: NDArray[np.int64]) -> "Records":
        """Some of the records, in this order."""
        return Records(self.data.take(pa.array(rows)), self.arrived[rows], self.sequence[rows])
