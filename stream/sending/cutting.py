"""Frames of so many records, from frames of as many as were read at once."""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import pyarrow as pa

from schemas.frame import Frame, split


def cut(frames: Iterable[Frame], records: int) -> Iterator[Frame]:
    """Frames of one file, as frames of so many records; the last has the rest, and none is too large to send.

    >>> from schemas.frame import Subject
    >>> read = [Frame.of(Subject(), pa.array([b"x"] * n, pa.binary()), 0) for n in (5, 2)]
    >>> [len(frame) for frame in cut(read, 3)]
    [3, 3, 1]
    """
    rest: Frame | None = None
    for frame in frames:
        whole = frame if rest is None else _joined(rest, frame)
        full = len(whole) - len(whole) % records
        for start in range(0, full, records):
            yield from split(part(whole, start, start + records))
        rest = part(whole, full, len(whole)) if full < len(whole) else None
    if rest is not None:
        yield from split(rest)


def part(frame: Frame, start: int, stop: int) -> Frame:
    """Records `start` to `stop` of a frame."""
    run = slice(start, stop)
    return msgspec.structs.replace(
        frame, data=frame.data[run], arrived=frame.arrived[run], line=frame.line[run]
    )


def where(frame: Frame, index: int) -> str:
    """Where a record of `frame` was read, for a person."""
    line = int(frame.line[index])
    return f"{frame.source}, line {line}" if line else frame.source


def _joined(before: Frame, after: Frame) -> Frame:
    return msgspec.structs.replace(
        before,
        data=pa.concat_arrays([before.data, after.data]),
        arrived=np.concatenate((before.arrived, after.arrived)),
        line=np.concatenate((before.line, after.line)),
    )
