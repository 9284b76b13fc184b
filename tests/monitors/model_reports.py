"""Reports of what is said of a model: its quality, realized and estimated, bias, attributions."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from bias_data import config, plan_of

from monitors.attribution import Attribution
from monitors.bias.describe import describe
from monitors.bias.monitor import Bias
from monitors.marks import of_table
from monitors.model_quality.estimate import Estimate
from monitors.model_quality.monitor import ModelQuality
from monitors.shap.attributions import Attributions
from schemas.analysis import Analysis, Explanations, LabelExplanation
from schemas.frame import Subject
from schemas.labelled import Labelled
from schemas.quality import Model, QualityConstraints, Threshold
from schemas.report import Counts, Finding, Report, Window
from schemas.rows import NO_ROWS

HOUR = 3_600_000
MODEL = Model("BinaryClassification", "answer", "truth", "score", "1", ["0", "1"])
RULES = QualityConstraints(
    "BinaryClassification",
    {
        "accuracy": Threshold(0.9, "LessThanThreshold"),
        "false_positive_rate": Threshold(0.3, "GreaterThanThreshold"),
    },
)


def reported(monitor: str, finding: Finding, hour: int = 0, revision: int = 0, rows: int = 300) -> Report:
    window = Window(hour * HOUR, (hour + 1) * HOUR)
    return Report(Subject("churn"), monitor, window, revision, Counts(rows, rows), finding)


def written(report: Report) -> Report:
    """The same with its documents as their files have them."""
    documents = msgspec.json.decode(msgspec.json.encode(report.finding.documents))
    return msgspec.structs.replace(
        report, finding=msgspec.structs.replace(report.finding, documents=documents)
    )


def scores(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and what came true: as often as they say."""
    random = np.random.default_rng(seed)
    score = random.random(rows)
    return score, (random.random(rows) < score).astype(int)


def quality(hour: int = 0, revision: int = 0, rows: int = 300, model: Model = MODEL) -> Report:
    """Labels that came for predictions of `hour`."""
    score, truth = scores(rows, hour)
    batch = Labelled(
        pa.array((score > 0.5).astype(float)), pa.array(truth.astype(float)), pa.array(score.astype(float))
    )
    monitor = ModelQuality(model, RULES if model is MODEL else None)
    return reported(monitor.name, monitor.finish(monitor.observe(batch)), hour, revision, rows)


def estimate(hour: int = 0, revision: int = 0, rows: int = 300) -> Report:
    """What was said of the same predictions before."""
    score, _ = scores(rows, hour)
    monitor = Estimate(MODEL, RULES)
    table = pa.table({"answer": (score > 0.5).astype(int), "score": score})
    return reported(monitor.name, monitor.finish(monitor.observe(of_table(table))), hour, revision, rows)


def people(seed: int, oldest: float = 80.0, sexes: str = "FMX") -> pa.Table:
    """300 people, whose labels and predictions are by chance; the oldest is `oldest`."""
    random = np.random.default_rng(seed)
    age = random.uniform(18, 79, 300)
    age[0] = oldest
    columns: dict[str, Any] = {"sex": random.choice([*sexes], 300), "age": age}
    return pa.table(columns | {name: random.integers(0, 2, 300) for name in ("label", "predicted")})


_PLAN = plan_of(people(0), config({"sex": [], "age": [40]}, predicted_label="predicted"))
_KNOWN = describe(_PLAN, Bias(_PLAN).of_table(people(0))).analysis


def bias(table: pa.Table, hour: int = 0, revision: int = 0) -> Report:
    """Bias of a window against that of `people(0)`."""
    monitor = Bias(_PLAN, _KNOWN)
    return reported(monitor.name, monitor.finish(monitor.of_table(table)), hour, revision)


def attribution(
    hour: int = 0, revision: int = 0, features: str = "abc", labels: tuple[str, ...] = ("no", "yes")
) -> Report:
    """Attributions of 50 rows to `features`, for each of `labels`."""
    gains = {name: float(place + 1) for place, name in enumerate(features)}
    known = Analysis(explanations=Explanations({label: LabelExplanation(gains, 0.5) for label in labels}))
    monitor = Attribution(dict.fromkeys(features, "Fractional"), labels, known)
    random = np.random.default_rng(hour)
    values = random.normal(size=(50, len(features), len(labels)))
    found = Attributions.of(values, random.permutation(50).astype(np.uint64))
    state = monitor.observe(NO_ROWS).explained_by(found, [0.5] * len(labels), "")
    return reported(monitor.name, monitor.finish(state), hour, revision)


def unexplained(hour: int = 0, revision: int = 0) -> Report:
    """A window of which the model explained nothing."""
    monitor = Attribution({"a": "Fractional"}, ("no", "yes"))
    state = monitor.observe(of_table(pa.table({"a": [1.0]})))
    return reported(monitor.name, monitor.finish(state), hour, revision)
