"""`streamgauge baseline --problem-type`: what it writes, beside what, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from schemas.errors import BadBaseline, PipelineError
from schemas.quality import Knots, Threshold
from stream.cli import main
from stream.quality_baseline import read_quality_baseline

ROWS = [("yes", "yes", 0.9), ("no", "no", 0.2), ("yes", "no", 0.6), ("no", "yes", 0.4)] * 60


pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture
def csv(tmp_path) -> Path:
    path = tmp_path / "labelled.csv"
    path.write_text("answer,truth,score,age\n" + "".join(f"{a},{t},{p},30\n" for a, t, p in ROWS))
    return path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["baseline", *map(str, arguments)], terminal_width=80)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


BINARY = ("--problem-type", "BinaryClassification")
TRUTH = ("--ground-truth-attribute", "truth")
ANSWER = ("--inference-attribute", "answer")
SCORE = ("--probability-attribute", "score")


def test_both_baselines_live_in_one_directory(csv, tmp_path):
    out = tmp_path / "baseline"
    assert run(csv, "-o", out).exit_code == 0
    result = run(csv, "-o", out, *BINARY, *TRUTH, *ANSWER, *SCORE)
    assert result.exit_code == 0
    assert "Problem   BinaryClassification, positive label yes" in result.output
    assert "accuracy 0.5" in result.output
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.json")) == [
        "constraints.json",
        "model_quality/constraints.json",
        "model_quality/model_quality.json",
        "model_quality/statistics.json",
        "statistics.json",
    ]
    statistics = json.loads((out / "model_quality/statistics.json").read_bytes())
    assert statistics["dataset"]["item_count"] == len(ROWS)
    assert "binary_classification_metrics" in statistics


def test_it_is_read_again_as_it_was_made(csv, tmp_path):
    assert read_quality_baseline(tmp_path) is None
    run(csv, "-o", tmp_path, *BINARY, *TRUTH, *ANSWER, *SCORE)
    for folder in (tmp_path, tmp_path / "model_quality"):
        found = read_quality_baseline(folder, "BinaryClassification")
        assert found.model.labels == ["no", "yes"]
        assert (found.model.inference_attribute, found.model.ground_truth_attribute) == ("answer", "truth")
        assert found.model.calibration == Knots([0.2, 0.4, 0.6, 0.9], [0.0, 0.5, 0.5, 1.0])
        assert found.constraints.thresholds["recall"] == Threshold(0.5, "LessThanThreshold")
    with pytest.raises(BadBaseline, match="different problems"):
        read_quality_baseline(tmp_path, "Regression")


def test_the_positive_label_can_be_said_in_any_form(csv, tmp_path):
    result = run(csv, "-o", tmp_path, *BINARY, *TRUTH, *ANSWER, "--positive-label", "no")
    assert "positive label no" in result.output
    table = pa.table({"answer": [True, False], "truth": [1, 0], "score": [0.5, 0.5]})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    result = run(tmp_path / "b.parquet", "-o", tmp_path, *BINARY, *TRUTH, *ANSWER, "--positive-label", "True")
    assert "positive label 1" in result.output and "accuracy 1," in result.output


def test_a_probability_and_a_threshold_are_predictions_too(csv, tmp_path):
    result = run(csv, "-o", tmp_path, *BINARY, *TRUTH, *SCORE, "--probability-threshold-attribute", 0.6)
    assert "recall 0.5, precision 1, accuracy 0.75" in result.output
    result = run(csv, "-o", tmp_path, *BINARY, *TRUTH, *SCORE)
    assert "recall 0.5, precision 0.5, accuracy 0.5" in result.output


def test_columns_may_be_named_by_their_place(csv, tmp_path):
    where = ("--inference-attribute", 0, "--ground-truth-attribute", 1)
    result = run(csv, "-o", tmp_path, "--problem-type", "MulticlassClassification", *where)
    assert "weighted_f2 0.5" in result.output
    assert read_quality_baseline(tmp_path).model.inference_attribute == "answer"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((*BINARY,), "--ground-truth-attribute is needed; --inference-attribute is needed"),
        ((*TRUTH, *SCORE), "--ground-truth-attribute, --probability-attribute: needs --problem-type"),
        ((*BINARY, *TRUTH, "--inference-attribute", "x"), "--inference-attribute: the data has no column x"),
        ((*BINARY, *TRUTH, "--inference-attribute", 9), "--inference-attribute: the data has no column 9"),
        ((*BINARY, *TRUTH, *ANSWER, "--positive-label", "1"), "no label is 1; there are no, yes"),
        (("--problem-type", "Regression", *TRUTH, *ANSWER), "no row has both answer and a label"),
        (
            ("--problem-type", "Regression", *TRUTH, *ANSWER, "--positive-label", "1"),
            "--positive-label does not go with Regression",
        ),
        (("--problem-type", "Regression", *TRUTH, *SCORE), "--inference-attribute is needed"),
        ((*BINARY, *TRUTH, *ANSWER, "--segments", "age"), "--segments and --withhold-values do not go with"),
        (
            (*BINARY, "--ground-truth-attribute", "score", *SCORE),
            "a binary problem has two labels: 0.2, 0.4, 0.6, 0.9",
        ),
        (("--problem-type", "Binary", *TRUTH), "'Binary' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(csv, tmp_path, options, sentence):
    result = run(csv, "-o", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


RULE = '{"threshold": 1, "comparison_operator": "LessThanThreshold"}'


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "constraints.json",
            '{"regression_constraints": {}, "binary_classification_constraints": {}}',
            "has 2",
        ),
        ("constraints.json", "{x_constraints", "not a constraints file"),
        ("constraints.json", '{"regression_constraints": []}', "Expected `object`, got `array`"),
        ("constraints.json", '{"regression_constraints": {"mae": {}, "r2": 1}}', "mae: .*; r2: "),
        ("model_quality.json", "{}", "missing required field `problem_type`"),
        (
            "model_quality.json",
            '{"problem_type": "Regression", "calibration": {"probability": [1, 0], "share": [0, 1]}}',
            "must ascend",
        ),
    ],
)
def test_files_that_are_damaged_are_refused_by_name_and_place(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(PipelineError, match=sentence) as error:
        read_quality_baseline(tmp_path)
    assert name in str(error.value)


def test_a_file_of_model_monitors_with_more_in_it_is_read(tmp_path):
    more = f'{{"regression_constraints": {{"mae": {RULE[:-1]}, "additional_properties": null}}}}}}'
    (tmp_path / "constraints.json").write_text(more)
    assert [*read_quality_baseline(tmp_path).constraints.thresholds] == ["mae"]
