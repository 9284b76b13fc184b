"""statistics.json and constraints.json of Model Monitor's model-quality job, and what we keep beside them."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from schemas.errors import BadBaseline

ProblemType = Literal["Regression", "BinaryClassification", "MulticlassClassification"]
Operator = Literal["LessThanThreshold", "GreaterThanThreshold"]

METRICS: Mapping[ProblemType, str] = {
    "Regression": "regression_metrics",
    "BinaryClassification": "binary_classification_metrics",
    "MulticlassClassification": "multiclass_classification_metrics",
}
CONSTRAINTS: Mapping[ProblemType, str] = {
    problem: key.replace("_metrics", "_constraints") for problem, key in METRICS.items()
}
OURS = "additional_metrics"  # what Model Monitor does not have stands under this key
THRESHOLDS = "thresholds"  # under that: what a window's metrics are judged by


class Metric(Struct, frozen=True):
    """A figure, None with a `reason` where it is undefined. The standard deviation is the text "NaN" where
    there are too few rows to tell, as Model Monitor writes it.

    >>> msgspec.to_builtins(Metric(0.5))
    {'value': 0.5, 'standard_deviation': 'NaN'}
    """

    value: float | None
    standard_deviation: float | Literal["NaN"] = "NaN"
    reason: str | UnsetType = UNSET


class Threshold(Struct, frozen=True):
    """What is bad: a value less, or greater, than `threshold`."""

    threshold: float
    comparison_operator: Operator

    def broken_by(self, value: float, margin: float = 0.0) -> bool:
        """Whether `value` is beyond the threshold by more than `margin`, on the bad side."""
        if self.comparison_operator == "LessThanThreshold":
            return value < self.threshold - margin
        return value > self.threshold + margin


class QualityConstraints(Struct, frozen=True):
    """The thresholds of a model-quality constraints.json, by metric, in the file's order."""

    problem: ProblemType
    thresholds: Mapping[str, Threshold]

    def document(self) -> dict[str, Any]:
        """The content of the file."""
        return {"version": 0.0, CONSTRAINTS[self.problem]: msgspec.to_builtins(self.thresholds)}


def parse(text: bytes, source: str = "constraints.json") -> QualityConstraints:
    """Read a model-quality constraints.json. Raises BadBaseline, naming every mistake.

    >>> rule = '{"threshold": 0.9, "comparison_operator": "LessThanThreshold"}'
    >>> parse(f'{{"regression_constraints": {{"r2": {rule}}}}}'.encode()).thresholds["r2"].broken_by(0.8)
    True
    """
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadBaseline(f"{source}: not a constraints file: {error}") from error
    found = [problem for problem in get_args(ProblemType) if document.get(CONSTRAINTS[problem]) is not None]
    if len(found) != 1:
        raise BadBaseline(f"{source}: needs one of {', '.join(CONSTRAINTS.values())}; it has {len(found)}")
    try:
        rules = msgspec.convert(document[CONSTRAINTS[found[0]]], dict[str, Any])
    except msgspec.ValidationError as error:
        raise BadBaseline(f"{source}: {CONSTRAINTS[found[0]]}: {error}") from error
    problems: list[str] = []
    thresholds = {name: _threshold(name, rule, problems) for name, rule in rules.items()}
    if problems:
        raise BadBaseline(f"{source}: " + "; ".join(problems))
    return QualityConstraints(found[0], {name: rule for name, rule in thresholds.items() if rule})


def _threshold(name: str, rule: Any, problems: list[str]) -> Threshold | None:
    try:
        return msgspec.convert(rule, Threshold)
    except msgspec.ValidationError as error:
        problems.append(f"{name}: {error}")
        return None


class Knots(Struct, frozen=True):
    """A calibration as a line through points: the model's probability, ascending, and the share of rows that
    were as it says. Both in [0, 1], of equal length."""

    probability: list[float]
    share: list[float]


class Model(Struct, frozen=True):
    """model_quality.json, ours: which columns are meant, and how probabilities are to be read.

    `labels` are the classes of the baseline in their order; `positive_label` is one of them, for a binary
    problem. Without `calibration` probabilities are taken as they are.
    """

    problem_type: ProblemType
    inference_attribute: str | None = None
    ground_truth_attribute: str | None = None
    probability_attribute: str | None = None
    positive_label: str | None = None
    labels: list[str] = []
    calibration: Knots | None = None
    version: float = 0.0


def parse_model(text: bytes, source: str = "model_quality.json") -> Model:
    """Read a model_quality.json. Raises BadBaseline."""
    try:
        model = msgspec.json.decode(text, type=Model)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadBaseline(f"{source}: not a description of a model: {error}") from error
    knots = model.calibration
    if knots is not None and (not knots.probability or not _is_calibration(knots)):
        raise BadBaseline(f"{source}: calibration: probability and share must ascend within 0 and 1")
    return model


def _is_calibration(knots: Knots) -> bool:
    ascending = all(
        list(line) == sorted(line) and 0.0 <= line[0] <= line[-1] <= 1.0
        for line in (knots.probability, knots.share)
        if line
    )
    return ascending and len(knots.probability) == len(knots.share)


class Figures(Struct, frozen=True):
    """What a window's statistics.json says of a model: metrics that are one figure, and what they were judged
    by."""

    problem: ProblemType
    metrics: Mapping[str, Metric]
    thresholds: Mapping[str, Threshold]


def parse_figures(text: bytes, source: str = "statistics.json") -> Figures:
    """Read the statistics.json of a window's model quality. Raises BadBaseline.

    >>> text = b'{"regression_metrics": {"mae": {"value": 0.5, "standard_deviation": "NaN"}}}'
    >>> parse_figures(text).metrics["mae"].value
    0.5
    """
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
        (problem,) = (problem for problem in get_args(ProblemType) if METRICS[problem] in document)
        metrics = msgspec.convert(document[METRICS[problem]], dict[str, Any])
        figures = {name: m for name, m in metrics.items() if isinstance(m, dict) and "value" in m}
        return Figures(
            problem,
            msgspec.convert(figures, dict[str, Metric]),
            msgspec.convert(document.get(OURS, {}).get(THRESHOLDS, {}), dict[str, Threshold]),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadBaseline(f"{source}: not the statistics of a model's quality: {error}") from error
