"""Captures with their ground truth as JSON Lines objects, by the hour of the prediction."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.frame import Subject
from schemas.times import to_datetime
from sinks.objects import Objects, range_name, segment

_HOUR = 3_600_000

Lines = tuple[Subject, NDArray[np.int64], pa.BinaryArray]  # of a subject: event times (ms), and a line each


def write(objects: Objects, parts: Iterable[Lines], partition: int, first_offset: int, log: str = "") -> int:
    """Write lines, an object for each subject and hour, named by the range of the `log` in which they were
    joined: writing the same range again replaces the same objects. Gives the number of objects."""
    name = range_name(log, partition, first_offset)
    written = 0
    for subject, time, lines in parts:
        hours = time // _HOUR
        for hour in np.unique(hours).tolist():
            body = b"\n".join(lines.filter(pa.array(hours == hour)).to_pylist()) + b"\n"
            objects.put(_key(subject, hour * _HOUR, name), body)
            written += 1
    return written


def _key(subject: Subject, hour: int, name: str) -> str:
    model = f"{segment(subject.model)}/" if subject.model else ""
    place = f"{segment(subject.endpoint)}/{segment(subject.variant)}/{model}"
    return f"{place}{to_datetime(hour):%Y/%m/%d/%H}/{name}.jsonl"
