"""Durations and times at the border."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from schemas.times import (
    format_time,
    milliseconds,
    parse_duration,
    parse_seconds,
    parse_time,
    parse_times,
    to_datetime,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        (" 2d ", 172_800),
        ("1w", 604_800),
        ("250ms", 0.25),
        ("0.5h", 1800),
        ("0s", 0),
        ("PT1H", 3600),
        ("PT1H30M", 5400),
        ("P1D", 86_400),
        ("P1DT12H", 129_600),
        ("P2W", 1_209_600),
        ("PT2D", 172_800),
        ("PT0.5S", 0.5),
    ],
)
def test_durations_are_read_in_both_spellings(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "1", "h", "1 h", "1h 30m", "-1h", "an hour", "P", "PT", "1y", "PT1X", "1h30"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigError, match="is not a duration"):
        parse_duration(text)


def test_a_month_is_not_read_as_a_minute():
    with pytest.raises(ConfigError):
        parse_duration("P1M")


@pytest.mark.parametrize("text", ["99999999999w", "P99999999999W", f"{'9' * 400}s"])
def test_a_duration_that_nothing_can_hold_is_refused(text):
    with pytest.raises(ConfigError, match="too long"):
        parse_duration(text)


@given(st.integers(0, 253_402_300_799_999))
def test_a_formatted_time_reads_back_the_same(ms):
    assert parse_time(format_time(ms)) == ms
    times = parse_times([format_time(ms)])
    assert times is not None and times.tolist() == [ms]


@given(
    st.lists(
        st.datetimes(timezones=st.timezones()).map(lambda when: when.isoformat()) | st.text(), min_size=1
    )
)
def test_many_times_at_once_are_those_read_one_by_one(texts):
    times = parse_times(texts)
    if times is not None:
        assert times.tolist() == [parse_time(text) for text in texts]


def test_a_datetime_is_in_utc_and_a_duration_in_whole_milliseconds():
    assert to_datetime(1_500).isoformat() == "1970-01-01T00:00:01.500000+00:00"
    assert milliseconds(timedelta(seconds=1.5, microseconds=999)) == 1_500


@given(
    st.lists(st.integers(0, 3_599), min_size=1, max_size=5),
    st.sampled_from(["2025-03-04T10", "1970-01-01T00", "1969-12-31T23", "2025-02-30T10", "2025-03-04 10"]),
    st.sampled_from(
        [None, (0, "é"), (4, "/"), (14, "6"), (15, ":"), (16, "-"), (17, "9"), (19, "z"), (13, ".")]
    ),
)
def test_times_of_one_hour_are_read_at_once_as_they_are_one_by_one(seconds, hour, damage):
    texts = [f"{hour}:{s // 60:02}:{s % 60:02}Z" for s in seconds]
    if damage:
        at, mark = damage
        texts[-1] = texts[-1][:at] + mark + texts[-1][at + 1 :]
    raw = np.array([list(text.encode("latin-1")) for text in texts], np.uint8)
    found = parse_seconds(raw)
    if found is not None:
        assert found.tolist() == [parse_time(text) for text in texts]
    elif damage is None:
        assert parse_times(texts) is None
