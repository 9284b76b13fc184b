"""Names of rotated indexes: AWS's printed samples, both rules for weeks, and the edges of a year."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from sinks.rotation import PERIODS, index_names


def at(text: str) -> np.ndarray:
    when = datetime.fromisoformat(text)
    return np.array([(when.timestamp()) * 1000], np.int64)


def test_all_documented_cases(shared):
    for case in json.loads((shared / "spec/examples/index_rotation_cases.json").read_text()):
        when = at(case["arrival_utc"])
        for period in ("NoRotation", "OneHour", "OneDay", "OneMonth"):
            assert index_names("myindex", when, period) == [case[period]]
        assert index_names("myindex", when, "OneWeek") == [case["OneWeek_by_ISO"]]
        assert index_names("myindex", when, "OneWeek", us_weeks=True) == [case["OneWeek_by_stated_US_rule"]]


@pytest.mark.parametrize(
    "arrived, iso, us",
    [
        ("2026-01-01T23:59:59+00:00", "2026-w01", "2026-w01"),
        ("2025-12-27T23:59:59+00:00", "2025-w52", "2025-w52"),
        ("2025-12-28T00:00:00+00:00", "2025-w52", "2026-w01"),
        ("2027-01-01T00:00:00+00:00", "2026-w53", "2027-w01"),
    ],
)
def test_weeks_at_the_turn_of_a_year_by_either_rule(arrived, iso, us):
    assert index_names("i", at(arrived), "OneWeek") == [f"i-{iso}"]
    assert index_names("i", at(arrived), "OneWeek", us_weeks=True) == [f"i-{us}"]


def test_records_of_one_batch_go_to_indexes_of_their_own_over_midnight():
    midnight = int(datetime(2026, 1, 3, tzinfo=UTC).timestamp() * 1000)
    arrived = np.array([midnight - 1, midnight, midnight - 2], np.int64)
    assert index_names("i", arrived, "OneDay") == ["i-2026-01-02", "i-2026-01-03", "i-2026-01-02"]
    assert index_names("i", arrived[:0], "OneDay") == []


@pytest.mark.parametrize("period", PERIODS)
def test_the_us_rule_is_about_weeks_alone(period):
    when = at("2016-02-25T13:00:00+00:00")
    same = index_names("i", when, period) == index_names("i", when, period, us_weeks=True)
    assert same == (period != "OneWeek")
