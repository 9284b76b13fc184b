"""Reports: where they lie, and exactly what report.json says."""

import json

import pytest

from schemas.frame import Subject
from schemas.report import Counts, Drift, Finding, Report, Violation, Window
from schemas.times import milliseconds, parse_duration, parse_time
from sinks.objects import Objects
from sinks.reports import key, write

CHURN = Subject("churn")
VIOLATION = Violation("age", "data_type_check", "age is text")


def report(
    start: str = "2024-03-01T07:00:00Z", size: str = "1h", subject: Subject = CHURN, **changes
) -> Report:
    begin = parse_time(start)
    window = Window(begin, begin + milliseconds(parse_duration(size)))
    parts = {"revision": 0, "counts": Counts(10, 9, 1, 0), "violations": [VIOLATION], "drift": [], **changes}
    documents = {"statistics.json": {"version": 0.0}, "constraint_violations.json": {"violations": []}}
    finding = Finding(parts["violations"], parts["drift"], documents)
    return Report(subject, "data_quality", window, parts["revision"], parts["counts"], finding)


@pytest.mark.parametrize(
    ("start", "size", "folder"),
    [
        ("2024-03-01T07:00:00Z", "1h", "2024/03/01/07"),
        ("2024-03-01T00:00:00Z", "1d", "2024/03/01/00"),
        ("2024-03-01T06:00:00Z", "6h", "2024/03/01/06"),
        ("2024-03-01T07:15:00Z", "15m", "2024/03/01/07/15"),
        ("2024-03-01T07:30:00Z", "90m", "2024/03/01/07/30"),
        ("2024-03-01T07:15:30Z", "30s", "2024/03/01/07/15/30"),
        ("2024-03-01T07:15:00Z", "90s", "2024/03/01/07/15/00"),
    ],
)
def test_a_report_lies_in_the_folder_of_its_windows_start(start, size, folder):
    assert key(report(start, size)) == f"churn/AllTraffic/data_quality/{folder}"


@pytest.mark.parametrize(
    "size", ["1s", "1500ms", "30s", "90s", "1m", "7m", "15m", "90m", "1h", "5h", "1d", "7d"]
)
def test_no_two_windows_share_a_folder(size):
    span = milliseconds(parse_duration(size))
    base = parse_time("2024-02-28T00:00:00Z") // span * span
    windows = [Window(base + n * span, base + (n + 1) * span) for n in range(3_000)]
    reports = (Report(Subject(), "data_quality", w, 0, Counts(), Finding([], [], {})) for w in windows)
    assert len({key(each) for each in reports}) == len(windows)


def test_a_target_model_has_a_folder_of_its_own():
    assert key(report(subject=Subject("e", "v", "m.tar.gz"))) == "e/v/m.tar.gz/data_quality/2024/03/01/07"
    assert key(report(subject=Subject("../..", "a/b", ".."))).startswith("%2E.%2F../a%2Fb/%2E./")


def test_report_json_has_exactly_these_keys(tmp_path):
    drift = Drift("age", "numeric", 0.2, 0.1, "Robust", [0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5])
    folder = write(Objects.at(tmp_path), report(drift=[drift]))
    assert json.loads((tmp_path / folder / "report.json").read_bytes()) == {
        "status": "CompletedWithViolations",
        "subject": {"endpoint": "churn", "variant": "AllTraffic", "model": None},
        "monitor": "data_quality",
        "window": {"start": "2024-03-01T07:00:00Z", "end": "2024-03-01T08:00:00Z"},
        "revision": 0,
        "counts": {"records": 10, "rows": 9, "bad": 1, "late": 0, "filtered": 0},
        "violations": [
            {
                "feature_name": "age",
                "constraint_check_type": "data_type_check",
                "description": "age is text",
            }
        ],
        "drift": [
            {
                "feature_name": "age",
                "kind": "numeric",
                "distance": 0.2,
                "threshold": 0.1,
                "method": "Robust",
                "bins": [0.0, 1.0],
                "baseline": [0.0, 1.0, 0.0],
                "current": [0.0, 0.5, 0.5],
                "effect": None,
                "p_value": None,
                "q_value": None,
                "rows": 0,
                "enough": True,
            }
        ],
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "CompletedWithViolations"),
        ({"violations": []}, "Completed"),
        ({"violations": [], "counts": Counts()}, "NoData"),
        ({"violations": [], "counts": Counts(records=3, bad=3)}, "NoData"),
    ],
)
def test_the_status_says_what_was_found(tmp_path, changes, status):
    folder = write(Objects.at(tmp_path), report(**changes))
    assert json.loads((tmp_path / folder / "report.json").read_bytes())["status"] == status


def test_a_revision_replaces_the_report_and_the_documents_beside_it(tmp_path):
    objects = Objects.at(tmp_path)
    assert write(objects, report()) == write(objects, report(revision=1, counts=Counts(11, 10, 1, 0)))
    written = {path.name: json.loads(path.read_bytes()) for path in tmp_path.rglob("*.json")}
    assert written.keys() == {"report.json", "statistics.json", "constraint_violations.json"}
    assert (written["report.json"]["revision"], written["report.json"]["counts"]["records"]) == (1, 11)


def test_a_report_without_documents_leaves_those_of_the_revision_before(tmp_path):
    objects = Objects.at(tmp_path)
    folder = write(objects, report())
    again = report(revision=1)
    bare = Report(again.subject, again.monitor, again.window, 1, again.counts, Finding([VIOLATION], [], {}))
    write(objects, bare)
    assert (tmp_path / folder / "statistics.json").exists()


def test_the_same_report_twice_is_the_same_bytes(tmp_path):
    objects = Objects.at(tmp_path)
    folder = write(objects, report())
    before = (tmp_path / folder / "report.json").read_bytes()
    write(objects, report())
    assert (tmp_path / folder / "report.json").read_bytes() == before
    assert before.endswith(b"}\n") and b"\n  " in before  # for people too
