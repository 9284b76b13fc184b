"""A model's quality on the page: what was measured beside what was estimated, and how many labels came."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt

from schemas.quality import Metric, Threshold
from schemas.report import Coverage
from sinks.page import axes, colours
from sinks.page.axes import Domain, Spec
from sinks.page.packing import milliseconds
from sinks.page.reading import ESTIMATED, MEASURED, Key, Report, Window
from sinks.page.words import label

MOST_WINDOWS = 400  # drawn, the latest
_CONSTANT = "_best_constant_classifier"
# A metric's standard error is twice Model Monitor's standard deviation, and 95 % are within 1.96 of those.
_MARGIN = 2 * 1.96

Sides: TypeAlias = tuple[Sequence[Report], Sequence[Report]]  # measured, and estimated
_OfWindow: TypeAlias = Mapping[Window, Report]


def sides(shown: Mapping[Key, Sequence[Report]], key: Key) -> Sides | None:
    """What is drawn together in the section of `key`: with estimates that have a measured side, all is in the
    section of that."""
    endpoint, variant, model, monitor = key
    measured, estimated = (endpoint, variant, model, MEASURED), (endpoint, variant, model, ESTIMATED)
    if monitor == MEASURED or (monitor == ESTIMATED and measured not in shown):
        return shown.get(measured, ()), shown.get(estimated, ())
    return None


def pack(measured: Sequence[Report], estimated: Sequence[Report]) -> dict[str, Any] | None:
    """The windows of both sides with their labels, and of each metric the columns that `_series` gives; None
    where there is no figure."""
    real, guessed, windows = _aligned(measured, estimated)
    names = _names([*real.values(), *guessed.values()])
    if not names:
        return None
    coverage = [_coverage(real.get(window)) for window in windows]
    return {
        "windows": {
            "s": [milliseconds(window.start) for window in windows],
            "e": [milliseconds(window.end) for window in windows],
            "label": [label(window) for window in windows],
            "revision": [real[window].revision if window in real else None for window in windows],
            **{name: [getattr(each, name) for each in coverage] for name in colours.LABELS},
        },
        "metrics": names,
        "series": [_series(name, windows, real, guessed) for name in names],
        "thresholds": [_number(_threshold(name, real, guessed)) for name in names],
    }


def _aligned(
    measured: Sequence[Report], estimated: Sequence[Report]
) -> tuple[_OfWindow, _OfWindow, Sequence[Window]]:
    """Reports of both sides by window, and the windows that are drawn."""
    real = {report.window: report for report in measured}
    guessed = {report.window: report for report in estimated}
    windows = sorted(real.keys() | guessed.keys())[-MOST_WINDOWS:]
    kept = set(windows)
    return (
        {window: report for window, report in real.items() if window in kept},
        {window: report for window, report in guessed.items() if window in kept},
        windows,
    )


def _names(reports: Sequence[Report]) -> list[str]:
    """Metrics that are a number in some window, those with a threshold first."""
    found = [report.figures for report in reports if report.figures]
    known = {name: None for figures in found for name, m in figures.metrics.items() if m.value is not None}
    judged = {name for figures in found for name in figures.thresholds}
    shown = [name for name in known if not name.endswith(_CONSTANT)]
    return sorted(shown, key=lambda name: name not in judged)


def _coverage(report: Report | None) -> Coverage:
    return report.labels if report and report.labels else Coverage()


def _series(name: str, windows: Sequence[Window], real: _OfWindow, guessed: _OfWindow) -> list[list[Any]]:
    """[measured, from, to, whether that is a violation, estimated, whether that is one], a value a window."""
    columns: list[list[Any]] = [[] for _ in range(6)]
    for window in windows:
        measured, estimate = _metric(real.get(window), name), _metric(guessed.get(window), name)
        low, high = _interval(measured, real[window]) if measured else (None, None)
        values = (
            measured.value if measured else None,
            low,
            high,
            _violates(real.get(window), name),
            estimate.value if estimate else None,
            _violates(guessed.get(window), name),
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value if isinstance(value, bool) else _short(value))
    return columns


def _metric(report: Report | None, name: str) -> Metric | None:
    """A metric that is a number, in a window that has any rows to measure it by."""
    metric = report.figures.metrics.get(name) if report and report.figures else None
    return metric if metric is not None and metric.value is not None else None


def _interval(metric: Metric, report: Report) -> tuple[float | None, float | None]:
    """Where the metric of as many other rows would be in 95 of 100 cases; nothing with too few to tell."""
    if metric.value is None or metric.standard_deviation == "NaN":
        return None, None
    margin = _MARGIN * float(metric.standard_deviation)
    low, high = metric.value - margin, metric.value + margin
    if report.figures and report.figures.problem == "Regression":
        return low, high
    return max(0.0, low), min(1.0, high)


def _violates(report: Report | None, name: str) -> bool:
    return report is not None and any(violation.metric_name == name for violation in report.violations)


def _threshold(name: str, real: _OfWindow, guessed: _OfWindow) -> Threshold | None:
    """The newest threshold of a metric."""
    for side in (real, guessed):
        for window in sorted(side, reverse=True):
            figures = side[window].figures
            if figures and name in figures.thresholds:
                return figures.thresholds[name]
    return None


def _number(threshold: Threshold | None) -> float | None:
    return None if threshold is None else threshold.threshold


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def overview(measured: Sequence[Report], estimated: Sequence[Report]) -> dict[str, Any]:
    """What is said above the chart: labels over all windows, and of each metric its last figures.

    A window is settled when no prediction in it waits for a label any more.
    """
    real, guessed, _ = _aligned(measured, estimated)
    covered = [_coverage(report) for report in measured]
    total = [sum(getattr(each, name) for each in covered) for name in colours.LABELS]
    known = [window for window in sorted(real) if _coverage(real[window]).matched]
    settled = [window for window in known if not _coverage(real[window]).waiting]
    last = {
        "settled": settled[-1] if settled else None,
        "open": known[-1] if known and known[-1:] != settled[-1:] else None,
        "estimated": max((window for window in guessed if _has_figures(guessed[window])), default=None),
    }
    places = {"settled": real, "open": real, "estimated": guessed}
    return {
        "predictions": sum(total),
        **dict(zip(colours.LABELS, total, strict=True)),
        "open_windows": sum(each.waiting > 0 for each in covered),
        "unlabelled": sum(not each.matched and each.waiting > 0 for each in covered),
        "measured": bool(measured),
        "estimates": bool(guessed),
        "last": {name: label(window) if window else None for name, window in last.items()},
        "share": _share(_coverage(real[last["open"]])) if last["open"] else None,
        "metrics": [
            {
                "name": name,
                "threshold": _threshold(name, real, guessed),
                **{
                    at: _metric(places[at].get(window) if window else None, name)
                    for at, window in last.items()
                },
                "violated": [
                    at for at, window in last.items() if window and _violates(places[at].get(window), name)
                ],
                "violations": [
                    sum(_violates(report, name) for report in side) for side in (measured, estimated)
                ],
            }
            for name in _names([*real.values(), *guessed.values()])
        ],
    }


def _has_figures(report: Report) -> bool:
    return bool(report.figures and any(m.value is not None for m in report.figures.metrics.values()))


def _share(coverage: Coverage) -> float:
    return coverage.matched / (coverage.matched + coverage.waiting + coverage.expired)


def specs(packed: Mapping[str, Any]) -> dict[str, Spec]:
    """Both charts, by name."""
    windows = packed["windows"]
    domain = Domain(windows["s"][0], max(windows["e"]), len(windows["s"]))
    return {"quality": _over_time(domain, _drawn(packed)), "coverage": _labels(domain)}


def _drawn(packed: Mapping[str, Any]) -> set[str]:
    """Which columns hold a number for any metric: a layer without one would have no scale."""
    names = ("value", "low", "high", "worse", "estimate", "worseEstimate")
    return {
        name
        for series in packed["series"]
        for name, column in zip(names, series, strict=True)
        if any(number is not None for number in column)
    }


def _over_time(domain: Domain, drawn: Collection[str]) -> Spec:
    """Measured as dots with intervals, hollow where labels are missing that may still come; the estimate as a
    line with diamonds; dashed the threshold; violations red."""
    base = alt.Chart(alt.NamedData("quality")).encode(x=axes.time("mid"))
    y = alt.Y("bound:Q", title=None, axis=axes.left(70, tickCount=5), scale=alt.Scale(zero=False))
    # Where a metric has no threshold, the line that nobody sees keeps the scale.
    seen = alt.condition("isValid(datum.threshold)", alt.value(1), alt.value(0))
    layers: list[alt.Chart] = [
        base.mark_line(color="#3d434b", strokeDash=[4, 3], strokeWidth=1).encode(y=y, opacity=seen)
    ]
    if "estimate" in drawn:
        layers += _estimates(base.transform_filter("isValid(datum.estimate)"))
    if "value" in drawn:
        layers += _measured(base.transform_filter("isValid(datum.value)"), "low" in drawn)
    return axes.spec(alt.layer(axes.gaps(domain), *layers), height=230)


def _estimates(base: alt.Chart) -> list[alt.Chart]:
    colour = alt.condition("datum.worseEstimate", alt.value(colours.STEPS[2]), alt.value(colours.ESTIMATE))
    line = base.mark_line(color=colours.ESTIMATE, strokeWidth=1, opacity=0.6).encode(y="estimate:Q")
    dots = base.mark_point(shape="diamond", size=22, filled=True, opacity=1)
    return [line, dots.encode(y="estimate:Q", color=colour, tooltip=_tooltip())]


def _measured(base: alt.Chart, intervals: bool) -> list[alt.Chart]:
    colour = alt.condition("datum.worse", alt.value(colours.STEPS[3]), alt.value(colours.CURRENT))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2, opacity=0.3)
    settled = base.transform_filter("datum.waiting === 0").mark_point(size=26, filled=True, opacity=1)
    waiting = base.transform_filter("datum.waiting > 0").mark_point(size=30, fill="#ffffff", opacity=1)
    common = {"color": colour, "tooltip": _tooltip()}
    return [
        *([bars.encode(y="low:Q", y2="high:Q", **common)] if intervals else []),
        *(dots.encode(y="value:Q", **common) for dots in (settled, waiting)),
    ]


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("label:N", title="window"),
        alt.Tooltip("value:Q", title="measured", format=".4~g"),
        alt.Tooltip("low:Q", title="95 % from", format=".4~g"),
        alt.Tooltip("high:Q", title="to", format=".4~g"),
        alt.Tooltip("estimate:Q", format=".4~g"),
        *_counts(),
    ]


def _counts() -> list[alt.Tooltip]:
    return [*(alt.Tooltip(f"{name}:Q", format=",") for name in colours.LABELS), alt.Tooltip("revision:Q")]


def _labels(domain: Domain) -> Spec:
    """Predictions of each window, by what became of their labels."""
    scale = alt.Scale(domain=list(colours.LABELS), range=list(colours.LABELS.values()))
    legend = alt.Legend(orient="top", symbolType="square")
    bars = alt.Chart(alt.NamedData("coverage")).mark_bar()
    drawn = bars.encode(
        x=axes.time(),
        x2="e:T",
        y=alt.Y("low:Q", title=None, axis=axes.whole_numbers(70)),
        y2="high:Q",
        color=alt.Color("of:N", title=None, scale=scale, legend=legend),
        tooltip=[alt.Tooltip("label:N", title="window"), *_counts()],
    )
    return axes.spec(alt.layer(axes.gaps(domain), drawn), height=110)
