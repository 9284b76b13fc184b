"""Bias on the page: each metric of a facet over time, with its interval and what the baseline allows."""

from collections.abc import Iterator, Mapping, Sequence, Set
from math import isfinite
from typing import Any

import altair as alt
from msgspec import UNSET

from schemas.analysis import Metric
from sinks.page import axes, colours
from sinks.page.axes import Spec
from sinks.page.reading import Report

MOST_WINDOWS = 400  # drawn, the latest
MOST_FACETS = 12

_FROM_ZERO = ("GE", "JS", "KL", "KS", "LP", "TVD")  # distances: they have no lower end

_COLUMNS = 3
_WIDTH, _HEIGHT = 325, 120  # of one metric's panel, in pixels

Place = tuple[str, str, str]  # facet, its value without the end of an interval, metric


def pack(reports: Sequence[Report]) -> dict[str, Any] | None:
    """Of each facet its metrics and their cells, see `_columns`; None where no report has bias. `first` is
    the place of the first window that is drawn."""
    first = max(0, len(reports) - MOST_WINDOWS)
    drawn = reports[first:]
    texts = {place[:2]: text for report in drawn for place, text, _ in _metrics(report)}
    if not texts:
        return None
    found = [{place: metric for place, _, metric in _metrics(report)} for report in drawn]
    shown = [*texts][:MOST_FACETS]
    return {
        "first": first,
        "facets": [f"{facet}: {texts[facet, value]}" for facet, value in shown],
        "series": [_series(facet, found, [_violated(report, facet) for report in drawn]) for facet in shown],
        "hidden": len(texts) - len(shown),
    }


def _series(
    facet: tuple[str, str], found: Sequence[Mapping[Place, Metric]], worse: Sequence[Set[str]]
) -> dict[str, Any]:
    """The cells of each metric of a facet that is a number in some window, and why others are in none."""
    names = sorted({place[2] for cells in found for place in cells if place[:2] == facet})
    own = {name: [cells.get((*facet, name)) for cells in found] for name in names}
    shown = [name for name, cells in own.items() if any(map(_is_number, cells))]
    return {
        "metrics": shown,
        "cells": [_columns(own[name], [name in of_window for of_window in worse]) for name in shown],
        "undefined": _reasons(own, shown),
    }


def _metrics(report: Report) -> Iterator[tuple[Place, str, Metric]]:
    for facet, value, metric in report.analysis.metrics() if report.analysis else ():
        yield (facet, value.partition(", ")[0], metric.name), value, metric


def _violated(report: Report, facet: tuple[str, str]) -> set[str]:
    """Names of the metrics of a facet that are violations."""
    return {
        str(violation.metric_name)
        for violation in report.violations
        if (violation.facet, str(violation.facet_value).partition(", ")[0]) == facet
    }


def _is_number(metric: Metric | None) -> bool:
    return metric is not None and metric.number is not None and isfinite(metric.number)


def _columns(cells: Sequence[Metric | None], worse: Sequence[bool]) -> list[list[Any]]:
    """[values, lows, highs, allowed lows, allowed highs, violated], a number a window."""
    columns: list[list[Any]] = [[] for _ in range(6)]
    for metric, violated in zip(cells, worse, strict=True):
        number = metric.number if metric is not None and _is_number(metric) else None
        low, high = (None, None) if metric is None or metric.interval is UNSET else metric.interval
        below, above = _allowed(metric)
        for column, value in zip(columns, (number, low, high, below, above), strict=False):
            column.append(None if value is None else float(f"{value:.4g}"))
        columns[5].append(int(violated))
    return columns


def _allowed(metric: Metric | None) -> tuple[float | None, float | None]:
    """What the baseline allows: as far from parity, which is 0 and of DI 1, as it was itself."""
    if metric is None or not isinstance(metric.baseline, float | int):
        return None, None
    far = abs(float(metric.baseline))
    if metric.name in _FROM_ZERO:
        return None, far
    if metric.name == "DI":
        return (min(far, 1 / far), max(far, 1 / far)) if far else (None, None)
    return -far, far


def _reasons(cells: dict[str, list[Metric | None]], shown: Sequence[str]) -> list[list[str]]:
    """[reason, metrics] of those that are in no window a number, by their last reason."""
    said: dict[str, list[str]] = {}
    for name, own in cells.items():
        if name not in shown:
            errors = [metric.error for metric in own if metric is not None and metric.error is not UNSET]
            said.setdefault(str(errors[-1]) if errors else "infinite", []).append(name)
    return [[why, ", ".join(names)] for why, names in said.items()]


def height(packed: dict[str, Any]) -> int:
    """Pixels that the panels of the facet with the most metrics take."""
    most = max(len(series["metrics"]) for series in packed["series"])
    return -(-most // _COLUMNS) * (_HEIGHT + 55)


def spec() -> Spec:
    """A panel a metric: values with their intervals, dashed what the baseline allows, violations red."""
    base = alt.Chart().encode(x=axes.time("mid"))
    colour = alt.condition("datum.worse === 1", alt.value(colours.STEPS[3]), alt.value(colours.CURRENT))
    tooltip = [
        alt.Tooltip("label:N", title="window"),
        alt.Tooltip("metric:N"),
        alt.Tooltip("value:Q", format=".4~g"),
        alt.Tooltip("low:Q", title="95 % from", format=".4~g"),
        alt.Tooltip("high:Q", title="to", format=".4~g"),
        alt.Tooltip("above:Q", title="allowed up to", format=".4~g"),
    ]
    y = alt.Y(
        "value:Q", title=None, axis=axes.left(34, tickCount=4, format=".3~r"), scale=alt.Scale(zero=False)
    )
    dashes: dict[str, Any] = {"color": "#3d434b", "strokeDash": [4, 3], "strokeWidth": 1, "invalid": "filter"}
    layers = [
        base.mark_line(**dashes).encode(y="below:Q"),
        base.mark_line(**dashes).encode(y="above:Q"),
        base.mark_rule(strokeWidth=2, opacity=0.45, invalid="filter").encode(
            y="low:Q", y2="high:Q", color=colour, tooltip=tooltip
        ),
        base.mark_circle(size=22, opacity=1, invalid="filter").encode(y=y, color=colour, tooltip=tooltip),
    ]
    panel = alt.layer(*layers, data=alt.NamedData("bias")).properties(width=_WIDTH, height=_HEIGHT)
    header = alt.Header(title=None, labelFontWeight="bold", labelAnchor="start", labelColor="#1d2126")
    chart = panel.facet(facet=alt.Facet("metric:N", header=header), columns=_COLUMNS)
    return axes.look(chart.resolve_scale(y="independent"))
