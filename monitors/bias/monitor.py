"""Bias drift, as Clarify and Model Monitor have it, on the rows of a window."""

from collections.abc import Mapping
from typing import ClassVar
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitors.bias import judging, plan
from monitors.bias.describe import describe
from monitors.bias.flip import Sample
from monitors.bias.plan import Plan
from monitors.bias.state import BiasState
from monitors.bias.table import MISSING, Table
from schemas.analysis import Analysis, document
from schemas.constraints import Defaults
from schemas.report import VIOLATIONS, Finding
from schemas.rows import Rows


class Bias:
    """Measures bias by `plan`, and judges it by the baseline's analysis, where there is one.

    Labels are taken from the rows that have one, so that rows of a later join count like any others. A row
    without a value of a facet belongs to neither side of it. `defaults` say how small a group may be and
    which share of findings may be chance; where that is all of them (1.0), violations are those of Clarify's
    rule.
    """

    name: ClassVar[str] = "bias"

    def __init__(
        self, chosen: Plan, baseline: Analysis | None = None, defaults: Defaults | None = None
    ) -> None:
        self._plan = chosen
        self._limits = judging.limits(baseline)
        self._defaults = defaults or Defaults()

    def observe(self, rows: Rows) -> BiasState:
        """Count `rows`, and sample them for the flip test."""
        return self._of(rows.columns, _ids(rows)) if len(rows) else self.empty()

    def of_table(self, table: pa.Table) -> BiasState:
        """The state of a whole data set."""
        return self._of(table, np.arange(len(table)))

    def _of(self, table: pa.Table, ids: NDArray[np.int64]) -> BiasState:
        return self._count(table, table, table, ids)

    def of_joined(self, table: pa.Table, label: pa.Table, predicted: pa.Table) -> BiasState:
        """The state of rows whose label and prediction are in tables of their own: an output of the model may
        bear the label's name."""
        return self._count(table, label, predicted, np.arange(len(table)))

    def _count(
        self, table: pa.Table, with_label: pa.Table, with_prediction: pa.Table, ids: NDArray[np.int64]
    ) -> BiasState:
        chosen = self._plan
        facets = [facet.codes(table) for facet in chosen.facets]
        label = plan.outcomes(chosen.label, with_label)
        predicted = plan.outcomes(chosen.predicted, with_prediction)
        group = plan.groups(table, chosen.group)
        tables = {
            facet.name: Table.of(facet.values, codes, label, predicted, group)
            for facet, codes in zip(chosen.facets, facets, strict=True)
        }
        found = {
            column.name: column.highest(with_label if column is chosen.label else table)
            for column in chosen.continuous
        }
        highest = {name: value for name, value in found.items() if value is not None}
        return BiasState(len(table), tables, highest, self._sample(table, facets, predicted, ids))

    def _sample(
        self,
        table: pa.Table,
        facets: list[NDArray[np.int64]],
        predicted: NDArray[np.int64],
        ids: NDArray[np.int64],
    ) -> Sample:
        if not self._plan.flips:
            return Sample.empty(0, 0)
        names = set(table.column_names)
        columns = [
            plan.quantities(table[name]) if name in names else np.full(len(table), np.nan)
            for name in self._plan.features
        ]
        known = np.where(predicted == MISSING, -1, predicted)
        return Sample.of(np.column_stack(columns), np.column_stack(facets), known, ids)

    def empty(self) -> BiasState:
        """The state of no row."""
        tables = {facet.name: Table.empty(facet.values) for facet in self._plan.facets}
        return BiasState(0, tables, {}, Sample.empty(*self._plan.sampled))

    def load(self, parts: Mapping[str, bytes]) -> BiasState:
        """Restore a state from its dumped parts; one of another plan is let go, for it cannot be merged."""
        state, empty = BiasState.load(parts), self.empty()
        shapes = {name: table.counts.shape for name, table in state.tables.items()}
        fits = shapes == {name: table.counts.shape for name, table in empty.tables.items()}
        same = state.sample.features.shape[1] == empty.sample.features.shape[1]
        return state if fits and same else empty

    def finish(self, state: BiasState) -> Finding:
        """Violations of a window, with its analysis.json and constraint_violations.json."""
        described = describe(self._plan, state, self._limits)
        compatible = self._defaults.false_discovery_rate >= 1.0
        violations = judging.judge(described, self._limits, self._defaults, compatible)
        documents = {
            "analysis.json": document(described.analysis),
            VIOLATIONS: {"version": "1.0", "violations": violations},
        }
        return Finding(violations, [], documents)


def _ids(rows: Rows) -> NDArray[np.int64]:
    """A number of each row, from its record's id and its place in the record."""
    if rows.event_id is None:
        return rows.row.astype(np.int64)
    used, place = np.unique(rows.record, return_inverse=True)
    texts = rows.event_id.take(pa.array(used)).to_pylist()
    of_record = np.array([crc32(text.encode()) if text else 0 for text in texts], np.int64)
    return (of_record[place] << 20) + rows.row
