"""A model's quality on the page: measured beside estimated, with what became of the labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sinks.page import write_page

RULE = {"recall": {"threshold": 0.6, "comparison_operator": "LessThanThreshold"}}


def report(root: Path, day: int, monitor: str, recall: float | None, **more: Any) -> Path:
    folder = root / f"reports/churn/AllTraffic/{monitor}/2024/01/{day:02d}/00"
    folder.mkdir(parents=True)
    times = {"start": f"2024-01-{day:02d}T00:00:00Z", "end": f"2024-01-{day + 1:02d}T00:00:00Z"}
    document = {
        "status": "Completed", "subject": {"endpoint": "churn", "variant": "AllTraffic"},
        "monitor": monitor, "window": times, "revision": 0, "counts": {"records": 9, "rows": 9},
        "violations": [], "drift": [], **more,
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(document))
    deviation = "NaN" if monitor.endswith("estimate") else 0.01
    metrics = {
        "recall": {"value": recall, "standard_deviation": deviation},
        "recall_best_constant_classifier": {"value": 1.0, "standard_deviation": 0.0},
        "precision": {"value": 0.9, "standard_deviation": "NaN"},
        "precision_recall_curve": {"precisions": [1.0], "recalls": [0.0]},
    }
    statistics = {
        "version": 0.0,
        "binary_classification_metrics": metrics,
        "additional_metrics": {"thresholds": RULE},
    }
    (folder / "statistics.json").write_text(json.dumps(statistics))
    return folder


def labels(matched: int, waiting: int, expired: int) -> dict[str, Any]:
    return {"labels": {"matched": matched, "waiting": waiting, "expired": expired}}


def violation(estimate: bool) -> dict[str, Any]:
    found = {
        "feature_name": "recall", "metric_name": "recall", "constraint_check_type": "LessThanThreshold",
        "description": f"{'Estimated metric' if estimate else 'Metric'} recall was LessThanThreshold '0.6'",
    }  # fmt: skip
    flag = {"estimate": True} if estimate else {}
    return {"status": "CompletedWithViolations", "violations": [found | flag]}


def sections(text: str) -> list[Any]:
    parts = text.split('<script type="application/json" class="data">')[1:]
    return [json.loads(part.split("</script>")[0]) for part in parts]


def both(root: Path) -> None:
    report(root, 1, "model_quality", 0.5, **labels(8, 0, 1), **violation(False), revision=2)
    report(root, 2, "model_quality", 0.7, **labels(4, 5, 0))
    report(root, 3, "model_quality", None, **labels(0, 9, 0), counts={"records": 9, "rows": 0})
    for day, recall in ((1, 0.65), (2, 0.66)):
        report(root, day, "model_quality_estimate", recall)
    report(root, 3, "model_quality_estimate", 0.55, **violation(True))


def test_measured_and_estimated_are_drawn_in_one_chart_with_the_labels_below(tmp_path):
    both(tmp_path)
    measured, estimated = sections(write_page(tmp_path).read_text())
    drawn = measured["quality"]
    assert "quality" not in estimated and {"quality", "coverage"} <= measured["specs"].keys()
    assert drawn["metrics"] == ["recall", "precision"]  # no curves, no constant classifier
    assert drawn["thresholds"] == [0.6, None]
    value, low, high, worse, estimate, worse_estimate = drawn["series"][0]
    assert (value, estimate) == ([0.5, 0.7, None], [0.65, 0.66, 0.55])
    assert (worse, worse_estimate) == ([True, False, False], [False, False, True])
    assert (low[0], high[0]) == (0.4608, 0.5392)  # 1.96 standard errors, each twice the standard deviation
    columns = drawn["windows"]
    assert [columns[name] for name in ("matched", "waiting", "expired")] == [[8, 4, 0], [0, 5, 9], [1, 0, 0]]
    assert columns["revision"] == [2, 0, 0]


def test_one_look_says_how_good_how_much_is_estimated_and_what_is_awaited(tmp_path):
    both(tmp_path)
    text = " ".join(write_page(tmp_path).read_text().split())
    for said in (
        "<b>44.4%</b><span>of 27 predictions have their label",
        "<b>14</b><span>still wait for it, in 2 windows",
        "<b>1</b><span>expired",
        "<b>1</b><span>window without any label yet: only estimated",
        "2024-01-01, no label awaited",
        "2024-01-02, 44% of labels",
        "2024-01-03, without labels",
        '<td class="number alarm">0.5</td> <td class="number">0.7</td> <td class="number alarm">0.55</td>',
        "below 0.6",
        "1 / 1",
        "44.4% of predictions have their label, 14 wait for it",
        'recall <span class="soft">estimate</span>',
        "1 window was revised by labels that came later",
    ):
        assert said in text, said


def test_estimates_alone_have_the_chart_in_their_own_section(tmp_path):
    report(tmp_path, 1, "model_quality_estimate", 0.65)
    text = write_page(tmp_path).read_text()
    (only,) = sections(text)
    assert only["quality"]["series"][0][0] == [None] and only["quality"]["series"][0][4] == [0.65]
    assert "still wait" not in text and 'data-chart="coverage"' not in text


def test_statistics_that_cannot_be_read_are_named(tmp_path):
    folder = report(tmp_path, 1, "model_quality", 0.5, **labels(9, 0, 0))
    (folder / "statistics.json").write_text('{"binary_classification_metrics": {"recall": {"value": "x"}}}')
    report(tmp_path, 2, "model_quality", 0.5, **labels(9, 0, 0))
    text = write_page(tmp_path).read_text()
    assert "1 file could not be read" in text
    assert sections(text)[0]["quality"]["windows"]["matched"] == [9]
