"""The body of an object: the bytes of its records one after the other."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.splitting import sizes

_DELIMITER = b"\n"


def lengths(data: pa.BinaryArray, *, delimited: bool = False) -> NDArray[np.int64]:
    """Bytes of each record as buffering counts them, shape (records,); a delimiter counts too."""
    return sizes(data) + (len(_DELIMITER) if delimited else 0)


def joined(data: pa.BinaryArray, *, delimited: bool = False) -> pa.Buffer:
    """The records with nothing between them; `delimited` puts a line feed between them, and none at the end.

    Without a delimiter it is the array's own memory: nothing is copied.

    >>> records = pa.array([b"a", b"", b"b"], pa.binary())
    >>> joined(records).to_pybytes(), joined(records, delimited=True).to_pybytes()
    (b'ab', b'a\\n\\nb')
    """
    if not len(data):
        return pa.py_buffer(b"")
    if delimited:
        whole = pa.ListArray.from_arrays(pa.array([0, len(data)], pa.int32()), data)
        return pc.binary_join(whole, _DELIMITER)[0].as_buffer()
    _, offsets, values = data.buffers()
    bounds = np.frombuffer(offsets, np.int32)[data.offset :]
    start, stop = int(bounds[0]), int(bounds[len(data)])
    return values.slice(start, stop - start) if values is not None else pa.py_buffer(b"")
