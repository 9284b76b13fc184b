"""What [quality] says of judging reaches both monitors: the measured one, and that of estimates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ConfigError
from schemas.labelled import Labelled
from schemas.layout import Layout
from schemas.rows import Rows
from stream.joining.setup import quality_setup
from stream.label_settings import QualitySettings
from stream.settings import load

ROWS = 400
MODEL = {
    "problem_type": "BinaryClassification",
    "inference_attribute": "class",
    "probability_attribute": "probability",
    "positive_label": "1",
    "labels": ["0", "1"],
}
LAYOUT = Layout({"class": "Integral", "probability": "Fractional"})


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    """An accuracy of at least 0.6."""
    folder = tmp_path / "model_quality"
    folder.mkdir()
    rule = {"accuracy": {"threshold": 0.6, "comparison_operator": "LessThanThreshold"}}
    constraints = {"version": 0.0, "binary_classification_constraints": rule}
    (folder / "constraints.json").write_text(json.dumps(constraints))
    (folder / "model_quality.json").write_text(json.dumps(MODEL))
    return tmp_path


def violated(baseline: Path, right: int, **given: object) -> list[str]:
    """Metrics that are violations of ROWS rows, of which so many are right: a standard error is 0.025."""
    setup, *_ = quality_setup(QualitySettings(**given), baseline, LAYOUT)
    assert setup is not None
    (monitor,) = setup.monitors
    predicted = pa.array(["1"] * ROWS)
    batch = Labelled(predicted, pa.array(["1"] * right + ["0"] * (ROWS - right)))
    return [violation.feature_name for violation in monitor.finish(monitor.observe(batch)).violations]


def test_without_settings_a_figure_is_compared_as_it_is(baseline):
    assert violated(baseline, 239) == ["accuracy"]
    assert violated(baseline, 240) == []


def test_so_many_standard_errors_are_no_violation(baseline):
    assert violated(baseline, 225, standard_errors=2) == []  # 0.5625 + 2 * 0.025 is above
    assert violated(baseline, 210, standard_errors=2) == ["accuracy"]


def test_a_window_of_too_few_labels_has_no_violation(baseline):
    assert violated(baseline, 100, minimum_sample_size=ROWS + 1) == []
    assert violated(baseline, 100, minimum_sample_size=ROWS) == ["accuracy"]


def test_estimates_need_as_many_rows(baseline):
    table = pa.table({"class": ["1"] * ROWS, "probability": [0.55] * ROWS})
    rows = Rows(table, np.arange(ROWS), np.zeros(ROWS, np.int64))

    def found(least: int) -> list[str]:
        _, (estimate,), _ = quality_setup(QualitySettings(minimum_sample_size=least), baseline, LAYOUT)
        finding = estimate.finish(estimate.observe(rows))
        return [violation.feature_name for violation in finding.violations]

    assert (found(ROWS), found(ROWS + 1)) == (["accuracy"], [])


def test_the_constant_classifier_answers_what_it_is_told(tmp_path):
    def constant(**given: str) -> float | None:
        settings = QualitySettings(
            problem_type="MulticlassClassification", inference_attribute="class", **given
        )
        setup, *_ = quality_setup(settings, tmp_path, LAYOUT)
        assert setup is not None
        (monitor,) = setup.monitors
        batch = Labelled(pa.array(["a", "a", "b", "c"]), pa.array(["a", "a", "a", "c"]))
        metrics = monitor.metrics(monitor.observe(batch))
        value: float | None = metrics["accuracy_best_constant_classifier"].value
        return value

    assert (constant(), constant(constant_label="a")) == (0.25, 0.75)


@pytest.mark.parametrize(
    "wrong", ["minimum_sample_size = -1", "standard_errors = -0.5", "standard_errors = inf"]
)
def test_what_cannot_be_is_refused_by_name(tmp_path, wrong):
    config = tmp_path / "streamgauge.toml"
    config.write_text(f"[quality]\n{wrong}\n")
    with pytest.raises(ConfigError, match=f"quality.{wrong.split()[0]}"):
        load(config)
