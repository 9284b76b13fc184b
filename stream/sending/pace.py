"""When what was captured is sent again: at once, as it once came, or at most so many records a second."""

import msgspec
from msgspec import Struct

from schemas.errors import BadRecord
from schemas.times import parse_time


class _Metadata(Struct, rename="camel"):
    inference_time: str | None = None


class _Timed(Struct, rename="camel"):
    event_metadata: _Metadata


_decoder = msgspec.json.Decoder(_Timed)


def event_time(record: bytes) -> int | None:
    """When inference ran (ms); None where a record does not say it, or cannot be read.

    >>> event_time(b'{"captureData": {}, "eventMetadata": {"inferenceTime": "1970-01-01T00:00:02Z"}}')
    2000
    >>> event_time(b"no capture")
    """
    try:
        when = _decoder.decode(record).event_metadata.inference_time
        return None if when is None else parse_time(when)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadRecord):
        return None


class Pace:
    """How long to wait before records are sent, on a clock that is handed in (seconds).

    With `speed` records go out as they once came, so many times faster: the first sets the scale, and what is
    behind it is caught up. With `rate` no more than so many records go out a second, also after a wait. 0 is
    without either.

    >>> pace = Pace(speed=60)
    >>> pace.wait(now=100.0, when=0, records=5), pace.wait(now=100.2, when=60_000, records=5)
    (0.0, 0.8)
    """

    def __init__(self, speed: float = 0, rate: float = 0) -> None:
        self._speed, self._rate = speed, rate
        self._start: tuple[float, int] | None = None  # when the first record went out, and its event time
        self._free = 0.0  # when the rate lets the next records go

    @property
    def flat_out(self) -> bool:
        """Whether nothing ever waits."""
        return not self._speed and not self._rate

    def wait(self, now: float, when: int | None, records: int) -> float:
        """Seconds to wait before so many records are sent, the first of which is of the time `when` (ms)."""
        due = now
        if self._speed and when is not None:
            if self._start is None:
                self._start = (now, when)
            began, first = self._start
            due = max(due, began + (when - first) / 1000 / self._speed)
        if self._rate:
            due = max(due, self._free)
            self._free = due + records / self._rate
        return round(due - now, 6)
