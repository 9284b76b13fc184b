"""Times and durations at the border; inside, event time is milliseconds since the epoch, UTC."""

import re
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import BadRecord, ConfigError

NO_TIME = np.iinfo(np.int64).min  # event time of a record that has none
DAY = 86_400_000  # ms
END_OF_TIME = np.iinfo(np.int64).max  # watermark of a source that is complete

_SHORT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)D)?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `1h30m`, `2d` or ISO 8601 (`PT1H`, `P1D`; AWS's odd `PT2D` too).

    Raises ConfigError.

    >>> parse_duration("1h30m") == parse_duration("PT1H30M") == timedelta(minutes=90)
    True
    >>> parse_duration("an hour")
    Traceback (most recent call last):
      ...
    schemas.errors.ConfigError: 'an hour' is not a duration: write 30s, 5m, 1h, 1d, or ISO 8601 such as PT1H
    """
    text = text.strip()
    try:
        if text and _SHORT.sub("", text) == "":
            return timedelta(milliseconds=sum(float(n) * _UNITS[unit] for n, unit in _SHORT.findall(text)))
        match = _ISO.fullmatch(text)
        if match and any(match.groups()):
            weeks, days, odd_days, hours, minutes, seconds = (float(g or 0) for g in match.groups())
            return timedelta(weeks=weeks, days=days + odd_days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise ConfigError(f"{text!r} is too long a duration") from error
    raise ConfigError(f"{text!r} is not a duration: write 30s, 5m, 1h, 1d, or ISO 8601 such as PT1H")


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 time; a time without a zone is UTC.

    Nothing was captured before 1970: such a time (`0001-01-01` above all) is a clock or field never set,
    and the window that it asks for may begin before any time that can be written down.

    Raises BadRecord (code `time`).

    >>> parse_time("1970-01-01T00:00:01Z")
    1000
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRecord("time", f"inferenceTime {text!r} is not an ISO 8601 time") from error
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    ms = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if ms < 0:
        raise BadRecord("time", f"inferenceTime {text!r} lies before 1970")
    return ms


def parse_times(texts: list[str] | pa.StringArray) -> NDArray[np.int64] | None:
    """The same for many at once, shape (texts,); None when any of them needs `parse_time` to say why."""
    try:
        parsed = pa.array(texts, pa.string()).cast(pa.timestamp("ms", "UTC"))
    except pa.ArrowInvalid:
        return None
    times = np.array(parsed.cast(pa.int64()), np.int64)
    return times if (times >= 0).all() else None


def parse_seconds(texts: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    """The same for texts of the form 2025-03-04T10:02:11Z, a byte a column, shape (texts, 20), all of one
    hour, as most of what comes together is; None when they are not of that kind.

    >>> parse_seconds(np.frombuffer(b"1970-01-01T00:01:02Z", np.uint8)[None]).tolist()
    [62000]
    """
    hour = texts[0, :14]
    if not (texts[:, :14] == hour).all() or not (texts[:, 16] == ord(":")).all():
        return None
    digits = texts[:, [14, 15, 17, 18]] - ord("0")
    if (digits > 9).any() or (digits[:, ::2] > 5).any() or not (texts[:, 19] == ord("Z")).all():
        return None
    try:
        start = parse_times([hour.tobytes().decode("ascii") + "00:00Z"])
    except UnicodeDecodeError:
        return None
    return None if start is None else start[0] + digits.astype(np.int64) @ np.array([600, 60, 10, 1]) * 1_000


def format_time(ms: int) -> str:
    """ISO 8601, UTC, without a fraction where there is none.

    >>> format_time(1_000), format_time(1_500)
    ('1970-01-01T00:00:01Z', '1970-01-01T00:00:01.500Z')
    """
    when = to_datetime(ms)
    return when.strftime("%Y-%m-%dT%H:%M:%S") + (f".{ms % 1000:03d}Z" if ms % 1000 else "Z")


def to_datetime(ms: int) -> datetime:
    """The time as a datetime in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(ms))


def milliseconds(span: timedelta) -> int:
    """A duration in whole milliseconds."""
    return span // timedelta(milliseconds=1)


def now() -> int:
    """The time by this machine's clock; for those who are handed a clock and were handed none."""
    return time.time_ns() // 1_000_000
