"""What is printed of a model's quality: violations told apart, windows counted once, labels that add up."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from stream import console as show


def report(monitor: str, day: int, *violations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "subject": {"endpoint": "churn", "variant": "AllTraffic"},
        "monitor": monitor,
        "window": {"start": f"2024-01-0{day}T00:00:00Z", "end": f"2024-01-0{day + 1}T00:00:00Z"},
        "status": "CompletedWithViolations" if violations else "Completed",
        "violations": list(violations),
        "drift": [],
        "revision": 0,
        **more,
    }


def recall(**more: Any) -> dict[str, Any]:
    return {"feature_name": "recall", "constraint_check_type": "LessThanThreshold", **more}


def printed(reports: list[dict[str, Any]], width: int = 120) -> list[str]:
    screen = Console(width=width, record=True, file=io.StringIO())
    for table in show.drift_tables(reports):
        screen.print(table)
    return screen.export_text().splitlines()


def lines(reports: list[dict[str, Any]]) -> list[list[str]]:
    return [line.split() for line in printed(reports) if "LessThan" in line]


def test_a_metric_and_its_estimate_are_two_lines_each_with_its_own_windows():
    found = [
        report("model_quality", 1, recall()),
        report("model_quality", 2, recall()),
        report("model_quality_estimate", 1, recall(estimate=True)),
    ]
    assert [line[:-2] for line in lines(found)] == [
        ["recall", "LessThanThreshold", "2"],
        ["recall", "(estimate)", "LessThanThreshold", "1"],
    ]


def test_without_distances_there_is_no_column_of_them_and_names_fit_80_columns():
    missed = {"feature_name": "false_positive_rate", "constraint_check_type": "GreaterThanThreshold"}
    title, head, _, row = (
        line.rstrip() for line in printed([report("model_quality", 1, missed)], 80) if line
    )
    assert title.endswith("(UTC)") and head.split() == ["feature", "check", "windows", "first", "last"]
    assert row.split() == [*missed.values(), "1", "2024-01-01", "2024-01-01"]


def test_a_window_counts_once_however_often_a_check_failed_in_it():
    facets = [recall(feature_name="sex", metric_name=name) for name in ("DPPL", "DI")]
    assert [line[:3] for line in lines([report("bias", 1, *facets)])] == [["sex", "LessThanThreshold", "1"]]


def test_what_became_of_labels_is_said(tmp_path, capsys):
    waits = {"records": 9, "late": 1, "matched": 5, "waiting": 2, "expired": 1}
    theirs = {"records": 8, "duplicates": 0, "waiting": 1, "expired": 2, "bad": 4}
    quality = {"predictions": waits, "labels": theirs}
    counts = {"records": 9, "rows": 9, "bad": 0, "late": 0, "filtered": 0}
    coverage = {"labels": {"matched": 5, "waiting": 2, "expired": 1}}
    reports = [
        report("model_quality", 1, revision=2, **coverage),
        report("model_bias", 1, revision=1, **coverage),  # the same window
        report("data_quality", 1, revision=1),
    ]
    summary = {"counts": counts, "bad_by_reason": {}, "quality": quality}
    show.outcome(Console(), summary, reports, tmp_path, "rows")
    said = capsys.readouterr().out
    assert (
        "Labels   9 predictions: 5 with their label, 2 waiting, 1 expired, 1 late; 1 window revised\n"
        "  3 labels of 8 met no prediction\n"
        f"  4 records were no labels that can be read: see {tmp_path / 'errors'}\n" in said
    )
