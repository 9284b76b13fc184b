"""The charts of the page as Vega-Lite specifications: pure functions of scales and names, no data inside.

Each specification names its data (`cells`, `gaps`, ...); the page's script unpacks them. Text from reports
gets into a specification only as an item of a scale's domain, never into an expression.
"""

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import altair as alt

Spec = dict[str, Any]

ROW_HEIGHT = 19
NO_DATA = "#d5d5d5"
BASELINE, CURRENT = "#b3bdc8", "#1f5a92"
ROWS, BAD, LATE = "#7d9dbb", "#a33a2a", "#d9a441"
STEPS = {
    0.5: "#e9f0f6",
    0.75: "#cbdbe9",
    1: "#9dbbd6",
    1.5: "#fdc074",
    2: "#f58a42",
    3: "#d63c23",
    inf: "#8a0f1e",
}
CHECK_COLOURS = {
    "baseline_drift_check": "#e0542c",
    "data_type_check": "#5b4a9b",
    "completeness_check": "#2f7fb5",
    "missing_column_check": "#1d1d1f",
    "extra_column_check": "#8a8f98",
    "categorical_values_check": "#3c8d5a",
}
SPARE_COLOURS = ("#b8860b", "#a3487f", "#5f9ea0", "#7a5c3e")


class Domain(NamedTuple):
    """The time that a section's charts span, in milliseconds since the epoch, and its number of windows."""

    start: int
    end: int
    windows: int


_TIMES = {
    "year": "%Y",
    "quarter": "%b %Y",
    "month": "%b %Y",
    "week": "%b %d",
    "day": "%b %d",
    "date": "%b %d",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S.%L",
}
_CONFIG: Spec = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "background": "#ffffff",
    "view": {"stroke": "#d9dde2"},
    "axis": {
        "domain": False,
        "tickColor": "#c4c9d0",
        "gridColor": "#eceef1",
        "labelColor": "#3d434b",
        "titleColor": "#3d434b",
        "titleFontWeight": "normal",
        "titleFontSize": 11,
        "labelFontSize": 11,
    },
    "legend": {
        "labelColor": "#3d434b",
        "titleColor": "#3d434b",
        "titleFontWeight": "normal",
        "labelLimit": 320,
    },
}


def check_colours(checks: Sequence[str]) -> dict[str, str]:
    """Give each check type present its fixed colour, an unknown one a spare colour.

    >>> check_colours(["completeness_check", "shape_check"])
    {'completeness_check': '#2f7fb5', 'shape_check': '#b8860b'}
    """
    known = {check: colour for check, colour in CHECK_COLOURS.items() if check in checks}
    unknown = sorted(set(checks) - set(known))
    return known | {check: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, check in enumerate(unknown)}


def gutter(names: Sequence[str]) -> int:
    """Width in pixels left of every chart over time, so that their time axes are in line."""
    return min(230, max(70, 16 + 7 * max(map(len, names), default=0)))


def violations_over_time(domain: Domain, left: int, checks: Sequence[str]) -> Spec:
    """Stacked bars: violations of each window by check type."""
    colours = check_colours(checks)
    bars = (
        alt.Chart(alt.NamedData("violations"))
        .mark_bar()
        .encode(
            x=_time(),
            x2="e:T",
            y=alt.Y("low:Q", title=None, axis=_whole_numbers(left)),
            y2="high:Q",
            color=alt.Color(
                "check:N",
                title=None,
                scale=alt.Scale(domain=list(colours), range=list(colours.values())),
                legend=alt.Legend(orient="top", symbolType="square"),
            ),
            tooltip=[
                alt.Tooltip("label:N", title="window"),
                alt.Tooltip("check:N"),
                alt.Tooltip("n:Q", title="violations"),
                alt.Tooltip("features:N"),
            ],
        )
    )
    return _spec(alt.layer(_gaps(domain), bars), height=130)


def drift_map(domain: Domain, left: int, features: Sequence[str]) -> Spec:
    """Heat map feature x window: colour is distance / threshold, blue up to 1 and orange to red above."""
    y = alt.Y(
        "feature:N",
        title=None,
        scale=alt.Scale(domain=list(features), paddingInner=0.08, paddingOuter=0),
        axis=_left(left, labelLimit=left - 12, ticks=False),
    )
    colour = alt.Color(
        "ratio:Q",
        title="distance ÷ threshold",
        scale=alt.Scale(
            type="threshold", domain=[step + 1e-9 for step in STEPS][:-1], range=list(STEPS.values())
        ),
        legend=alt.Legend(
            orient="top", titleOrient="left", gradientLength=350, gradientThickness=11, format="~r"
        ),
    )
    unmeasured = alt.condition("datum.distance === null", alt.value(NO_DATA), colour)
    base = alt.Chart(alt.NamedData("cells")).encode(x=_time(), x2="e:T", y=y)
    cells = base.mark_rect(cursor="pointer", invalid=None).encode(
        color=unmeasured,
        tooltip=[
            alt.Tooltip("feature:N"),
            alt.Tooltip("label:N", title="window"),
            alt.Tooltip("distance:Q", title="distance or p-value", format=".4~g"),
            alt.Tooltip("threshold:Q", format="~g"),
            alt.Tooltip("ratio:Q", title="in thresholds", format=".3~g"),
            alt.Tooltip("method:N"),
        ],
    )
    chosen = base.properties(data=alt.NamedData("chosen"))
    halo = chosen.mark_rect(fill=None, stroke="#ffffff", strokeWidth=5, cursor="pointer")
    ring = chosen.mark_rect(fill=None, stroke="#000000", strokeWidth=2, cursor="pointer")
    return _spec(alt.layer(_gaps(domain), cells, halo, ring), height=ROW_HEIGHT * max(3, len(features)))


