"""The loop of `replay --to`: captures are read, paced, and handed to what takes them in."""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from schemas.errors import SourceError
from schemas.frame import Frame, Subject
from schemas.times import now as wall_clock
from stream import source
from stream.log import Position
from stream.sending.cutting import cut
from stream.sending.pace import Pace, event_time
from stream.sending.target import Stopped, Target
from stream.source import CaptureFile

_LOOK = 0.2  # seconds between two looks at whether to stop

Progress = Callable[[int, int], None]  # bytes of captures read, and of how many


class Sent(Struct):
    """How sending ended. `problems` are files that could not be read to their end."""

    seconds: float
    stopped: bool
    problems: list[str]


def send(
    files: Sequence[CaptureFile],
    target: Target,
    pace: Pace,
    *,
    records: int,
    final: Sequence[Subject] = (),
    stopped: Stopped = lambda: False,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    now: Callable[[], int] = wall_clock,
) -> Sent:
    """Send the records of `files` in frames of so many `records`, then close the windows of `final`.

    It returns early when `stopped()`; what was acknowledged is what `target` has told. Raises BrokerError.
    """
    problems: list[str] = []
    began = clock()
    for frame in _frames(files, records, problems, progress):
        when = event_time(frame.data[0].as_py())
        _pause(pace.wait(clock(), when, len(frame)), stopped, clock, sleep)
        if stopped():
            break
        target.send(_arrived(frame, now()), stopped)
    if final and not stopped():
        target.complete(final)
    target.finish(stopped)
    return Sent(clock() - began, stopped(), problems)


def _frames(
    files: Sequence[CaptureFile], records: int, problems: list[str], progress: Progress | None
) -> Iterator[Frame]:
    total, done = sum(file.size for file in files), 0

    def read(file: CaptureFile) -> Iterator[Frame]:
        for chunk in source.read(file, Position(), 0):
            yield from chunk.frames
            if progress:
                progress(done + min(chunk.position.offset, file.size), total)

    for file in files:
        try:
            yield from cut(read(file), records)
        except SourceError as error:
            problems.append(str(error))
        done += file.size


def _arrived(frame: Frame, when: int) -> Frame:
    """The frame as one that comes now."""
    return msgspec.structs.replace(frame, arrived=np.full(len(frame), when, np.int64))


def _pause(
    seconds: float, stopped: Stopped, clock: Callable[[], float], sleep: Callable[[float], object]
) -> None:
    end = clock() + seconds
    while (left := end - clock()) > 0 and not stopped():
        sleep(min(left, _LOOK))
