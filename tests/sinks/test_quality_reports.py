"""Reports of model quality through the sinks: Model Monitor's documents, series, alerts and the page."""

from __future__ import annotations

import json

import msgspec
import pyarrow as pa
import pytest

from monitors.model_quality.monitor import ModelQuality
from schemas.frame import Subject
from schemas.labelled import Labelled
from schemas.quality import Model, QualityConstraints, Threshold
from schemas.report import Counts, Report, Window
from sinks.objects import Objects
from sinks.page import write_page
from sinks.reports import write
from sinks.search_documents import parts
from sinks.search_templates import INDICES

RULES = QualityConstraints("BinaryClassification", {"recall": Threshold(0.9, "LessThanThreshold")})
MODEL = Model("BinaryClassification", positive_label="1")


@pytest.fixture
def report() -> Report:
    monitor = ModelQuality(MODEL, RULES)
    batch = Labelled(
        pa.array(["1", "0"]), pa.array(["1", "1"]), pa.array([0.9, 0.4]), pa.array(["first", "second"])
    )
    finding = monitor.finish(monitor.observe(batch))
    return Report(Subject("churn"), monitor.name, Window(0, 3_600_000), 1, Counts(2, 2), finding)


def test_documents_lie_beside_the_report_in_model_monitors_shape(report, tmp_path):
    folder = tmp_path / write(Objects.at(tmp_path), report)
    assert folder.relative_to(tmp_path).parts[:3] == ("churn", "AllTraffic", "model_quality")
    (violation,) = json.loads((folder / "constraint_violations.json").read_bytes())["violations"]
    assert violation["metric_name"] == "recall"
    assert violation["description"] == "Metric recall with 0.5 was LessThanThreshold '0.9'"
    assert violation["sample_event_ids"] == ["second"]
    assert "feature_name" not in violation
    statistics = json.loads((folder / "statistics.json").read_bytes())
    assert statistics["binary_classification_metrics"]["recall"]["value"] == 0.5
    assert json.loads((folder / "report.json").read_bytes())["status"] == "CompletedWithViolations"


def test_violations_that_are_dated_keep_their_shape(report):
    dated = [msgspec.structs.replace(v, first_seen="1970-01-01T00:00:00Z") for v in report.finding.violations]
    (violation,) = report.finding.with_violations(dated).documents["constraint_violations.json"]["violations"]
    assert violation["first_seen"] == "1970-01-01T00:00:00Z"
    assert "feature_name" not in violation


def test_metrics_are_series_and_violations_alerts_in_fields_that_there_are(report):
    found = list(parts(report))
    values = {part.body["metric"]: part.body["value"] for part in found if part.kind == "metrics"}
    assert (values["recall"], values["auc"], values["brier_score"]) == (0.5, None, pytest.approx(0.185))
    (alert,) = [part.body for part in found if part.kind == "alerts"]
    assert (alert["feature"], alert["check"]) == ("recall", "LessThanThreshold")
    for part in found:
        assert {*part.body} - {"window"} <= {*INDICES[part.kind]}


def test_the_page_shows_it(report, tmp_path):
    write(Objects.at(tmp_path / "reports"), report)
    (tmp_path / "summary.json").write_text("{}")
    text = write_page(tmp_path).read_text()
    assert "Metric recall with 0.5 was LessThanThreshold" in text
