"""Points of series that the documents of a report give: what monitors of one's own measured, completeness,
a model's quality and its estimate, bias, attributions. Documents of another form than ours give none."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from schemas import analysis, quality
from schemas.analysis import Analysis, Explanations, RankingDrift

_STATISTICS, _SERIES, _ANALYSIS = "statistics.json", "metrics.json", "analysis.json"

DOCUMENTS = (_STATISTICS, _SERIES, _ANALYSIS)  # those that are read

Point = dict[str, Any]
_T = TypeVar("_T")


class _Numbers(Struct):
    completeness: float | UnsetType = UNSET


class _Feature(Struct):
    name: str
    numerical_statistics: _Numbers | UnsetType = UNSET
    string_statistics: _Numbers | UnsetType = UNSET


class _Statistics(Struct):
    """As much of the statistics.json of data quality as becomes series."""

    features: list[_Feature] = []


def point(metric: str, value: float | None, feature: str | None = None, **more: Any) -> Point:
    """A number of a window, and what `more` is known of it."""
    return {"metric": metric, "feature": feature, "value": number(value), **more}


def number(value: float | None) -> float | None:
    """JSON has no infinity and no NaN: they are no measurement."""
    return value if value is not None and isfinite(value) else None


def figures(documents: Mapping[str, Any]) -> Iterator[Point]:
    """The points of a report's documents, by file name. A model's metrics stand in metrics.json too, by their
    values alone."""
    statistics = documents.get(_STATISTICS)
    known = set()
    for each in _quality(statistics):
        known.add(each["metric"])
        yield each
    for name, value in (_read(documents.get(_SERIES), dict[str, float | None]) or {}).items():
        if name not in known:
            yield point(name, value)
    yield from _completeness(statistics)
    if found := _read(documents.get(_ANALYSIS), Analysis):
        yield from _bias(found)
        yield from _attributions(found)


def _quality(statistics: Any) -> Iterator[Point]:
    """Metrics of a model's quality, or their estimate. Curves and matrices are no points."""
    found = _table(statistics)
    key = next((key for key in quality.METRICS.values() if key in found), None)
    if key is None:
        return
    ours, estimate = _table(found.get(quality.OURS)), "estimate" in found
    thresholds = _table(ours.get(quality.THRESHOLDS))
    for name, figure in _table(found[key]).items():
        yield from _measured(name, figure, estimate, thresholds.get(name))
    for name, figure in ours.items():
        if isinstance(figure, int | float):
            yield point(name, figure)  # a count or a bound: the same of an estimate
        else:
            yield from _measured(name, figure, estimate)


def _measured(name: str, figure: Any, estimate: bool, judged_by: Any = None) -> Iterator[Point]:
    metric, threshold = _read(figure, quality.Metric), _read(judged_by, quality.Threshold)
    if metric is None:
        return
    found = point(name, metric.value, estimate=estimate)
    if metric.standard_deviation != "NaN":
        found["standard_deviation"] = number(float(metric.standard_deviation))
    if metric.reason is not UNSET:
        found["reason"] = metric.reason
    if threshold:
        found["threshold"] = number(threshold.threshold)
        found["comparison_operator"] = threshold.comparison_operator
    yield found


def _completeness(statistics: Any) -> Iterator[Point]:
    found = _read(statistics, _Statistics)
    for feature in found.features if found else ():
        for numbers in (feature.numerical_statistics, feature.string_statistics):
            if numbers and numbers.completeness is not UNSET:
                yield point("completeness", numbers.completeness, feature.name)


def _bias(found: Analysis) -> Iterator[Point]:
    """Each metric of each value of each facet."""
    for _, stage in found.stages():
        for facet, values in stage.facets.items():
            for value in values:
                for metric in value.metrics:
                    yield point(metric.name, metric.number, facet, facet_value=value.name, **_more(metric))


def _more(metric: analysis.Metric) -> dict[str, Any]:
    """What is known beside the value; why it is none, also where it is infinite."""
    more: dict[str, Any] = {}
    if metric.interval is not UNSET:
        more |= _interval(metric.interval)
    if metric.rows is not UNSET:
        more["rows"] = metric.rows
    if metric.baseline is not UNSET and not isinstance(metric.baseline, str):
        more["baseline"] = number(metric.baseline)
    if isinstance(metric.value, str):
        more["reason"] = metric.value
    elif metric.error is not UNSET:
        more["reason"] = metric.error
    return more


def _attributions(found: Analysis) -> Iterator[Point]:
    """Of each output: what is expected of it, how much each feature moves it, how like the baseline's the
    ranking is."""
    explanations = Explanations() if found.explanations is UNSET else found.explanations
    for label, explained in found.labels.items():
        if explained.expected_value is not UNSET:
            yield point("expected_value", explained.expected_value, label=label)
        for feature, value in explained.global_shap_values.items():
            yield point("global_shap", value, feature, label=label)
    for label, drift in (explanations.drift or {}).items():
        yield point("ndcg", drift.ndcg, label=label, **_ranking(drift))


def _ranking(drift: RankingDrift) -> dict[str, Any]:
    more: dict[str, Any] = {"threshold": number(drift.threshold), "rows": drift.rows}
    if drift.interval is not None:
        more |= _interval(drift.interval)
    return more | ({"reason": drift.error} if drift.error else {})


def _interval(ends: tuple[float, float]) -> dict[str, Any]:
    return {"lower": number(ends[0]), "upper": number(ends[1])}


def _table(document: Any) -> Mapping[str, Any]:
    return document if isinstance(document, Mapping) else {}


def _read(document: Any, kind: type[_T]) -> _T | None:
    """A document, or a part of one, as the monitor's own type or as a table; None where it is neither."""
    try:
        return msgspec.convert(document, kind, from_attributes=True)
    except msgspec.ValidationError:
        return None
