"""Feature attributions of a window, and how their ranking has moved from the baseline's."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
from msgspec import Struct

from monitors.marks import of_rows
from monitors.ranking_drift import Judging, matched, measure, violation
from monitors.row_sample import RowSample
from monitors.shap.attributions import Aggregate, Attributions
from monitors.types import numbers
from schemas import analysis
from schemas.analysis import Analysis, Explanations, LabelExplanation
from schemas.layout import Kind
from schemas.report import VIOLATIONS, Finding
from schemas.rows import NO_ROWS, Rows


class AttributionState(Struct, frozen=True, eq=True):
    """A sample of the rows, to be explained, and the attributions that are known.

    What explains them (`explained_by`) adds to a state attributions, what the model is expected to answer,
    and why some rows could not be explained.
    """

    sample: RowSample
    found: Attributions
    expected: tuple[float, ...] = ()
    incomplete: str = ""

    def merge(self, other: "AttributionState") -> "AttributionState":
        """Combine two disjoint samples; neither is changed."""
        return AttributionState(self.sample.merge(other.sample), self.found.merge(other.found))

    def dump(self) -> Mapping[str, bytes]:
        """The two parts."""
        return {"sample": self.sample.dump(), "found": self.found.dump()}

    def explained_by(
        self, found: Attributions, expected: Sequence[float], incomplete: str
    ) -> "AttributionState":
        """The same with attributions of its sample."""
        return msgspec.structs.replace(
            self, found=self.found.merge(found), expected=tuple(expected), incomplete=incomplete
        )


class Attribution:
    """Judges the ranking of `features` by attribution, for each of `labels`, the outputs of the model.

    It keeps at most `rows` rows of a window for a model to explain, which is not its own business, and takes
    attributions that the captured rows hold: in columns called by `captured`, such as
    "{feature}_{label}". Those of a label are taken where every feature has one.

    Source: SageMaker Clarify, feature attribution drift; the interval by bootstrap is ours.
    """

    name: ClassVar[str] = "attribution"

    def __init__(
        self,
        features: Mapping[str, Kind],
        labels: Sequence[str] = ("label0",),
        baseline: Analysis | None = None,
        by: Aggregate = "mean_abs",
        rows: int = 200,
        captured: str | None = None,
        judging: Judging | None = None,
    ) -> None:
        self.features, self.labels, self.rows = dict(features), tuple(labels), rows
        self._baseline = matched(baseline.labels, labels) if baseline else {}
        self._by = by
        self._captured = captured
        self._judging = judging or Judging()

    def observe(self, rows: Rows) -> AttributionState:
        """Sample `rows`, and take the attributions that they hold."""
        sample = RowSample.of(rows, self.features, 0 if self._captured else self.rows)
        return AttributionState(sample, self._held(rows))

    def _held(self, rows: Rows) -> Attributions:
        names = set(rows.columns.column_names)
        called = [
            [(self._captured or "").format(feature=feature, label=label) for label in self.labels]
            for feature in self.features
        ]
        if not self._captured or not len(rows) or any(n not in names for each in called for n in each):
            return Attributions.empty(len(self.features), len(self.labels))
        values = [[numbers(rows.columns[name]) for name in each] for each in called]
        return Attributions.of(np.array(values).transpose(2, 0, 1), of_rows(rows))

    def load(self, parts: Mapping[str, bytes]) -> AttributionState:
        """Restore a state from its dumped parts; one of other features is let go, for it cannot be merged."""
        state = AttributionState(
            RowSample.load(parts["sample"], 0 if self._captured else self.rows),
            Attributions.load(parts["found"]),
        )
        same = state.sample.table.column_names == [*self.features]
        same = same and state.found.absolute.shape == (len(self.features), len(self.labels))
        return state if same else self.observe(NO_ROWS)

    def finish(self, state: AttributionState) -> Finding:
        """Violations of a window, with its analysis.json and constraint_violations.json; no file where
        nothing was explained."""
        if not state.found.n:
            seen = len(state.sample) > 0
            return Finding([], [], {}, state.incomplete or ("nothing was explained" if seen else ""), True)
        described = self.describe(state)
        assert described.explanations is not msgspec.UNSET
        drifts = described.explanations.drift or {}
        found = [violation(label, drift, self._judging) for label, drift in drifts.items()]
        violations = [one for one in found if one is not None]
        documents: dict[str, Any] = {
            "analysis.json": analysis.document(described),
            VIOLATIONS: {"version": "1.0", "violations": violations},
        }
        return Finding(violations, [], documents, state.incomplete)

    def describe(self, state: AttributionState) -> Analysis:
        """Global SHAP values of each label, and their drift where there is a baseline."""
        overall = state.found.aggregate(self._by)
        shap = {}
        for output, label in enumerate(self.labels):
            values = dict(zip(self.features, overall[:, output].tolist(), strict=True))
            expected = state.expected[output] if output < len(state.expected) else msgspec.UNSET
            shap[label] = LabelExplanation(values, expected)
        drift = {
            label: measure(
                self._baseline[label], [*self.features], state.found, output, self._by, self._judging
            )
            for output, label in enumerate(self.labels)
            if label in self._baseline
        }
        return Analysis(explanations=Explanations(shap, drift or msgspec.UNSET))
