"""Attributions on the page: what is drawn, and what is said where windows have none."""

from __future__ import annotations

import json

from sinks.page import write_page


def report(root, hour, analysis=None, **more):
    folder = root / f"reports/churn/AllTraffic/attribution/2024/01/01/{hour:02d}"
    folder.mkdir(parents=True)
    times = {"start": f"2024-01-01T{hour:02d}:00:00Z", "end": f"2024-01-01T{hour + 1:02d}:00:00Z"}
    document = {
        "status": "Completed", "subject": {"endpoint": "churn", "variant": "AllTraffic"},
        "monitor": "attribution", "window": times, "revision": 0, "counts": {"records": 9, "rows": 9},
        "violations": [], "drift": [], **more,
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(document))
    if analysis:
        (folder / "analysis.json").write_text(json.dumps(analysis))


def analysed(ndcg, moved, **values):
    drift = {
        "ndcg": ndcg,
        "threshold": 0.9,
        "rows": 50,
        "interval": [ndcg - 0.1, ndcg + 0.05],
        "moved": moved,
    }
    shap = {"label0": {"global_shap_values": values, "expected_value": 0.5}}
    return {"version": "1.0", "explanations": {"kernel_shap": shap, "drift": {"label0": drift}}}


def data_of(text):
    raw = text.split('<script type="application/json" class="data">')[1].split("</script>")[0]
    return json.loads(raw)


def test_ranks_shares_and_ndcg_are_drawn_and_gaps_say_why(tmp_path):
    move = {"feature": "a", "baseline": 0.7, "current": 0.2, "baseline_rank": 1, "rank": 2}
    violation = {
        "feature_name": "label0", "constraint_check_type": "feature_attribution_drift_check",
        "description": "Feature attribution drift 0.7 exceeds threshold 0.9. Moved most: a",
        "metric_name": "shap",
        "label": "label0",
    }  # fmt: skip
    report(tmp_path, 0, analysed(1.0, [], a=3.0, b=-1.0))
    report(tmp_path, 1, analysed(0.7, [move], a=1.0, b=3.0), violations=[violation])
    report(tmp_path, 2, status="NoData", incomplete="the model is <gone>")
    text = write_page(tmp_path).read_text()
    data = data_of(text)
    (series,) = data["attribution"]["series"]
    assert series["features"] == ["a", "b"]
    assert series["rank"] == [[1, 2, None], [2, 1, None]]
    assert series["share"] == [[0.75, 0.25, None], [0.25, 0.75, None]]
    assert series["baseline"] == [1, None]
    assert series["ndcg"] == [[1.0, 0.7, None], [0.9, 0.6, None], [1.05, 0.75, None], [0, 1, 0]]
    assert {"ndcg", "ranks"} <= data["specs"].keys()
    assert "the model is &lt;gone&gt;" in text and "hold no drift distances" not in text
    assert "Moved most: a" in text


def test_a_section_where_nothing_was_explained_says_why(tmp_path):
    report(tmp_path, 0, status="NoData", incomplete="the model cannot be reached")
    text = write_page(tmp_path).read_text()
    assert "1 window could not be explained" in text and 'data-role="label"' not in text
