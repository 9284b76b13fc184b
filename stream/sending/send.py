"""The loop of `replay --to`: captures and ground truth are read, paced, and handed to what takes them in."""

import time
from calendar import timegm
from collections.abc import Callable, Iterator, Mapping, Sequence

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

_HOUR, _HOUR_MS = "%Y/%m/%d/%H", 3_600_000

Progress = Callable[[int, int], None]  # bytes of files read, and of how many


class Taker(Struct, frozen=True):
    """What takes records in, and in frames of how many."""

    target: Target
    records: int


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
    labels: Taker | None = None,
    final: Sequence[Subject] = (),
    stopped: Stopped = lambda: False,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    now: Callable[[], int] = wall_clock,
) -> Sent:
    """Send the records of `files`, in their order, in frames of so many `records`; ground truth goes to
    `labels`. Then close the windows of `final`.

    Labels of an hour are not sent before `target` has acknowledged the captures before them. Windows are
    closed when everything was acknowledged, labels too: what is joined waits for labels as long as event time
    lets it, and a completion ends event time. That labels are read in time is then up to who reads both.

    It returns early when `stopped()`; what was acknowledged is what targets have told. Raises BrokerError.
    """
    problems: list[str] = []
    began = clock()
    open_captures = False
    takers = {False: Taker(target, records)} | ({True: labels} if labels else {})
    for file, frame in _frames(files, takers, problems, progress):
        _pause(pace.wait(clock(), _when(file, frame), len(frame)), stopped, clock, sleep)
        if file.labels and open_captures:
            target.finish(stopped)
            open_captures = False
        if stopped():
            break
        takers[file.labels].target.send(_arrived(frame, now()), stopped)
        open_captures |= not file.labels
    if labels:
        labels.target.finish(stopped)
    target.finish(stopped)
    if final and not stopped():
        target.complete(final)
        target.finish(stopped)
    return Sent(clock() - began, stopped(), problems)


def _frames(
    files: Sequence[CaptureFile], takers: Mapping[bool, Taker], problems: list[str], progress: Progress | None
) -> Iterator[tuple[CaptureFile, Frame]]:
    total, done = sum(file.size for file in files), 0

    def read(file: CaptureFile) -> Iterator[Frame]:
        for chunk in source.read(file, Position(), 0):
            yield from chunk.frames
            if progress:
                progress(done + min(chunk.position.offset, file.size), total)

    for file in files:
        try:
            for frame in cut(read(file), takers[file.labels].records):
                yield file, frame
        except SourceError as error:
            problems.append(str(error))
        done += file.size


def _when(file: CaptureFile, frame: Frame) -> int | None:
    """When a frame once came (ms): its first capture, or labels, of which the hour is known, at its end."""
    if not file.labels:
        return event_time(frame.data[0].as_py())
    try:
        return timegm(time.strptime(file.hour, _HOUR)) * 1000 + _HOUR_MS
    except ValueError:  # of no hour, or of one that there is not
        return None


def _arrived(frame: Frame, when: int) -> Frame:
    """The frame as one that comes now."""
    return msgspec.structs.replace(frame, arrived=np.full(len(frame), when, np.int64))


def _pause(
    seconds: float, stopped: Stopped, clock: Callable[[], float], sleep: Callable[[float], object]
) -> None:
    end = clock() + seconds
    while (left := end - clock()) > 0 and not stopped():
        sleep(min(left, _LOOK))
