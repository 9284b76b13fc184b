"""Event times of records: read, missing, wrong, or ahead of their arrival."""

import numpy as np
import pytest

from making import INPUTS, WHEN_MS, capture, decoded, reason
from schemas.decode import decode
from schemas.errors import BadRecord

HOUR = 3_600_000


def times(*texts: str | None) -> list[int]:
    return decoded([capture(time=text) for text in texts]).event_time.tolist()


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-03-04T10:02:11Z", WHEN_MS),
        ("2025-03-04T10:02:11", WHEN_MS),
        ("2025-03-04T11:02:11+01:00", WHEN_MS),
        ("2025-03-04T04:32:11-0530", WHEN_MS),
        ("2025-03-04 10:02:11Z", WHEN_MS),
        ("2025-03-04T10:02:10.9Z", WHEN_MS - 100),
        ("2025-03-04T10:02:10.999999Z", WHEN_MS - 1),
        ("2025-03-04T10:02:10.123456789Z", WHEN_MS - 877),
        ("2025-03-04", WHEN_MS - 36_131_000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_time_reads_the_same_alone_and_beside_others(text, ms):
    assert times(text) == [ms]
    assert times("2025-03-04T10:02:11Z", text, "2025-03-04T10:02:11", text) == [WHEN_MS, ms, WHEN_MS, ms]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{%s}",
        "yesterday",
        "1741082531",
        "2025-02-29T00:00:00Z",
        "2025-01-01T25:00:00Z",
        "0000-01-01T00:00:00Z",
        "2025-01-01T00:00:60Z",
    ],
)
def test_what_is_no_time_is_refused(text):
    assert reason(capture(time=text)) == ("time", f"inferenceTime {text!r} is not an ISO 8601 time")
    assert decoded([capture(time="2025-03-04T10:02:11"), capture(time=text)]).bad[1].code == "time"


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00+00:01"]
)
def test_a_time_before_1970_was_never_set(text):
    assert reason(capture(time=text)) == ("time", f"inferenceTime {text!r} lies before 1970")


def test_a_record_without_a_time_has_that_of_its_arrival():
    assert times(None) == [WHEN_MS]
    assert times("2025-03-04T10:02:10Z", None) == [WHEN_MS - 1000, WHEN_MS]


def test_a_record_may_be_an_hour_ahead_of_its_arrival_and_no_more():
    """arrival ──────── 1 h ────────► last good │ first bad"""
    records = [capture(time="2025-03-04T10:02:11Z"), capture(time="2025-03-04T10:02:11.001Z")]
    found = decoded(records, arrived=WHEN_MS - HOUR)
    assert [(index, error.code, str(error)) for index, error in found.bad.items()] == [
        (1, "future", "event time lies in the future of its arrival")
    ]


def test_how_far_ahead_a_record_may_be_can_be_set():
    frame = decoded([capture()], arrived=WHEN_MS - 1000).frame
    assert decode(frame, INPUTS, max_ahead=1000).bad == {}
    assert decode(frame, INPUTS, max_ahead=999).bad[0].code == "future"


def test_a_bad_record_is_counted_at_its_neighbours_time():
    late, early = "2025-03-04T10:02:11Z", "2025-03-04T10:00:00Z"
    found = decoded([b"{", capture(time=late), capture(time="?"), b"[", capture(time=early), b""])
    before = WHEN_MS - 131_000
    assert found.event_time.tolist() == [WHEN_MS, WHEN_MS, WHEN_MS, WHEN_MS, before, before]


def test_a_batch_of_bad_records_alone_is_counted_at_its_arrival():
    assert decoded([b"{", b"["]).event_time.tolist() == [WHEN_MS, WHEN_MS]


def test_a_record_that_is_bad_for_another_reason_keeps_its_own_time():
    found = decoded([capture("1", time="2025-03-04T10:00:00Z")])
    assert (found.bad[0].code, found.event_time.tolist()) == ("columns", [WHEN_MS - 131_000])


def test_decoding_does_not_write_into_the_frame():
    frame = decoded([capture(), b"{"]).frame
    frame.arrived.setflags(write=False)
    assert decoded([capture(time="2030-01-01T00:00:00Z")]).bad[0].code == "future"
    assert np.array_equal(frame.arrived, [WHEN_MS, WHEN_MS])


def test_an_error_says_what_it_is_counted_by():
    error = BadRecord("columns", "why", 3)
    assert (error.code, error.width, str(error)) == ("columns", 3, "why")
