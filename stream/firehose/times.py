"""Timestamps and dates in JSON, as the deserializers of record format conversion take them."""

import re
from datetime import date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1)
_SECONDS = 1e12  # numbers below this are seconds since the epoch, others milliseconds
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_SQL = re.compile(r"(\d{4})-(\d\d?)-(\d\d?) (\d\d?):(\d\d?):(\d\d?)(?:\.(\d{1,9}))?", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_MILLIS = 9_007_199_254_740_992  # 2**53: numbers of milliseconds that a float still tells apart


def from_number(value: float) -> int:
    """Milliseconds since the epoch of seconds or milliseconds. Raises ValueError.

    >>> from_number(1767323045), from_number(1767323045.5), from_number(1767323045123)
    (1767323045000, 1767323045500, 1767323045123)
    """
    if not abs(value) < _MILLIS:
        raise ValueError(f"{value} is out of the range of timestamps")
    return round(value * 1_000 if abs(value) < _SECONDS else value)


def openx(text: str) -> int:
    """ISO 8601 in UTC, SQL's form, or a number in text. Raises ValueError."""
    if _NUMBER.fullmatch(text):
        return from_number(float(text) if "." in text else int(text))
    if found := _ISO.fullmatch(text):
        return _ms(*found.groups())
    return sql(text)


def sql(text: str) -> int:
    """The form of java.sql.Timestamp; digits behind the milliseconds are cut off. Raises ValueError.

    >>> sql("1970-1-1 00:00:01.98765")
    1987
    """
    if found := _SQL.fullmatch(text):
        return _ms(*found.groups())
    raise ValueError(f"{text!r} is not a timestamp")


def _ms(*parts: str | None) -> int:
    *fields, fraction = parts
    when = datetime(*(int(field or 0) for field in fields))  # type: ignore[arg-type]
    return (when - _EPOCH) // timedelta(milliseconds=1) + int(f"{fraction or '':0<3}"[:3])


def days(text: str) -> int:
    """Days since the epoch of a date. Raises ValueError.

    >>> days("1970-1-3")
    2
    """
    found = _DATE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a date")
    return date(int(found[1]), int(found[2]), int(found[3])).toordinal() - _EPOCH.toordinal()
