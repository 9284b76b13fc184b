"""Bias of a model's predictions, on rows that a label was joined to."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from monitors.bias.monitor import Bias
from monitors.bias.plan import Column, Plan
from monitors.bias.state import BiasState
from monitors.model_quality.labels import classes, numbers
from schemas.analysis import Analysis
from schemas.constraints import Defaults
from schemas.labelled import Labelled
from schemas.report import Finding

Source = Literal["prediction", "probability", "carried"]


class ModelBias:
    """Measures every metric but the flip test by `plan`, one of `planning.of_joined`, and judges it as `Bias`
    does. Facets and groups are columns that the predictions carried along.

    What was predicted is the prediction that came with the label, its probability, or a `carried` column.
    A row without a label, or without a value of a facet, counts where neither is needed.

    Source: SageMaker Clarify, bias drift of models in production.
    """

    name: ClassVar[str] = "model_bias"

    def __init__(
        self,
        chosen: Plan,
        source: Source = "prediction",
        baseline: Analysis | None = None,
        defaults: Defaults | None = None,
    ) -> None:
        self._plan, self._source = chosen, source
        self._bias = Bias(chosen, baseline, defaults)

    def observe(self, batch: Labelled) -> BiasState:
        """Count a batch, which may be empty: that is the identity of merge."""
        if not len(batch):
            return self._bias.empty()
        label, predicted = self._plan.label, self._plan.predicted
        assert label is not None and predicted is not None
        table = _nothing(len(batch)) if batch.columns is None else batch.columns
        return self._bias.of_joined(
            table, _told(label, batch.label), _told(predicted, self._predicted(batch, table))
        )

    def _predicted(self, batch: Labelled, table: pa.Table) -> pa.Array:
        found = batch.prediction
        if self._source == "probability":
            found = batch.probability
        elif self._source == "carried":
            name = self._plan.predicted.name if self._plan.predicted else ""
            found = table[name].combine_chunks() if name in table.column_names else None
        return pa.nulls(len(batch), pa.string()) if found is None else found

    def load(self, parts: Mapping[str, bytes]) -> BiasState:
        """Restore a state from its dumped parts; one of another plan is let go."""
        return self._bias.load(parts)

    def finish(self, state: BiasState) -> Finding:
        """Violations of a window, with its analysis.json and constraint_violations.json."""
        return self._bias.finish(state)


def _nothing(rows: int) -> pa.Table:
    """So many rows without a column."""
    return pa.table({"": pa.nulls(rows)}).select([])


def _told(column: Column, values: pa.Array) -> pa.Table:
    """Labels or predictions as the column that tells which are positive: numbers where it has a threshold,
    else classes, of which `1`, `1.0` and `true` are one."""
    if not column.continuous:
        return pa.table({column.name: classes(values)})
    found = numbers(values)
    return pa.table({column.name: pa.array(found, mask=~np.isfinite(found))})
