"""Confidence-based estimation: against nannyml, against what came true, and what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from monitors.model_quality.calibration import calibrated, fit
from monitors.model_quality.estimate import Estimate, is_possible
from monitors.model_quality.monitor import Judging, ModelQuality
from monitors.model_quality.scores import Scores
from schemas.labelled import Labelled
from schemas.quality import Knots, Model, QualityConstraints, Threshold
from schemas.rows import NO_ROWS, Rows
from stream.dataset import read
from stream.quality_baseline import (
    Columns,
    QualityBaseline,
    labelled,
    make_quality_baseline,
    read_quality_baseline,
)

NANNYML = json.loads(Path(__file__).with_name("nannyml_car_loan.json").read_text())["chunks"]
SAME = {
    "roc_auc": "auc",
    "f1": "f1",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "accuracy",
    "specificity": "true_negative_rate",
}
CHUNK = 5_000
MODEL = Model("BinaryClassification", "answer", "truth", "score", "1", ["0", "1"])


@pytest.fixture(scope="module")
def loans(shared: Path, tmp_path_factory) -> QualityBaseline:
    """The baseline of the reference half, written and read again."""
    output = tmp_path_factory.mktemp("loans")
    table = read(shared / "data/streams/synthetic_car_loan_reference.csv.gz")
    columns = Columns("repaid", "y_pred", "y_pred_proba")
    make_quality_baseline(table, output, "BinaryClassification", columns)
    return read_quality_baseline(output)


def rows(table: pa.Table) -> Rows:
    at = np.arange(len(table))
    return Rows(table, at, at)


def made(answer, score) -> Rows:
    return rows(pa.table({"answer": answer, "score": pa.array(score)}))


def test_estimates_are_nannymls(shared, loans):
    table = read(shared / "data/streams/synthetic_car_loan_analysis.csv.gz")
    monitor = Estimate(loans.model)
    for number, expected in enumerate(NANNYML):
        parts = [
            monitor.observe(rows(table.slice(number * CHUNK + at, CHUNK // 5)))
            for at in range(0, CHUNK, CHUNK // 5)
        ]
        state = parts[0]
        for part in parts[1:]:
            state = state.merge(monitor.load(part.dump()))
        found = monitor.metrics(state)
        for theirs, ours in SAME.items():
            assert found[ours].value == pytest.approx(expected[theirs], abs=1e-6), (number, theirs)
        matrix = found["confusion_matrix"]
        assert [matrix[a][p] for a in "10" for p in "10"] == pytest.approx(
            [
                expected[f"{kind}"]
                for kind in ("true_positive", "false_negative", "false_positive", "true_negative")
            ],
            abs=1e-5,
        )


def test_estimates_tell_the_fall_that_labels_show_later(shared, loans):
    """The data changes after half of the rows; the estimate says so before a label came."""
    folder = shared / "data/streams"
    table = read(folder / "synthetic_car_loan_analysis.csv.gz")
    truth = read(folder / "synthetic_car_loan_analysis_target.csv.gz")["repaid"]
    batch, _ = labelled(
        table.append_column("repaid", truth),
        "BinaryClassification",
        Columns("repaid", "y_pred", "y_pred_proba"),
    )
    real, estimate = ModelQuality(loans.model), Estimate(loans.model)
    for start in range(0, len(table), CHUNK):
        realized = real.metrics(real.observe(batch.slice(start, start + CHUNK)))
        estimated = estimate.metrics(estimate.observe(rows(table.slice(start, CHUNK))))
        for name in ("accuracy", "auc", "f1"):
            assert estimated[name].value == pytest.approx(realized[name].value, abs=0.01), (start, name)


def test_everything_said_is_flagged():
    constraints = QualityConstraints(
        "BinaryClassification", {"accuracy": Threshold(0.9, "LessThanThreshold")}
    )
    monitor = Estimate(MODEL, constraints)
    finding = monitor.finish(monitor.observe(made(["1", "0"], [0.6, 0.4])))
    (violation,) = finding.violations
    assert violation.estimate is True
    assert violation.description == "Estimated metric accuracy with 0.6 was LessThanThreshold '0.9'"
    written = msgspec.to_builtins(finding.documents)
    assert written["statistics.json"]["estimate"] == {"method": "CBPE", "calibrated": False}
    assert written["constraint_violations.json"]["violations"][0]["estimate"] is True
    assert monitor.name != ModelQuality.name
    assert (
        not Estimate(MODEL, constraints, Judging(3))
        .finish(monitor.observe(made(["1", "0"], [0.6, 0.4])))
        .violations
    )


def test_rows_that_tell_nothing_are_counted():
    monitor = Estimate(MODEL)
    state = monitor.observe(made(["1", None, "0", "1", "0"], [0.9, 0.9, None, 1.5, float("nan")]))
    assert (state.rows, state.scored) == (5, 1)
    for nothing in (monitor.observe(NO_ROWS), monitor.observe(rows(pa.table({"other": [1, 2]})))):
        assert nothing.scored == 0
        found = monitor.metrics(nothing)
        assert found["accuracy"].value is None
        assert found["accuracy"].reason
        assert monitor.finish(nothing).violations == []


def test_without_predictions_the_probability_decides():
    model = msgspec.structs.replace(MODEL, inference_attribute=None)
    score = [0.9, 0.2, 0.5]
    found = Estimate(model).metrics(Estimate(model).observe(made(["x"] * 3, score)))
    same = Estimate(MODEL).metrics(Estimate(MODEL).observe(made([1.0, 0.0, 0.0], score)))
    assert found == same


def test_of_several_classes_accuracy_is_the_mean_confidence():
    model = msgspec.structs.replace(MODEL, problem_type="MulticlassClassification", positive_label=None)
    monitor = Estimate(model)
    found = monitor.metrics(monitor.observe(made(["a", "b", None], [0.5, 0.75, 1.0])))
    assert found["accuracy"].value == 0.625
    assert [*found] == ["accuracy"]


def test_what_cannot_be_estimated_is_refused():
    for model in (Model("Regression", probability_attribute="p"), Model("BinaryClassification")):
        assert not is_possible(model)
        with pytest.raises(ValueError, match="no estimate"):
            Estimate(model)


def test_calibration_is_scikit_learns_isotonic_regression():
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(2)
    for digits in (2, 6):
        probability = rng.random(3_000).round(digits)
        label = rng.random(3_000) < probability**2
        knots = fit(Scores.of(probability, label))
        theirs = IsotonicRegression(out_of_bounds="clip").fit(probability, label)
        asked = np.linspace(0.0, 1.0, 1_001)
        assert calibrated(asked, knots) == pytest.approx(theirs.predict(asked), abs=1e-9)


def test_few_rows_give_no_calibration():
    assert fit(Scores()) is None
    assert fit(Scores.of(np.full(100, 0.5), np.arange(100) < 29)) is None
    assert fit(Scores.of(np.full(100, 0.5), np.arange(100) < 30)) == Knots([0.5], [0.3])
    assert calibrated(np.array([0.2]), None).tolist() == [0.2]


def test_a_calibration_of_probabilities_corrects_them(tmp_path):
    """A model that says 0.9 and is right in 60 % of these rows."""
    label = np.arange(1_000) % 10 < 6
    batch = Labelled(pa.array(np.ones(1_000)), pa.array(label * 1.0), pa.array(np.full(1_000, 0.9)))
    table = pa.table({"p": batch.prediction, "y": batch.label, "s": batch.probability})
    model, _, _ = make_quality_baseline(table, tmp_path, "BinaryClassification", Columns("y", "p", "s"))
    monitor = Estimate(model)
    found = monitor.metrics(monitor.observe(rows(table)))
    assert found["precision"].value == pytest.approx(0.6)
