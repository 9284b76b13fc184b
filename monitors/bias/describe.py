"""analysis.json of a window or a data set, read off its state."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec import UNSET, Struct

from monitors.bias import flip, post_training
from monitors.bias.cells import SIDES, A, Cells, D
from monitors.bias.metrics import METRICS, Metric, reason, smallest_base
from monitors.bias.plan import Facet, Plan
from monitors.bias.state import BiasState
from monitors.bias.uncertainty import Resamples, Spread, interval, spread
from schemas import analysis
from schemas.analysis import Analysis, FacetValue, Stage, of_number

_SAMPLED = "FT"

Limits = Mapping[tuple[str, str, str], analysis.Metric]  # by facet, key of its value, and metric
NO_LIMITS: Limits = MappingProxyType({})


class Measured(Struct, frozen=True):
    """One metric of one facet value: its value (None, and `why`), how sure it is, the rows of the smaller
    group that it rests on, and the numbers of rows of both groups."""

    metric: Metric
    value: float | None
    why: str | None
    sure: Spread | None
    base: int
    rows: int
    rows_disadvantaged: int

    def entry(self, limit: analysis.Metric | None) -> analysis.Metric:
        """As analysis.json has it, beside its `limit`."""
        name, description = self.metric.name, self.metric.description
        baseline = UNSET if limit is None or limit.value is None else limit.value
        if self.value is None:
            return analysis.Metric(name, description, None, self.why or UNSET, baseline=baseline)
        found = interval(self.metric, self.sure) if self.sure else None
        return analysis.Metric(
            name,
            description,
            of_number(self.value),
            interval=found or UNSET,
            standard_error=self.sure.error if self.sure else UNSET,
            rows=self.base,
            baseline=baseline,
        )


Values = dict[str, dict[str, Measured]]  # by stage, and name of the metric


class Described(Struct, frozen=True):
    """Every metric of a state, and the file that says so. `measured` is by facet and its value's key."""

    analysis: Analysis
    measured: Mapping[tuple[str, str, str], dict[str, Measured]]


def describe(plan: Plan, state: BiasState, limits: Limits = NO_LIMITS) -> Described:
    """All metrics of `state`. `measured` has (facet, key of the value, the value as files have it)."""
    measured: dict[tuple[str, str, str], dict[str, Measured]] = {}
    entries: dict[str, dict[str, list[FacetValue]]] = {"pre": {}, "post": {}}
    for at, facet in enumerate(plan.facets):
        names = zip(facet.keys(), facet.texts(state.highest), strict=True)
        for value, (key, text) in enumerate(names):
            cells = Cells.of(state.tables[facet.name], value, plan.group is not None)
            found = {m.metric.name: m for m in _measure(plan, state, cells, at, value)}
            measured[facet.name, key, text] = found
            for stage, names_of in (("pre", plan.pre_training), ("post", plan.post_training)):
                own = [
                    found[name].entry(limits.get((facet.name, key, name)))
                    for name in names_of
                    if name in found
                ]
                entries[stage].setdefault(facet.name, []).append(_facet_value(key, text, own, cells, stage))
    return Described(_analysis(plan, state, entries), measured)


def _facet_value(key: str, text: str, metrics: list[analysis.Metric], cells: Cells, stage: str) -> FacetValue:
    matrices = {called: post_training.confusion(cells, side) for side, called in SIDES.items()}
    there = stage == "post" and all(matrices.values())
    rows = int(cells.rows(A) + cells.rows(D))
    return FacetValue(
        text,
        metrics,
        UNSET if key == text else key,
        rows,
        int(cells.rows(D)),
        matrices if there else UNSET,
    )


def _analysis(plan: Plan, state: BiasState, entries: Mapping[str, Any]) -> Analysis:
    """Post-training metrics where there is a prediction, pre-training ones always: CI needs no label."""
    column = plan.label or plan.predicted
    name = column.name if column else ""
    positive = column.text(0, state.highest.get(column.name)) if column else ""
    post = bool(plan.post_training and plan.predicted)
    return Analysis(
        post_training_bias_metrics=Stage(name, entries["post"], positive) if post else UNSET,
        pre_training_bias_metrics=Stage(name, entries["pre"], positive) if plan.pre_training else UNSET,
    )


def _measure(plan: Plan, state: BiasState, cells: Cells, facet: int, value: int) -> Iterator[Measured]:
    resamples = Resamples.of(cells)
    names = [*plan.pre_training, *(plan.post_training if plan.predicted else ())]
    rows, d = int(cells.rows(A) + cells.rows(D)), int(cells.rows(D))
    for name in names:
        metric = METRICS[name]
        if name == _SAMPLED:
            number, why, sure, base = _flips(plan, state, facet, value)
        else:
            number, why, sure, base = _of_counts(metric, cells, resamples)
        yield Measured(metric, number, why, sure, base, rows, d)


_Found = tuple[float | None, str | None, Spread | None, int]


def _of_counts(metric: Metric, cells: Cells, resamples: Resamples) -> _Found:
    assert metric.formula is not None
    number, base = float(metric.formula(cells)), smallest_base(metric, cells)
    if np.isnan(number):
        return None, reason(metric, cells), None, base
    return number, None, spread(metric, number, cells, resamples), base


def _flips(plan: Plan, state: BiasState, at: int, value: int) -> _Found:
    if not plan.features:
        return None, plan.no_flip, None, 0
    facet: Facet = plan.facets[at]
    own = {column.name for column in facet.columns}
    without = [place for place, name in enumerate(plan.features) if name in own]
    found = flip.measure(state.sample, at, value, facet.values + 1, without)
    if isinstance(found, str):
        return None, found, None, 0
    sure = None if found.standard_error is None else Spread(found.value, found.standard_error)
    return found.value, None, sure, min(found.rows)
