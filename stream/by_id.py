"""Ground truth over the partitions of a topic: all labels of an id lie in one, in the order they came.

Of several labels of an id the last counts, and only within a partition does Kafka keep an order.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas import ground_truth
from schemas.frame import Frame
from schemas.id_hash import hashes


def by_id(frame: Frame, partitions: int) -> Iterator[tuple[int, Frame]]:
    """The records of `frame`, by partition (from 0); what is no label goes to the first.

    >>> from schemas.frame import Subject
    >>> frame = Frame.of(Subject(), pa.array([b"a,1", b"b,1", b"a,0", b"?"], pa.binary()), 0, labels=True)
    >>> [part.data.to_pylist() for _, part in by_id(frame, 4)]
    [[b'?'], [b'a,1', b'a,0'], [b'b,1']]
    """
    if partitions == 1 or not len(frame):
        yield 0, frame
        return
    found = ground_truth.read(frame.data)
    places = np.zeros(len(frame), np.uint64)
    if len(found):
        places[found.record] = hashes(found.id).first % np.uint64(partitions)
    for place in np.unique(places):
        yield int(place), _only(frame, np.flatnonzero(places == place))


def _only(frame: Frame, rows: NDArray[np.intp]) -> Frame:
    if len(rows) == len(frame):
        return frame
    return msgspec.structs.replace(
        frame, data=frame.data.take(pa.array(rows)), arrived=frame.arrived[rows], line=frame.line[rows]
    )
