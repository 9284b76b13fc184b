"""Joda-Time patterns, in which the TimestampFormats of HiveJsonSerDe are written."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from stream.firehose import patterns

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLIS = re.compile(r"-?\d{1,18}", re.ASCII)
_DIRECTIVES: Mapping[str, str] = {
    "y": "%Y",
    "Y": "%Y",
    "u": "%Y",
    "M": "%m",
    "d": "%d",
    "D": "%j",
    "H": "%H",
    "h": "%I",
    "m": "%M",
    "s": "%S",
    "S": "%f",
    "a": "%p",
    "E": "%a",
    "Z": "%z",
    "z": "%Z",
}
_NAMES = {("M", 3): "%b", ("M", 4): "%B", ("E", 4): "%A"}


def reader(formats: Sequence[str]) -> Callable[[str], int]:
    """Reads texts in any of these patterns, in ms since the epoch; `millis` is that number in digits.

    A text without a zone is UTC; a fraction has up to six digits, of which three count. Raises ValueError for
    a pattern with a field that cannot be read; the reader raises it for a text in none of the patterns.

    >>> reader(["millis", "dd/MMM/yyyy HH:mm:ss Z"])("02/Jan/1970 00:00:00 +0100")
    82800000
    """
    forms = [None if text == "millis" else _form(text) for text in formats]

    def read(text: str) -> int:
        for form in forms:
            if form is None and _MILLIS.fullmatch(text):
                return int(text)
            if form and (value := _parsed(text, form)) is not None:
                return value
        raise ValueError(f"{text!r} is in none of the timestamp formats")

    return read


def _form(pattern: str) -> str:
    """The pattern as strptime takes it."""
    return "".join(
        part.replace("%", "%%") if isinstance(part, str) else _directive(part)
        for part in patterns.parse(pattern)
    )


def _directive(field: patterns.Field) -> str:
    directive = _NAMES.get(field) or _DIRECTIVES.get(field.letter)
    if directive is None:
        raise ValueError(f"the timestamp format letter {field.letter!r} is not supported")
    return directive


def _parsed(text: str, form: str) -> int | None:
    try:
        when = datetime.strptime(text, form)
    except ValueError:
        return None
    if "%Y" not in form:
        when = when.replace(year=_EPOCH.year)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - _EPOCH) // timedelta(milliseconds=1)
