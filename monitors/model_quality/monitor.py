"""The monitor of a model's quality: predictions against their labels, judged by the baseline's thresholds."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

from msgspec import Struct

from monitors.model_quality import binary, judging, multiclass, ranking, regression
from monitors.model_quality.classified import ClassifiedState
from monitors.model_quality.labels import normalised
from monitors.model_quality.ranking import Ranked
from monitors.model_quality.regression import RegressionState
from schemas.labelled import Labelled
from schemas.quality import METRICS, OURS, THRESHOLDS, Metric, Model, QualityConstraints
from schemas.report import VIOLATIONS, Finding, violations_document

State: TypeAlias = RegressionState | ClassifiedState


SERIES = "metrics.json"  # as monitors of one's own write it: numbers that become series


def series(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """The values of metrics, by name."""
    return {name: metric.value for name, metric in metrics.items() if isinstance(metric, Metric)}


def thresholds(constraints: QualityConstraints | None) -> dict[str, Any]:
    """What a window was judged by, for its statistics.json: whoever draws the figures needs it."""
    return {} if constraints is None else {THRESHOLDS: constraints.thresholds}


class Judging(Struct, frozen=True):
    """When a metric beyond its threshold is a violation: from `minimum_sample_size` rows on, and beyond it by
    more than so many `standard_errors`. At 0 and 0 as with Model Monitor."""

    minimum_sample_size: int = 0
    standard_errors: float = 0.0


class ModelQuality:
    """Metrics of `model`'s problem, judged by `constraints` where there are some.

    `constant_label` is what the constant classifier of a multiclass problem answers.

    Source: Amazon SageMaker Model Monitor, model quality.
    """

    name: ClassVar[str] = "model_quality"

    def __init__(
        self,
        model: Model,
        constraints: QualityConstraints | None = None,
        judging: Judging | None = None,
        *,
        constant_label: str | None = None,
    ) -> None:
        self._problem = model.problem_type
        self._names = model.labels
        self._positive = normalised(model.positive_label) or "1"
        self._constraints = constraints
        self._judging = judging or Judging()
        self._constant = normalised(constant_label)

    def observe(self, batch: Labelled) -> State:
        """The state of a batch, which may be empty: that is the identity of merge."""
        if self._problem == "Regression":
            return RegressionState.of(batch)
        binary_ = self._problem == "BinaryClassification"
        return ClassifiedState.of(batch, self._positive if binary_ else None)

    def load(self, parts: Mapping[str, bytes]) -> State:
        """Restore a state from what its `dump` gave."""
        kind = RegressionState if self._problem == "Regression" else ClassifiedState
        return kind.load(parts)

    def finish(self, state: State) -> Finding:
        """Judge a window's state. A window without labels has no violation."""
        metrics = self.metrics(state)
        found = []
        if self._constraints and state.scored >= max(self._judging.minimum_sample_size, 1):
            errors = self._judging.standard_errors
            ids = state.wrong.ids()
            found = [
                *judging.violations(
                    metrics, self._constraints, state.scored, standard_errors=errors, event_ids=ids
                )
            ]
        statistics = self.statistics(state, metrics) | thresholds(self._constraints)
        documents = {
            "statistics.json": statistics,
            SERIES: series(metrics | statistics[OURS]),
            "constraints.json": judging.suggest(self._problem, metrics).document(),
            VIOLATIONS: violations_document(found),
        }
        return Finding(found, [], documents)

    def metrics(self, state: State) -> dict[str, Any]:
        """Model Monitor's metrics by name."""
        if isinstance(state, RegressionState):
            return dict(regression.metrics(state))
        if self._problem == "MulticlassClassification":
            return multiclass.metrics(state.confusion, self._names, self._constant)
        return binary.metrics(state.confusion, Ranked.of(state.scores), self._positive, self._names)

    def statistics(self, state: State, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The content of statistics.json; what is ours stands under a key of its own."""
        return {
            "version": 0.0,
            "dataset": {"item_count": state.rows},
            METRICS[self._problem]: metrics,
            OURS: self._more(state),
        }

    def _more(self, state: State) -> dict[str, Any]:
        more: dict[str, Any] = {"scored": state.scored, "not_scored": state.rows - state.scored}
        if isinstance(state, RegressionState) or not len(state.scores):
            return more
        more |= state.certainty.metrics()
        if self._problem == "BinaryClassification":
            ranked = Ranked.of(state.scores)
            more |= {"lift": ranking.lift(ranked), "auc_error": ranking.auc_error(ranked)}
            more["positive_label"] = self._positive
        return more
