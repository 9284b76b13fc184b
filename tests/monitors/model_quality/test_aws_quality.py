"""Agreement with what the real AWS container made of real data, and with the vectors of the specification."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from monitors.model_quality import binary, judging, multiclass
from monitors.model_quality.confusion import Confusion
from monitors.model_quality.monitor import ModelQuality
from monitors.model_quality.ranking import Ranked
from monitors.model_quality.scores import Scores
from schemas.labelled import Labelled
from schemas.quality import CONSTRAINTS, METRICS, Metric, Model, Threshold, parse
from schemas.report import violations_document
from stream.dataset import read
from stream.quality_baseline import Columns, make_quality_baseline, read_quality_baseline

# Folder, data, whether it has a header, inference, ground truth. The job of the SDK had the two swapped.
PAIRS = {
    "sdk": ("sdk-model-quality-regression", "baseline_dataset.csv", True, "Label", "Prediction"),
    "autopilot": ("autopilot-regression-shap", "predictions.csv.gz", False, "1", "0"),
}
EXAMPLES = "spec/examples/model-monitor"


@pytest.fixture(params=PAIRS)
def pair(request, shared: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Folders of AWS's files and of ours."""
    folder, data, header, inference, truth = PAIRS[request.param]
    theirs = shared / "data/pairs" / folder
    make_quality_baseline(read(theirs / data, header), tmp_path, "Regression", Columns(truth, inference))
    return theirs, tmp_path / "model_quality"


def load(path: Path) -> dict:
    return json.loads(path.read_bytes())


def test_metrics_and_their_shape_are_awss(pair):
    theirs, ours = (load(folder / "statistics.json") for folder in pair)
    assert ours["version"] == theirs["version"]
    assert ours["dataset"]["item_count"] == theirs["dataset"]["item_count"]
    assert [*ours["regression_metrics"]] == [*theirs["regression_metrics"]]
    for name, real in theirs["regression_metrics"].items():
        found = ours["regression_metrics"][name]
        assert found["value"] == pytest.approx(real["value"], rel=1e-12), name
        assert (found["standard_deviation"] == "NaN") == (real["standard_deviation"] == "NaN")


def test_standard_deviations_are_awss_within_the_noise_of_its_five_draws(pair):
    """Of five draws the standard deviation is 0.3 to 1.7 times the true one (99 % of the time)."""
    theirs, ours = (load(folder / "statistics.json")["regression_metrics"] for folder in pair)
    for name in ("mae", "mse", "rmse"):  # r2 rests on few rows here: see docs/model-metrics.md
        if (real := theirs[name]["standard_deviation"]) != "NaN":
            assert 0.3 < real / ours[name]["standard_deviation"] < 1.7


def test_constraints_are_awss(pair):
    theirs, ours = (load(folder / "constraints.json") for folder in pair)
    assert ours.keys() == theirs.keys()
    for name, real in theirs["regression_constraints"].items():
        found = ours["regression_constraints"][name]
        assert found["comparison_operator"] == real["comparison_operator"]
        assert found["threshold"] == pytest.approx(real["threshold"], rel=1e-12)


def test_awss_own_constraints_are_a_baseline(pair):
    theirs, ours = (read_quality_baseline(folder) for folder in pair)
    assert theirs.model == Model("Regression")
    assert theirs.constraints.thresholds.keys() == ours.constraints.thresholds.keys()


def test_the_constraints_that_aws_made_wrong_on_purpose_are_violated(shared: Path):
    folder = shared / "data/pairs/sdk-model-quality-regression"
    table = read(folder / "baseline_dataset.csv")
    columns = (table[name].combine_chunks() for name in ("Label", "Prediction"))
    bad = parse((folder / "constraints.bad-case.json").read_bytes())
    monitor = ModelQuality(Model("Regression"), bad)
    found = monitor.finish(monitor.observe(Labelled(*columns)))
    assert [violation.metric_name for violation in found.violations if violation.severity == "high"] == [
        "mse"
    ]


def scores(matrix: dict) -> Confusion:
    return Confusion(sum(n for row in matrix.values() for n in row.values()), matrix)


def values(found: dict) -> dict:
    return {name: figure.value for name, figure in found.items() if isinstance(figure, Metric)}


def test_vectors_of_confusion_matrices(shared: Path):
    vectors = load(shared / EXAMPLES / "test-vectors.json")
    for vector in vectors["binary_metrics_from_confusion"]:
        found = binary.metrics(scores(vector["confusion_matrix"]), Ranked.of(Scores()), "1", ["0", "1"])
        assert values(found) == pytest.approx(
            vector["metrics"] | {n: v for n, v in values(found).items() if n not in vector["metrics"]},
            rel=1e-9,
        )
        assert found["confusion_matrix"] == vector["confusion_matrix"]
    for vector in vectors["multiclass_metrics_from_confusion"]:
        matrix, constant = vector["confusion_matrix"], vector["constant_label"]
        for answer in (None, constant):
            found = multiclass.metrics(scores(matrix), [], answer)
            assert values(found) == pytest.approx(vector["metrics"], rel=1e-9)
            assert found["confusion_matrix"] == matrix


@pytest.mark.parametrize("problem", ["Regression", "BinaryClassification", "MulticlassClassification"])
def test_the_shape_of_the_examples_is_ours(shared: Path, problem):
    kind = {"Regression": "regression", "BinaryClassification": "binary"}.get(problem, "multiclass")
    stored = shared / EXAMPLES / f"model-quality-{kind}"
    rng = np.random.default_rng(1)
    label, prediction = rng.integers(0, 2, 300), rng.integers(0, 2, 300)
    probability = pa.array(rng.random(300).round(1))
    monitor = ModelQuality(Model(problem, positive_label="1"))
    finding = monitor.finish(
        monitor.observe(Labelled(pa.array(prediction * 1.0), pa.array(label * 1.0), probability))
    )
    ours, theirs = finding.documents["statistics.json"], load(Path(f"{stored}-statistics.json"))
    found, real = msgspec.to_builtins(ours[METRICS[problem]]), theirs[METRICS[problem]]
    assert [*found] == [*real]
    for name, figure in real.items():
        assert name == "confusion_matrix" or [*found[name]] == [*figure], name
    ours, theirs = finding.documents["constraints.json"], load(Path(f"{stored}-constraints.json"))
    assert {n: r["comparison_operator"] for n, r in ours[CONSTRAINTS[problem]].items()} == {
        n: r["comparison_operator"] for n, r in theirs[CONSTRAINTS[problem]].items()
    }


def test_violations_are_those_of_the_example_word_for_word(shared: Path):
    folder = shared / EXAMPLES
    statistics = load(folder / "model-quality-binary-statistics.json")["binary_classification_metrics"]
    metrics = {name: Metric(**figure) for name, figure in statistics.items() if "value" in figure}
    constraints = parse((folder / "model-quality-binary-constraints.json").read_bytes())
    found = msgspec.to_builtins(violations_document([*judging.violations(metrics, constraints, 800)]))
    expected = load(folder / "constraint_violations-model-quality.json")["violations"]
    keys = expected[0].keys()
    assert [{key: violation[key] for key in keys} for violation in found["violations"]] == expected
    assert all("feature_name" not in violation for violation in found["violations"])


def test_constraints_are_read_and_written_again(shared: Path):
    for kind in ("binary", "multiclass", "regression"):
        text = (shared / EXAMPLES / f"model-quality-{kind}-constraints.json").read_bytes()
        assert parse(text).document() == json.loads(text)
        assert all(isinstance(rule, Threshold) for rule in parse(text).thresholds.values())
