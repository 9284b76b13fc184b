"""Messages that wait to be read together: many small ones cost no more than a large one."""

from collections.abc import Callable

from schemas.frame import Frame, Subject
from stream.batch import MAX_BYTES, MAX_RECORDS
from stream.distributed.shard import Event
from stream.partition import read_message


class Gathered:
    """Frames with their offsets, in the order in which they came. `subject` is that of messages that are no
    frames; `flush` is called as soon as there are enough for a batch."""

    def __init__(self, subject: Subject, flush: Callable[[], object]) -> None:
        self._subject, self._flush = subject, flush
        self._frames: list[tuple[int, Frame]] = []
        self.records = self._nbytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, event: Event) -> None:
        """Keep the frame of a message."""
        frame = read_message(event.value, self._subject, event.arrived)
        self._frames.append((event.offset, frame))
        self.records += len(frame)
        self._nbytes += frame.data.nbytes
        if self.records >= MAX_RECORDS or self._nbytes >= MAX_BYTES:
            self._flush()

    def take(self) -> list[tuple[int, Frame]]:
        """All that wait; none do any more."""
        frames, self._frames = self._frames, []
        self.records = self._nbytes = 0
        return frames
