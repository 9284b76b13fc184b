"""What a classifier's quality may be before labels come: confidence-based performance estimation (CBPE)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from monitors.model_quality import binary, judging
from monitors.model_quality.calibration import calibrated
from monitors.model_quality.classified import probabilities
from monitors.model_quality.confusion import document
from monitors.model_quality.labels import MISSING, codes, normalised
from monitors.model_quality.monitor import SERIES, Judging, series, thresholds
from monitors.model_quality.ranking import Ranked
from monitors.model_quality.sampling import undefined
from monitors.model_quality.scores import Scores
from schemas.quality import METRICS, OURS, Metric, Model, QualityConstraints
from schemas.report import VIOLATIONS, Finding, violations_document
from schemas.rows import Rows

_ABOUT, _SCORES = "about", "scores"
_THRESHOLD = 0.5


class EstimateState(Struct, frozen=True):
    """Probabilities of `rows` rows, apart for those that were predicted positive (multiclass: all) and the
    rest; `EstimateState()` is the identity of merge. A row without a probability or a prediction is counted
    in `rows` alone."""

    rows: int = 0
    scores: Scores = Scores()

    @property
    def scored(self) -> int:
        """Rows that the estimate rests on."""
        return int(self.scores.group.sum() + self.scores.rest.sum())

    def merge(self, other: "EstimateState") -> "EstimateState":
        """Combine two disjoint samples; neither is changed."""
        return EstimateState(self.rows + other.rows, self.scores.merge(other.scores))

    def dump(self) -> Mapping[str, bytes]:
        """Two parts of at most 197 kB."""
        return {_ABOUT: msgspec.msgpack.encode(self.rows), _SCORES: self.scores.dump()}

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "EstimateState":
        """Restore what `dump` gave."""
        return cls(msgspec.msgpack.decode(parts[_ABOUT], type=int), Scores.load(parts[_SCORES]))


class Estimate:
    """Metrics that calibrated probabilities lead to expect, over rows of which no label is known.

    A row with calibrated probability c, predicted positive, is c of a true positive and 1 - c of a false one.
    Right as far as the calibration still holds: it sees a change of the inputs, not one of what labels they
    lead to. Of a multiclass problem only accuracy is estimated. Of a regression nothing.

    Source: Bialek, Kuberski & Perrakis, Estimating model performance under covariate shift without labels,
    2024 (nannyml).
    """

    name: ClassVar[str] = "model_quality_estimate"

    def __init__(
        self,
        model: Model,
        constraints: QualityConstraints | None = None,
        judging: Judging | None = None,
    ) -> None:
        """Raises ValueError where the model gives no estimate; see `is_possible`."""
        if not is_possible(model):
            raise ValueError(f"no estimate of {model.problem_type} without a probability attribute")
        self._model = model
        self._binary = model.problem_type == "BinaryClassification"
        self._positive = normalised(model.positive_label) or "1"
        self._constraints = constraints
        self._judging = judging or Judging()

    def observe(self, rows: Rows) -> EstimateState:
        """The state of `rows`, which may be none."""
        probability = _column(rows, self._model.probability_attribute)
        if probability is None:
            return EstimateState(len(rows))
        values = probabilities(probability)
        predicted, known = self._predicted(rows, values)
        known &= ~np.isnan(values)
        return EstimateState(len(rows), Scores.of(values[known], predicted[known]))

    def load(self, parts: Mapping[str, bytes]) -> EstimateState:
        """Restore a state from what its `dump` gave."""
        return EstimateState.load(parts)

    def finish(self, state: EstimateState) -> Finding:
        """What the window's quality may be, and which thresholds that would be beyond. All is flagged."""
        metrics = self.metrics(state)
        found = []
        if self._constraints and state.scored >= max(self._judging.minimum_sample_size, 1):
            found = [*judging.violations(metrics, self._constraints, state.scored, estimate=True)]
        documents = {
            "statistics.json": self._statistics(state, metrics) | thresholds(self._constraints),
            SERIES: series(metrics),
            VIOLATIONS: violations_document(found),
        }
        return Finding(found, [], documents)

    def metrics(self, state: EstimateState) -> dict[str, Any]:
        """Estimates by Model Monitor's names; counts in the confusion matrix are expected ones."""
        scores = state.scores
        share = calibrated(scores.values, self._model.calibration)
        if not self._binary:
            return {"accuracy": _mean(scores, share)}
        rows = (scores.group + scores.rest)[::-1]
        ranked = Ranked(scores.values[::-1], rows * share[::-1], rows * (1.0 - share[::-1]), scores.exact)
        matrix = np.array(
            [[(part * side).sum() for part in (scores.rest, scores.group)] for side in (1.0 - share, share)]
        )
        names = [self._other(), self._positive]
        found = {"confusion_matrix": document(matrix, names, as_is=True)} | binary.of_matrix(matrix, ranked)
        return {name: _plain(figure) for name, figure in found.items()}

    def _statistics(self, state: EstimateState, metrics: Mapping[str, Any]) -> dict[str, Any]:
        method = {"method": "CBPE", "calibrated": self._model.calibration is not None}
        return {
            "version": 0.0,
            "dataset": {"item_count": state.rows},
            "estimate": method,
            METRICS[self._model.problem_type]: metrics,
            OURS: {"scored": state.scored, "not_scored": state.rows - state.scored},
        }

    def _other(self) -> str:
        """What the class is called that is not the positive one."""
        others = [name for name in self._model.labels if name != self._positive]
        return others[0] if len(others) == 1 else "(other)"

    def _predicted(
        self, rows: Rows, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which rows are predicted positive (multiclass: all), and which have a prediction."""
        if self._model.inference_attribute is None:
            return (values > _THRESHOLD) | (not self._binary), np.ones(len(rows), np.bool_)
        column = _column(rows, self._model.inference_attribute)
        if column is None:
            return np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        found, names = codes(column)
        place = names.index(self._positive) if self._positive in names else MISSING - 1
        return (found == place) | (not self._binary), found != MISSING


def is_possible(model: Model) -> bool:
    """Whether a model's quality can be estimated: a classifier's that gives probabilities."""
    return model.problem_type != "Regression" and model.probability_attribute is not None


def _column(rows: Rows, name: str | None) -> pa.Array | None:
    if name not in rows.columns.column_names:
        return None
    return rows.columns[name].combine_chunks()


def _mean(scores: Scores, share: NDArray[np.float64]) -> Metric:
    rows = int(scores.group.sum())
    if not rows:
        return undefined("no row has a probability")
    return Metric(float((scores.group * share).sum()) / rows)


def _plain(figure: Any) -> Any:
    """A metric without its standard deviation, which is one of counts, not of an expectation."""
    return Metric(figure.value, reason=figure.reason) if isinstance(figure, Metric) else figure