def distribution() -> Spec:
    """Grouped bars: share of each bin, baseline beside the chosen window; signal `labels` names the bins."""
    labels = alt.param(name="labels", value=[])
    bars = (
        alt.Chart(alt.NamedData("bins"))
        .mark_bar()
        .encode(
            x=alt.X(
                "bin:O",
                title=None,
                scale=alt.Scale(paddingInner=0.25, paddingOuter=0.15),
                axis=alt.Axis(labelExpr="labels[datum.value]", labelAngle=-35, labelLimit=110, ticks=False),
            ),
            xOffset=alt.XOffset("of:N", scale=alt.Scale(domain=["baseline", "window"])),
            y=alt.Y("share:Q", stack=None, title="share of rows", axis=alt.Axis(format="~%", tickCount=5)),
            color=alt.Color(
                "of:N",
                title=None,
                scale=alt.Scale(domain=["baseline", "window"], range=[BASELINE, CURRENT]),
                legend=alt.Legend(orient="top", symbolType="square"),
            ),
            tooltip=[
                alt.Tooltip("bin_label:N", title="values"),
                alt.Tooltip("baseline:Q", format=".2%"),
                alt.Tooltip("window:Q", format=".2%"),
            ],
        )
        .add_params(labels)
    )
    return _spec(bars, height=230)


def distance_over_time(domain: Domain) -> Spec:
    """The chosen feature's distance in every window, with its threshold and a mark at the chosen window."""
    base = alt.Chart(alt.NamedData("line")).encode(x=_time("mid"))
    tooltip = [alt.Tooltip("label:N", title="window"), alt.Tooltip("distance:Q", format=".4~g")]
    y = alt.Y("distance:Q", title=None, axis=alt.Axis(tickCount=5))
    line = base.mark_line(color="#8fa9c2", strokeWidth=1, interpolate="linear").encode(y=y)
    points = base.mark_circle(size=14, cursor="pointer", opacity=1).encode(
        y=y,
        color=alt.condition("datum.ratio > 1", alt.value(STEPS[3]), alt.value(CURRENT)),
        tooltip=tooltip,
    )
    threshold = base.mark_line(color="#3d434b", strokeDash=[4, 3], strokeWidth=1, invalid="filter").encode(
        y="threshold:Q"
    )
    chosen = alt.Chart(alt.NamedData("chosen")).encode(x=_time("mid"))
    rule = chosen.mark_rule(color="#000000", strokeWidth=1).encode(x=_time("mid", domain))
    ring = chosen.mark_point(color="#000000", size=70, strokeWidth=2).encode(y=y, tooltip=tooltip)
    return _spec(alt.layer(rule, line, threshold, points, ring), height=230)


def counts_over_time(domain: Domain, left: int, colours: dict[str, str], height: int) -> Spec:
    """Bars of counts per window; stacked where there are several."""
    bars = (
        alt.Chart(alt.NamedData("counts"))
        .mark_bar()
        .encode(
            x=_time(),
            x2="e:T",
            y=alt.Y(
                "low:Q",
                title=None,
                axis=_whole_numbers(left),
            ),
            y2="high:Q",
            color=alt.Color(
                "of:N",
                title=None,
                scale=alt.Scale(domain=list(colours), range=list(colours.values())),
                legend=alt.Legend(orient="top", symbolType="square") if len(colours) > 1 else None,
            ),
            tooltip=[
                alt.Tooltip("label:N", title="window"),
                *(alt.Tooltip(f"{name}:Q", format=",") for name in ("records", "rows", "bad", "late")),
                alt.Tooltip("status:N"),
                alt.Tooltip("revision:Q"),
            ],
        )
    )
    return _spec(alt.layer(_gaps(domain), bars), height=height)


def _time(field: str = "s", domain: Domain | None = None) -> alt.X:
    """The axis of time. One layer of a chart says its domain."""
    scale = alt.Scale(type="utc", nice=False)
    if domain:
        # Whole pixels leave no seams between cells; narrow cells would have none of them.
        scale = alt.Scale(type="utc", nice=False, domain=domain[:2], round=domain.windows <= 500)
    axis = alt.Axis(grid=False, labelOverlap=True, format=_TIMES)
    return alt.X(f"{field}:T", title=None, scale=scale, axis=axis)


def _left(width: int, **options: Any) -> alt.Axis:
    return alt.Axis(minExtent=width, maxExtent=width, **options)


def _whole_numbers(width: int) -> alt.Axis:
    ticks = alt.expr("min(ceil(height / 35), domain('y')[1])")
    return _left(width, format=",d", tickCount=ticks)


def _gaps(domain: Domain) -> alt.LayerChart:
    """Grey bands over the windows that held no data, and the domain of time.

    The domain has a layer of its own: beside an x2 Vega-Lite warns of a conflict with itself.
    """
    base = alt.Chart(alt.NamedData("gaps"))
    frame = base.mark_tick(opacity=0, tooltip=None).encode(x=_time(domain=domain))
    tooltip = [alt.Tooltip("label:N", title="window"), alt.Tooltip("status:N")]
    bands = base.mark_rect(color=NO_DATA).encode(x=_time(), x2="e:T", tooltip=tooltip)
    return alt.LayerChart(layer=[frame, bands])


def _spec(chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: int) -> Spec:
    spec = chart.properties(width="container", height=height).to_dict()
    del spec["$schema"]  # an address that nothing needs to load
    return {**spec, "config": _CONFIG}  # ours, whatever theme is enabled
