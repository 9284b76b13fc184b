"""Consecutive records cut into requests that keep within limits."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def split(*bounds: tuple[NDArray[np.int64], int]) -> Iterator[slice]:
    """Runs of records, in order, each as long as its sum of `sizes` stays within the limit of every bound.

    Sizes have shape (records,). A record that is above a limit by itself is a run of its own.

    >>> [(run.start, run.stop) for run in split((np.array([4, 4, 4, 11, 1]), 10))]
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    sums = [(np.concatenate(([0], np.cumsum(sizes))), limit) for sizes, limit in bounds]
    start, count = 0, len(bounds[0][0])
    while start < count:
        ends = [int(np.searchsorted(total, total[start] + limit, "right")) - 1 for total, limit in sums]
        stop = max(min(ends), start + 1)
        yield slice(start, stop)
        start = stop


def sizes(data: pa.BinaryArray) -> NDArray[np.int64]:
    """Bytes of each record, shape (records,)."""
    lengths: NDArray[np.int64] = pc.binary_length(data).to_numpy().astype(np.int64)
    return lengths


def base64_sizes(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Characters that so many bytes take in base64, with padding."""
    return (sizes + 2) // 3 * 4
