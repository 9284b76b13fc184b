"""Times, bins and reasons in the page's words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sinks.page.reading import Window

_REASONS = {
    "json": "broken JSON",
    "utf8": "invalid UTF-8",
    "version": "unknown version",
    "schema": "missing fields",
    "time": "unreadable time",
    "future": "time in the future",
    "payload": "unreadable payload",
    "columns": "wrong number of columns",
    "baseline": "no baseline for the endpoint",
}
_UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}


def moment(when: datetime) -> str:
    """UTC, as short as it can be said.

    >>> moment(datetime(2013, 4, 1, tzinfo=UTC)), moment(datetime(2013, 4, 1, 5, tzinfo=UTC))
    ('2013-04-01', '2013-04-01 05:00')
    """
    utc = when.astimezone(UTC).replace(tzinfo=None)
    if utc.time() == datetime.min.time():
        return f"{utc:%Y-%m-%d}"
    return utc.isoformat(" ", "minutes" if not (utc.second or utc.microsecond) else "auto")


def label(window: Window) -> str:
    """The window in words: the day alone where it is one day.

    >>> day = datetime(2013, 4, 1, tzinfo=UTC)
    >>> label(Window(day, day + timedelta(days=1))), label(Window(day, day + timedelta(hours=1)))
    ('2013-04-01', '2013-04-01 00:00 to 01:00')
    """
    start, end = moment(window.start), moment(window.end)
    if len(start) == len(end) == 10:
        return start if window.end - window.start == timedelta(days=1) else f"{start} to {end}"
    day = f"{window.start.astimezone(UTC):%Y-%m-%d}"
    start = start if len(start) > 10 else f"{start} 00:00"
    end = end if len(end) > 10 else f"{end} 00:00"
    return f"{start} to {end.removeprefix(day).strip()}"


def length(size: timedelta) -> str:
    """
    >>> length(timedelta(days=1)), length(timedelta(minutes=90))
    ('1 day', '90 minutes')
    """
    for name, unit in _UNITS.items():
        if size >= unit and not size % unit:
            n = size // unit
            return f"{n} {name}{'s' if n > 1 else ''}"
    return f"{size.total_seconds():g} seconds"


def bin_labels(edges: Sequence[float | str]) -> tuple[str, ...]:
    """Names of the n + 1 bins which n edges make, with as many digits as tell the edges apart.

    >>> bin_labels([0.0, 0.5, 1.0])
    ('below 0', '0 to 0.5', '0.5 to 1', '1 and above')
    """
    numbers = [float(edge) for edge in edges]
    digits = next((n for n in range(3, 17) if len({f"{x:.{n}g}" for x in numbers}) == len(set(numbers))), 17)
    text = [f"{number:.{digits}g}" for number in numbers]
    between = (f"{low} to {high}" for low, high in pairwise(text))
    return (f"below {text[0]}", *between, f"{text[-1]} and above")


def cut(values: Sequence[float | str], most: int = 80) -> tuple[str, ...]:
    """Categories as labels; a long one is cut."""
    labels = map(str, values)
    return tuple(text if len(text) <= most else text[: most - 3] + "..." for text in labels)


def reasons(counts: Mapping[str, int]) -> list[str]:
    """Why records were bad, the most frequent first; a code that we do not know stands for itself.

    >>> reasons({"time": 3, "json": 1200, "odd": 3})
    ['broken JSON (1,200)', 'odd (3)', 'unreadable time (3)']
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"{_REASONS.get(code, code)} ({n:,})" for code, n in ordered]
