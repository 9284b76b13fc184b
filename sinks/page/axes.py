"""What the charts have in common: the axis of time and the windows without data, left axes in line, fonts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt

from sinks.page.colours import NO_DATA

Spec = dict[str, Any]

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


class Domain(NamedTuple):
    """The time that a section's charts span, in milliseconds since the epoch, and its number of windows."""

    start: int
    end: int
    windows: int


def time(field: str = "s", domain: Domain | None = None) -> alt.X:
    """The axis of time. One layer of a chart says its domain."""
    scale = alt.Scale(type="utc", nice=False)
    if domain:
        # Whole pixels leave no seams between cells; narrow cells would have none of them.
        scale = alt.Scale(type="utc", nice=False, domain=domain[:2], round=domain.windows <= 500)
    axis = alt.Axis(grid=False, labelOverlap=True, format=_TIMES)
    return alt.X(f"{field}:T", title=None, scale=scale, axis=axis)


def gaps(domain: Domain) -> alt.LayerChart:
    """Grey bands over the windows that held no data, and the domain of time.

    The domain has a layer of its own: beside an x2 Vega-Lite warns of a conflict with itself.
    """
    base = alt.Chart(alt.NamedData("gaps"))
    frame = base.mark_tick(opacity=0, tooltip=None).encode(x=time(domain=domain))
    tooltip = [alt.Tooltip("label:N", title="window"), alt.Tooltip("status:N")]
    bands = base.mark_rect(color=NO_DATA).encode(x=time(), x2="e:T", tooltip=tooltip)
    return alt.LayerChart(layer=[frame, bands])


def gutter(names: Sequence[str]) -> int:
    """Width in pixels left of every chart over time, so that their time axes are in line."""
    return min(230, max(70, 16 + 7 * max(map(len, names), default=0)))


def left(width: int, **options: Any) -> alt.Axis:
    """A left axis exactly `width` wide."""
    return alt.Axis(minExtent=width, maxExtent=width, **options)


def whole_numbers(width: int) -> alt.Axis:
    """A left axis of counts, with no ticks between them."""
    ticks = alt.expr("min(ceil(height / 35), domain('y')[1])")
    return left(width, format=",d", tickCount=ticks)


def spec(chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: int) -> Spec:
    """The chart as JSON: as wide as its place, in our look whatever theme is enabled."""
    return look(chart.properties(width="container", height=height))


def look(chart: alt.Chart | alt.LayerChart | alt.FacetChart) -> Spec:
    """The chart as JSON in our look, of whatever size it is."""
    drawn = chart.to_dict()
    del drawn["$schema"]  # an address that nothing needs to load
    return {**drawn, "config": _CONFIG}
