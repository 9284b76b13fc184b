"""Timestamp patterns, against values of java.time.format.DateTimeFormatter and the calendar."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.firehose import patterns

FRIDAY = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("yyyy/MM/dd/HH", "2026/01/02/03"),
        ("yy y uuuu yyyyyy", "26 2026 2026 002026"),
        ("D DD DDD", "2 02 002"),
        ("M MM MMM MMMM MMMMM", "1 01 Jan January J"),
        ("L LLL", "1 Jan"),
        ("E EEE EEEE EEEEE", "Fri Fri Friday F"),
        ("e ee eee eeee c ccc", "5 05 Fri Friday 5 Fri"),
        ("Q QQ QQQ QQQQ QQQQQ q", "1 01 Q1 1st quarter 1 1"),
        ("G GGGG GGGGG", "AD Anno Domini A"),
        ("a h hh K k kk", "AM 3 03 3 3 03"),
        ("H:m:s HH:mm:ss", "3:4:5 03:04:05"),
        ("S SSS SSSSSSSSS", "6 678 678000000"),
        ("A n N", "11045678 678000000 11045678000000"),
        ("Y w ww W F g", "2026 1 01 1 1 61042"),
        ("z Z ZZZZ ZZZZZ X x O OOOO", "UTC +0000 GMT Z Z +00 GMT GMT"),
        ("'dt='yyyy-DDD", "dt=2026-002"),
        ("'year'''yyyy''MM", "year'2026'01"),
        ("''", "'"),
        ("'!{'", "!{"),
    ],
)
def test_a_pattern_gives_what_java_gives(pattern, expected):
    assert patterns.render(patterns.parse(pattern), FRIDAY) == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Tokyo", "JST +0900 GMT+09:00 +09:00 +09 +0900 +09:00 +09 GMT+9"),
        ("Asia/Kolkata", "IST +0530 GMT+05:30 +05:30 +0530 +0530 +05:30 +0530 GMT+5:30"),
        ("America/New_York", "EST -0500 GMT-05:00 -05:00 -05 -0500 -05:00 -05 GMT-5"),
        ("America/St_Johns", "NST -0330 GMT-03:30 -03:30 -0330 -0330 -03:30 -0330 GMT-3:30"),
    ],
)
def test_offsets_follow_the_zone(zone, expected):
    when = FRIDAY.astimezone(ZoneInfo(zone))
    assert patterns.render(patterns.parse("z Z ZZZZ ZZZZZ X XX XXX x O"), when) == expected


def test_the_hours_of_the_day_count_four_ways():
    at = [datetime(2026, 1, 2, hour, tzinfo=UTC) for hour in (0, 11, 12, 23)]
    assert [patterns.render(patterns.parse("H h K k a"), when) for when in at] == [
        "0 12 0 24 AM",
        "11 11 11 11 AM",
        "12 12 0 12 PM",
        "23 11 11 23 PM",
    ]


def test_weeks_of_a_month_start_with_the_first_that_has_four_days():
    #   May 2026: Fri 1, Sat 2, Sun 3 | Mon 4 ... week 1;  October 2026: Thu 1 ... Sun 4 week 1 | Mon 5 week 2
    days = [(5, 3), (5, 4), (10, 4), (10, 5)]
    parsed = patterns.parse("W")
    assert [patterns.render(parsed, datetime(2026, *day, tzinfo=UTC)) for day in days] == ["0", "1", "1", "2"]


@pytest.mark.parametrize("letter", list("CIJPRTUVbfijloprt"))
def test_letters_that_the_service_refuses_are_refused(letter):
    with pytest.raises(ValueError, match="not accepted"):
        patterns.parse(f"yyyy{letter}")


@pytest.mark.parametrize(
    "pattern", ["", "MMMMMM", "aa", "HHH", "DDDD", "'open", "yy[MM]", "#", "zzzz", "cc", "v"]
)
def test_what_java_would_not_take_is_refused(pattern):
    with pytest.raises(ValueError, match="pattern"):
        patterns.parse(pattern)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))
def test_common_letters_agree_with_strftime(when):
    pattern = patterns.parse("yyyy-MM-dd HH:mm:ss.SSSSSS DDD hh a EEEE MMM YYYY ww yy")
    assert patterns.render(pattern, when) == when.strftime("%Y-%m-%d %H:%M:%S.%f %j %I %p %A %b %G %V %y")
