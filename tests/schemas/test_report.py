"""Windows, counts and the status of a report."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.frame import Subject
from schemas.report import VIOLATIONS, Counts, Finding, Report, Violation, Window

counts = st.builds(Counts, *[st.integers(0, 100)] * 4)


@given(st.integers(0, 10**13), st.integers(1, 10**9))
def test_a_time_lies_in_the_half_open_window_that_holds_it(when, size):
    window = Window.holding(when, size)
    assert window.start <= when < window.end == window.start + size
    assert window.start % size == 0


@given(counts, counts, counts)
def test_counts_merge_in_any_order_and_the_empty_one_changes_nothing(a, b, c):
    assert a.merge(b).merge(c) == c.merge(b.merge(a))
    assert a.merge(Counts()) == a


def report(records: int, violations: list[Violation]) -> Report:
    return Report(
        Subject(),
        "data_quality",
        Window(0, 3_600_000),
        0,
        Counts(records, records),
        Finding(violations, [], {}),
    )


def test_a_window_without_records_has_no_data_and_is_no_failure():
    violation = Violation("age", "data_type_check", "why")
    assert report(0, []).status == "NoData"
    assert report(1, []).status == "Completed"
    assert report(1, [violation]).status == "CompletedWithViolations"


def test_a_summary_says_whose_window_it_is():
    summary = report(3, []).summary()
    assert summary["window"] == {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T01:00:00Z"}
    assert summary["counts"] == {"records": 3, "rows": 3, "bad": 0, "late": 0, "filtered": 0}
    assert summary["subject"] == {"endpoint": "default", "variant": "AllTraffic", "model": None}


def test_violations_are_replaced_in_the_document_that_lists_them_and_no_other():
    old, new = Violation("age", "data_type_check", "why"), Violation("age", "data_type_check", "why", rows=3)
    finding = Finding([old], [], {VIOLATIONS: {"violations": [old]}, "statistics.json": {}})
    assert finding.with_violations([new]) == Finding(
        [new], [], {VIOLATIONS: {"violations": [new]}, "statistics.json": {}}
    )
    assert Finding([old], [], {}).with_violations([new]).documents == {}
    assert finding.violations == [old] == finding.documents[VIOLATIONS]["violations"]
