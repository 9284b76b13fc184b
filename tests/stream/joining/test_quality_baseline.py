"""From a labelled data set to violations: baseline by the command, then traffic whose labels turn bad."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from labelled import by_hour, ground_truth, write
from made import HOUR, T0
from schemas.times import format_time
from stream.cli import main

HOURS, EACH = 4, 150


def rows(n: int, seed: int, wrong: bool = False) -> list[tuple[int, float, int, int]]:
    """Prediction, probability, age and label; `wrong` labels do not follow the probability."""
    rng = np.random.default_rng(seed)
    probability = rng.random(n).round(4)
    label = (rng.random(n) < (0.5 if wrong else probability)).astype(int)
    age = rng.integers(18, 80, n)
    predicted = (probability > 0.5).astype(int)
    return list(zip(*(c.tolist() for c in (predicted, probability, age, label)), strict=True))


def capture(when: int, name: str, output: str, age: int) -> bytes:
    def side(mode: str, data: str) -> dict[str, str]:
        return {"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"}

    sides = {"endpointInput": side("INPUT", str(age)), "endpointOutput": side("OUTPUT", output)}
    about = {"eventId": f"event-{name}", "inferenceId": name, "inferenceTime": format_time(when)}
    return json.dumps({"captureData": sides, "eventMetadata": about, "eventVersion": "0"}).encode()


def run(*arguments: object) -> None:
    result = CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code in (0, 3), result.output  # 3: there are violations


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A baseline, and traffic of which the labels of the last hours are wrong and a day late."""
    names = ["class", "probability", "age", "label"]
    with (tmp_path / "scored.csv").open("w") as scored, (tmp_path / "rows.csv").open("w") as plain:
        csv.writer(scored).writerows([names, *rows(2_000, seed=1)])
        csv.writer(plain).writerows([names[:3], *(row[:3] for row in rows(2_000, seed=1))])
    run("baseline", tmp_path / "rows.csv", "--output", tmp_path / "baseline")
    run(
        *("baseline", tmp_path / "scored.csv", "--output", tmp_path / "baseline"),
        *("--problem-type", "BinaryClassification", "--inference-attribute", "class"),
        *("--probability-attribute", "probability", "--ground-truth-attribute", "label"),
    )
    captures, labels = [], []
    for hour in range(HOURS):
        for i, (predicted, probability, age, label) in enumerate(rows(EACH, 10 + hour, wrong=hour > 1)):
            when, name = T0 + hour * HOUR + i * 20_000, f"{hour}-{i}"
            captures.append((when, capture(when, name, f"{predicted},{probability}", age)))
            labels.append((when + 24 * HOUR, ground_truth((when, name, [label]))))
    write(tmp_path / "captures", by_hour(captures, "churn/AllTraffic/"))
    write(tmp_path / "truth", by_hour(labels))
    (tmp_path / "streamgauge.toml").write_text('[labels]\nplaces = ["truth"]\n')
    run(
        *("replay", tmp_path / "captures", "--baseline", tmp_path / "baseline"),
        *("--output", tmp_path / "out", "--config", tmp_path / "streamgauge.toml"),
    )
    return tmp_path / "out"


def reports(out: Path, monitor: str) -> list[dict]:
    paths = sorted(out.glob(f"reports/churn/AllTraffic/{monitor}/**/report.json"))
    return [json.loads(path.read_bytes()) for path in paths]


def test_wrong_labels_violate_and_the_estimate_before_them_says_what_was_expected(work):
    found = reports(work, "model_quality")
    assert [report["labels"]["matched"] for report in found] == [EACH] * HOURS
    violated = [{v["feature_name"] for v in report["violations"]} for report in found]
    assert all({"accuracy", "auc"} <= names for names in violated[2:])
    accuracy = [
        json.loads(path.read_bytes())["binary_classification_metrics"]["accuracy"]["value"]
        for path in sorted(work.glob("reports/churn/AllTraffic/model_quality/**/statistics.json"))
    ]
    assert min(accuracy[:2]) > 0.65 > max(accuracy[2:])
    estimates = [
        json.loads(path.read_bytes())["binary_classification_metrics"]["accuracy"]["value"]
        for path in sorted(work.glob("reports/churn/AllTraffic/model_quality_estimate/**/statistics.json"))
    ]
    assert len(estimates) == HOURS and min(estimates) > 0.65
