"""The order of records, and how they are cut into frames, must not change a report."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made import HOUR, T0, capture, frames, run_stages, same, traffic
from schemas.report import Counts, Report

RECORDS = traffic(120)
WHOLE = run_stages(frames(RECORDS), lateness="1d")


def documents(reports: dict[int, Report]) -> object:
    kept = {
        str(start): (report.summary(), report.finding.documents, report.counts)
        for start, report in reports.items()
    }
    plain = msgspec.json.decode(msgspec.json.encode(kept))
    for summary, extra, _ in plain.values():
        for violation in [*summary["violations"], *extra["constraint_violations.json"]["violations"]]:
            violation.pop("description")  # digits; the numbers themselves are compared in the documents
    return plain


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(len(RECORDS))),
    cuts=st.lists(st.integers(1, len(RECORDS) - 1), max_size=12),
)
def test_any_order_within_the_lateness_and_any_frames_give_the_same_reports(order, cuts):
    readable = [r for r in RECORDS if r.endswith(b"}")]  # a broken record has no time of its own: see below
    expected = run_stages(frames(readable), lateness="1d")
    shuffled = [readable[i] for i in order if i < len(readable)]
    same(documents(run_stages(frames(shuffled, cuts), lateness="1d")), documents(expected))


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, len(RECORDS) - 1), max_size=60))
def test_frames_never_change_totals_even_with_broken_records(cuts):
    reports = run_stages(frames(RECORDS, cuts), lateness="1d")
    total = sum_counts(reports)
    assert total == sum_counts(WHOLE)
    assert total.records == len(RECORDS)
    assert total.bad == sum(not r.endswith(b"}") for r in RECORDS)


def sum_counts(reports: dict[int, Report]) -> Counts:
    total = Counts()
    for report in reports.values():
        total = total.merge(report.counts)
    return total


@settings(max_examples=25, deadline=None)
@given(
    times=st.lists(st.integers(0, 8 * HOUR), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 39), max_size=10),
    lateness=st.sampled_from(["0s", "10m", "1h"]),
    retention=st.sampled_from(["0s", "2h"]),
)
def test_which_records_are_late_does_not_depend_on_frames(times, cuts, lateness, retention):
    records = [capture(T0 + t, [(0.5, 40, "rome")], f"e{i}") for i, t in enumerate(times)]
    whole = run_stages(frames(records), lateness=lateness, retention=retention)
    cut = run_stages(frames(records, cuts), lateness=lateness, retention=retention)
    assert {s: r.counts for s, r in cut.items()} == {s: r.counts for s, r in whole.items()}
    total = sum_counts(whole)
    assert total.records == len(records) == total.rows + total.late


@pytest.mark.parametrize(
    ("retention", "expected"),
    [("0s", Counts(2, 1, 0, 1)), ("1h", Counts(2, 2, 0, 0))],
)
def test_a_record_after_its_window_is_late_or_reopens_it_within_the_retention(retention, expected):
    """
    window      00:00 ├─────────┤ 01:00
    event          a 00:10          b 01:20 moves the watermark (no lateness) past the end
    then           c 00:20
    """
    records = [
        capture(T0 + m * 60_000, [(0.5, 40, "rome")], name) for name, m in (("a", 10), ("b", 80), ("c", 20))
    ]
    reports = run_stages(frames(records, [1, 2]), lateness="0s", retention=retention)
    assert reports[T0].counts == expected
    assert reports[T0].revision == 1
    assert reports[T0 + HOUR].counts == Counts(1, 1, 0, 0)
