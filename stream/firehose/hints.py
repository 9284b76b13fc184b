"""BufferingHints of each kind of destination: their defaults, and what may be asked for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_MIB = 1 << 20
_TICK = 1_000  # ms: an interval of zero means soon, not each record alone


class Range(NamedTuple):
    """Least and greatest size (MiB) and interval (s), and what is taken when nothing is said."""

    sizes: tuple[int, int]
    size: int
    intervals: tuple[int, int]
    interval: int


class Hints(NamedTuple):
    """When a buffer is sealed: at this many bytes, or when its oldest record is this many ms in it."""

    nbytes: int
    interval: int


RANGES: Mapping[str, Range] = {
    "s3": Range((1, 128), 5, (0, 900), 300),
    "conversion": Range((64, 128), 128, (0, 900), 300),
    "partitioning": Range((64, 128), 64, (1, 900), 300),
    "backup": Range((1, 128), 5, (60, 900), 300),
    "opensearch": Range((1, 100), 5, (0, 900), 300),
    "http": Range((1, 64), 5, (0, 900), 60),
}


def hints(kind: str, document: Mapping[str, Any] | None) -> Hints:
    """BufferingHints with defaults for what is left out. Raises ValueError with the member that is wrong.

    >>> hints("s3", {"SizeInMBs": 1, "IntervalInSeconds": 0})
    Hints(nbytes=1048576, interval=1000)
    """
    given, allowed = document or {}, RANGES[kind]
    size = _within("SizeInMBs", given.get("SizeInMBs"), allowed.sizes, allowed.size)
    interval = _within(
        "IntervalInSeconds", given.get("IntervalInSeconds"), allowed.intervals, allowed.interval
    )
    return Hints(size * _MIB, max(interval * 1_000, _TICK))


def _within(member: str, value: int | None, allowed: tuple[int, int], default: int) -> int:
    low, high = allowed
    if value is not None and not low <= value <= high:
        raise ValueError(f"{member} is {value}: it must be from {low} to {high} here")
    return default if value is None else value
