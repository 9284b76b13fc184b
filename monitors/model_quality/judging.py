"""Thresholds that a baseline suggests, and which of them a window's metrics are beyond."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from monitors import severity
from monitors.model_quality.sampling import ERRORS
from schemas.quality import THRESHOLDS, Metric, Operator, ProblemType, QualityConstraints, Threshold
from schemas.report import Severity, Violation

_LESS: Operator = "LessThanThreshold"
_GREATER: Operator = "GreaterThanThreshold"
_ERRORS = ("mae", "mse", "rmse")  # without bounds, so that only a ratio says how bad they are

# Which metrics get a threshold, in Model Monitor's order; those of constant classifiers get none.
SUGGESTED: Mapping[ProblemType, Mapping[str, Operator]] = {
    "Regression": dict.fromkeys(_ERRORS, _GREATER) | {"r2": _LESS},
    "BinaryClassification": {
        "recall": _LESS,
        "precision": _LESS,
        "accuracy": _LESS,
        "true_positive_rate": _LESS,
        "true_negative_rate": _LESS,
        "false_positive_rate": _GREATER,
        "false_negative_rate": _GREATER,
        "auc": _LESS,
        "f0_5": _LESS,
        "f1": _LESS,
        "f2": _LESS,
    },
    "MulticlassClassification": dict.fromkeys(
        (
            "accuracy",
            "weighted_recall",
            "weighted_precision",
            "weighted_f0_5",
            "weighted_f1",
            "weighted_f2",
        ),
        _LESS,
    ),
}


def suggest(problem: ProblemType, metrics: Mapping[str, Any]) -> QualityConstraints:
    """Thresholds as Model Monitor suggests them: the figure itself, without slack. An undefined metric has
    none."""
    found = {name: metrics.get(name) for name in SUGGESTED[problem]}
    return QualityConstraints(
        problem,
        {
            name: Threshold(metric.value, SUGGESTED[problem][name])
            for name, metric in found.items()
            if isinstance(metric, Metric) and metric.value is not None
        },
    )


def thresholds(constraints: QualityConstraints | None) -> dict[str, Any]:
    """What metrics are judged by, as statistics.json has it; nothing where they are not judged."""
    return {THRESHOLDS: msgspec.to_builtins(constraints.thresholds)} if constraints else {}


def violations(
    metrics: Mapping[str, Any],
    constraints: QualityConstraints,
    rows: int,
    *,
    standard_errors: float = 0.0,
    estimate: bool = False,
    event_ids: Sequence[str] = (),
) -> Iterator[Violation]:
    """Metrics beyond their threshold by more than so many standard errors; where those are not known, beyond
    it at all. At 0 a figure is compared as it is, as by Model Monitor. An undefined one violates nothing."""
    for name, threshold in constraints.thresholds.items():
        metric = metrics.get(name)
        if not isinstance(metric, Metric) or metric.value is None:
            continue
        deviation = metric.standard_deviation
        margin = 0.0 if deviation == "NaN" else standard_errors * ERRORS * float(deviation)
        if not threshold.broken_by(metric.value, margin):
            continue
        yield Violation(
            name,
            threshold.comparison_operator,
            _text(name, metric, threshold, estimate),
            rows=rows,
            severity=_severity(name, metric.value, threshold.threshold),
            sample_event_ids=list(event_ids) or UNSET,
            metric_name=name,
            estimate=True if estimate else UNSET,
        )


def _text(name: str, metric: Metric, threshold: Threshold, estimate: bool) -> str:
    """
    >>> _text("f2", Metric(0.51, 0.01), Threshold(0.62, "LessThanThreshold"), False)
    "Metric f2 with 0.51 +/- 0.01 was LessThanThreshold '0.62'"
    """
    spread = "" if metric.standard_deviation == "NaN" else f" +/- {metric.standard_deviation}"
    kind = "Estimated metric" if estimate else "Metric"
    return (
        f"{kind} {name} with {metric.value}{spread} was "
        f"{threshold.comparison_operator} '{threshold.threshold}'"
    )


def _severity(name: str, value: float, threshold: float) -> Severity:
    """By how far a metric is beyond its threshold, as that of shares; errors by how much larger they are."""
    gap = abs(value - threshold)
    return severity.of_share(gap / max(abs(threshold), 1e-300) if name in _ERRORS else gap)
