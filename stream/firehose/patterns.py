"""Java's DateTimeFormatter patterns, as far as key prefixes of a delivery stream use them.

Weeks are ISO 8601 weeks and names are English: the locale of the service is not published.
Source: java.time.format.DateTimeFormatter, class documentation.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

_REFUSED = "CIJPRTUVbfijloprt"  # by the service; Java has hardly any of them
_UNKNOWN = "Bv"  # Java has them, in texts of its locale data
_TOKEN = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)|(')")
_MOST = {"a": 1, "F": 1, "W": 1, "D": 3, "z": 3, "O": 4, "S": 9}
_MOST |= dict.fromkeys("GMLQqEecZXx", 5) | dict.fromkeys("yuYAnNg", 19)  # all others: 2
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")
_ERAS = ("AD", "Anno Domini", "A")
_MODIFIED_JULIAN = 678_576  # day 0 of that width, in days since 0000-12-31


class Field(NamedTuple):
    """A run of one pattern letter."""

    letter: str
    width: int


def parse(pattern: str) -> tuple[str | Field, ...]:
    """Texts and fields of a pattern. Raises ValueError with the reason.

    >>> parse("'dt='yyyy-DDD")
    ('dt=', Field(letter='y', width=4), '-', Field(letter='D', width=3))
    """
    parts = tuple(_parts(pattern))
    for part in parts:
        if isinstance(part, Field):
            _check(part)
    if not parts:
        raise ValueError("a timestamp pattern is empty")
    return parts


def _parts(pattern: str) -> Iterator[str | Field]:
    for found in _TOKEN.finditer(pattern):
        quoted, run, letter, other, stray = found.groups()
        if stray:
            raise ValueError(f"a quote is not closed in the timestamp pattern {pattern!r}")
        if run:
            yield Field(letter, len(run))
        elif quoted is not None:
            yield quoted.replace("''", "'") or "'"
        elif set(other) & set("[]{}#"):
            raise ValueError(f"the timestamp pattern {pattern!r} holds a reserved character: quote it")
        else:
            yield other


def _check(field: Field) -> None:
    letter, width = field
    if letter in _REFUSED:
        raise ValueError(f"the timestamp pattern letter {letter!r} is not accepted")
    if letter in _UNKNOWN:
        raise ValueError(f"the timestamp pattern letter {letter!r} is not supported")
    if width > _MOST.get(letter, 2) or field in (("c", 2), ("O", 2), ("O", 3)):
        raise ValueError(f"too many timestamp pattern letters: {letter * width}")


def render(parts: tuple[str | Field, ...], when: datetime) -> str:
    """The pattern at a time, whose zone counts.

    >>> render(parse("EEE d MMM uuuu, h:mm a, 'week' w"), datetime(2026, 1, 2, 15, 4))
    'Fri 2 Jan 2026, 3:04 PM, week 1'
    """
    return "".join(part if isinstance(part, str) else _field(part, when) for part in parts)


def _field(field: Field, when: datetime) -> str:
    letter, width = field
    if letter in "yuY":
        year = when.isocalendar().year if letter == "Y" else when.year
        return f"{year % 100:02d}" if width == 2 else f"{year:0{width}d}"
    if letter in "MLEecQqG" and (width > 2 or letter in "EG"):
        return _name(letter, width, when)
    if letter == "S":
        return f"{_nanos(when):09d}"[:width]
    if letter == "a":
        return "AM" if when.hour < 12 else "PM"
    if letter in "zZXxO":
        return _zone(letter, width, when)
    return f"{_NUMBERS[letter](when):0{width}d}"


def _name(letter: str, width: int, when: datetime) -> str:
    """Three letters or fewer: short; four: full; five: narrow."""
    short, full, narrow = _ERAS
    if letter in "ML":
        full = _MONTHS[when.month - 1]
        short, narrow = full[:3], full[:1]
    elif letter in "Eec":
        full = _DAYS[when.weekday()]
        short, narrow = full[:3], full[:1]
    elif letter in "Qq":
        quarter = _NUMBERS["Q"](when)
        short, full, narrow = f"Q{quarter}", _QUARTERS[quarter - 1], str(quarter)
    return full if width == 4 else narrow if width == 5 else short


def _nanos(when: datetime) -> int:
    return when.microsecond * 1_000


def _nanos_of_day(when: datetime) -> int:
    return ((when.hour * 60 + when.minute) * 60 + when.second) * 10**9 + _nanos(when)


def _week_of_month(when: datetime) -> int:
    """Week 1 is the first with four days or more in the month; what lies before it is week 0."""
    first = when.replace(day=1).weekday()
    return (when.day - 1 + first) // 7 + (first <= 3)


_NUMBERS: Mapping[str, Callable[[datetime], int]] = {
    "M": lambda when: when.month,
    "L": lambda when: when.month,
    "Q": lambda when: (when.month + 2) // 3,
    "q": lambda when: (when.month + 2) // 3,
    "d": lambda when: when.day,
    "D": lambda when: when.timetuple().tm_yday,
    "g": lambda when: when.toordinal() - _MODIFIED_JULIAN,
    "w": lambda when: when.isocalendar().week,
    "W": _week_of_month,
    "F": lambda when: (when.day + 6) // 7,
    "e": lambda when: when.isoweekday(),
    "c": lambda when: when.isoweekday(),
    "H": lambda when: when.hour,
    "h": lambda when: when.hour % 12 or 12,
    "K": lambda when: when.hour % 12,
    "k": lambda when: when.hour or 24,
    "m": lambda when: when.minute,
    "s": lambda when: when.second,
    "n": _nanos,
    "N": _nanos_of_day,
    "A": lambda when: _nanos_of_day(when) // 10**6,
}


def _zone(letter: str, width: int, when: datetime) -> str:
    """Offset from UTC, or the zone's name (`z`)."""
    if letter == "z":
        return when.tzname() or "UTC"
    offset = when.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    with_colon = f"{sign}{hours:02d}:{rest:02d}"
    if letter == "O" or (letter, width) == ("Z", 4):
        short = f"{sign}{hours}" + (f":{rest:02d}" if rest else "")
        return "GMT" + ("" if not minutes else short if width == 1 else with_colon)
    if not minutes and (letter == "X" or (letter, width) == ("Z", 5)):
        return "Z"
    if letter in "Xx" and width == 1:
        return f"{sign}{hours:02d}" + (f"{rest:02d}" if rest else "")
    return with_colon if width == 5 or (width == 3 and letter != "Z") else f"{sign}{hours:02d}{rest:02d}"
