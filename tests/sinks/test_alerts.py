"""Alerts: each violation once, whatever is published again and wherever a crash cut the file off."""

import json

import msgspec
import pytest

from schemas.errors import ConfigError, SinkBusy
from schemas.frame import Subject
from schemas.report import Counts, Finding, Report, Violation, Window
from sinks.alerts import AlertFile

HOUR = 3_600_000


def report(*features: str, hour: int = 0, revision: int = 0, endpoint: str = "churn") -> Report:
    violations = [Violation(name, "data_type_check", f"{name} is text") for name in features]
    window = Window(hour * HOUR, (hour + 1) * HOUR)
    finding = Finding(violations, [], {})
    return Report(Subject(endpoint), "data_quality", window, revision, Counts(9, 9), finding)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "alerts.jsonl"


def features(path) -> list[str]:
    return [json.loads(line)["violation"]["feature_name"] for line in path.read_text().splitlines()]


def test_an_alert_says_what_is_violated_where_and_when(path):
    assert AlertFile(path).write(report("age", hour=1)) == 1
    (alert,) = map(json.loads, path.read_text().splitlines())
    assert len(alert.pop("id")) == 32
    assert alert == {
        "subject": {"endpoint": "churn", "variant": "AllTraffic", "model": None},
        "monitor": "data_quality",
        "window": {"start": "1970-01-01T01:00:00Z", "end": "1970-01-01T02:00:00Z"},
        "revision": 0,
        "violation": {
            "feature_name": "age",
            "constraint_check_type": "data_type_check",
            "description": "age is text",
        },
    }


def test_the_same_violation_in_two_segments_is_two_alerts_and_in_none_keeps_its_id(path):
    plain = report("age")
    [violation] = plain.finding.violations
    segments = [{"city": "rome"}, {"city": "oslo"}]
    tagged = [msgspec.structs.replace(violation, segment=segment) for segment in segments]
    finding = Finding([violation, *tagged], [], {})
    assert AlertFile(path).write(msgspec.structs.replace(plain, finding=finding)) == 3
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({alert["id"] for alert in found}) == 3
    assert [alert["violation"].get("segment") for alert in found] == [None, *segments]
    assert AlertFile(path).write(plain) == 0


def test_an_alert_says_all_that_its_violation_says(path):
    full = Violation(
        "age", "data_type_check", "why", 9, 2, "high", "1970-01-01T00:00:00Z", sample_event_ids=["a", "b"]
    )
    plain = report("age")
    AlertFile(path).write(msgspec.structs.replace(plain, finding=Finding([full], [], {})))
    (alert,) = map(json.loads, path.read_text().splitlines())
    assert alert["violation"] == {
        "feature_name": "age",
        "constraint_check_type": "data_type_check",
        "description": "why",
        "rows": 9,
        "affected": 2,
        "severity": "high",
        "first_seen": "1970-01-01T00:00:00Z",
        "sample_event_ids": ["a", "b"],
    }
    assert AlertFile(path).write(plain) == 0  # its id does not depend on them


def test_nothing_is_written_where_nothing_is_violated(path):
    assert AlertFile(path).write(report()) == 0
    assert not path.exists()


def test_a_report_published_again_gives_no_second_alert(path):
    alerts = AlertFile(path)
    assert [alerts.write(report("age", "city")), alerts.write(report("age", "city"))] == [2, 0]
    assert AlertFile(path).write(report("age", "city")) == 0  # nor after a restart
    assert features(path) == ["age", "city"]


def test_a_revision_gives_alerts_for_what_is_new_in_it(path):
    alerts = AlertFile(path)
    alerts.write(report("age"))
    assert alerts.write(report("age", "city", revision=1)) == 1
    revisions = [json.loads(line)["revision"] for line in path.read_text().splitlines()]
    assert (features(path), revisions) == (["age", "city"], [0, 1])


def test_other_windows_and_other_endpoints_have_alerts_of_their_own(path):
    alerts = AlertFile(path)
    written = [alerts.write(report("age", hour=h, endpoint=e)) for h in (0, 1) for e in ("a", "b")]
    assert written == [1, 1, 1, 1]


def test_a_line_that_a_crash_cut_off_anywhere_is_written_again_whole(path):
    AlertFile(path).write(report("age"))
    first = path.stat().st_size
    AlertFile(path).write(report("city", hour=1))
    whole = path.read_bytes()
    for cut in range(first, len(whole)):
        path.write_bytes(whole[:cut])
        assert AlertFile(path).write(report("city", hour=1)) == 1
        assert path.read_bytes() == whole


def test_a_torn_line_longer_than_a_block_goes_as_a_whole(path):
    AlertFile(path).write(report("age"))
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * 200_000)
    AlertFile(path).write(report("city"))
    assert path.read_bytes().startswith(whole)
    assert features(path) == ["age", "city"]


def test_a_full_disk_is_busy_and_nothing_is_lost_or_torn_when_it_is_tried_again(path):
    alerts = AlertFile(path)
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    with pytest.raises(SinkBusy, match="No space left"):
        alerts.write(report("age"))
    path.unlink()
    path.write_bytes(b'{"id": "half of a wri')  # as much as had room
    assert alerts.write(report("age")) == 1
    assert features(path) == ["age"]


def test_lines_that_are_no_alerts_are_left_alone(path):
    path.parent.mkdir()
    foreign = b'# kept by hand\n{"note": 1}\n\xff\n\n'
    path.write_bytes(foreign)
    assert AlertFile(path).write(report("age")) == 1
    assert path.read_bytes().startswith(foreign)
    assert AlertFile(path).write(report("age")) == 0


def test_a_place_that_cannot_be_read_is_named(path):
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"alerts\.jsonl"):
        AlertFile(path)
