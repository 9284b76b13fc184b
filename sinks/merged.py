"""Captures with their ground truth as JSON Lines objects, by the hour of the prediction."""

import pyarrow as pa

from schemas.frame import Subject
from schemas.times import to_datetime
from sinks.objects import Objects, range_name, segment


def write(
    objects: Objects,
    subject: Subject,
    hour: int,
    lines: pa.Buffer,
    partition: int,
    first_offset: int,
    log: str = "",
) -> str:
    """Write the lines of one subject and hour (ms); gives the key of the object. It is named by the range of
    the `log` in which they were joined: writing the same range again replaces the same object."""
    model = f"{segment(subject.model)}/" if subject.model else ""
    place = f"{segment(subject.endpoint)}/{segment(subject.variant)}/{model}"
    key = f"{place}{to_datetime(hour):%Y/%m/%d/%H}/{range_name(log, partition, first_offset)}.jsonl"
    objects.put(key, lines)
    return key
