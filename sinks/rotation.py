"""Names of OpenSearch indexes that change with the time at which records arrived.

Source: Data Firehose guide, index rotation for the OpenSearch Service destination.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from schemas.times import to_datetime

_HOUR = 3_600_000


def index_names(name: str, arrived: NDArray[np.int64], period: str, us_weeks: bool = False) -> list[str]:
    """The index of each record, by its arrival (ms since the epoch, UTC), shape (records,).

    `period` is NoRotation, OneHour, OneDay, OneWeek or OneMonth. Weeks are those of ISO 8601, which both
    dates printed in AWS's guide have; its text says another rule, which `us_weeks` takes: weeks begin on
    Sunday, and the first is that with the year's first Saturday.

    >>> index_names("alerts", np.array([0, 1_456_405_200_000]), "OneWeek")
    ['alerts-1970-w01', 'alerts-2016-w08']
    """
    suffix = _us_week if us_weeks and period == "OneWeek" else _SUFFIXES[period]
    hours, of = np.unique(arrived // _HOUR, return_inverse=True)
    names = [name + suffix(to_datetime(hour * _HOUR)) for hour in hours.tolist()]
    return [names[place] for place in of.tolist()]


def _us_week(when: datetime) -> str:
    saturday = when + timedelta(days=(5 - when.weekday()) % 7)
    return f"-{saturday.year}-w{(saturday.timetuple().tm_yday - 1) // 7 + 1:02d}"


def _formatted(form: str) -> Callable[[datetime], str]:
    return lambda when: when.strftime(form)


_SUFFIXES: dict[str, Callable[[datetime], str]] = {
    "NoRotation": lambda when: "",
    "OneHour": _formatted("-%Y-%m-%d-%H"),
    "OneDay": _formatted("-%Y-%m-%d"),
    "OneWeek": _formatted("-%G-w%V"),
    "OneMonth": _formatted("-%Y-%m"),
}
PERIODS = tuple(_SUFFIXES)
