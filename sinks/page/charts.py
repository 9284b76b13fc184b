"""The charts of the page as Vega-Lite specifications: pure functions of scales and names, no data inside.

Each specification names its data (`cells`, `gaps`, ...); the page's script unpacks them. Text from reports
gets into a specification only as an item of a scale's domain, never into an expression.
"""

from collections.abc import Mapping, Sequence

import altair as alt

from sinks.page import axes, colours
from sinks.page.axes import Domain, Spec

ROW_HEIGHT = 19


def specs(domain: Domain, features: Sequence[str], checks: Sequence[str]) -> dict[str, Spec]:
    """Every chart of a section, by name."""
    left = axes.gutter(features)
    made = {
        "rows": _counts_over_time(domain, left, {"rows": colours.ROWS}, height=110),
        "lost": _counts_over_time(domain, left, {"bad": colours.BAD, "late": colours.LATE}, height=70),
    }
    if checks:
        made["violations"] = _violations_over_time(domain, left, checks)
    if features:
        made["drift"] = _drift_map(domain, left, features)
        made["distribution"] = _distribution()
        made["distance"] = _distance_over_time(domain)
    return made


def _violations_over_time(domain: Domain, left: int, checks: Sequence[str]) -> Spec:
    """Violations of each window by check type."""
    tooltip = [
        alt.Tooltip("label:N", title="window"),
        alt.Tooltip("check:N"),
        alt.Tooltip("n:Q", title="violations"),
        alt.Tooltip("features:N"),
    ]
    bars = _stacked("violations", _named("check:N", colours.of_checks(checks)), left, tooltip)
    return axes.spec(alt.layer(axes.gaps(domain), bars), height=130)


def _counts_over_time(domain: Domain, left: int, of: Mapping[str, str], height: int) -> Spec:
    """Counts of each window, in the colours given by name."""
    tooltip = [
        alt.Tooltip("label:N", title="window"),
        *(alt.Tooltip(f"{name}:Q", format=",") for name in ("records", "rows", "bad", "late")),
        alt.Tooltip("status:N"),
        alt.Tooltip("revision:Q"),
    ]
    bars = _stacked("counts", _named("of:N", of, legend=len(of) > 1), left, tooltip)
    return axes.spec(alt.layer(axes.gaps(domain), bars), height=height)


def _stacked(data: str, colour: alt.Color, left: int, tooltip: Sequence[alt.Tooltip]) -> alt.Chart:
    """Bars of each window, each from `low` to `high`."""
    y = alt.Y("low:Q", title=None, axis=axes.whole_numbers(left))
    bars: alt.Chart = alt.Chart(alt.NamedData(data)).mark_bar()
    return bars.encode(x=axes.time(), x2="e:T", y=y, y2="high:Q", color=colour, tooltip=tooltip)


def _named(field: str, of: Mapping[str, str], legend: bool = True) -> alt.Color:
    """The colours of `field`, given by the names that it takes."""
    scale = alt.Scale(domain=list(of), range=list(of.values()))
    above = alt.Legend(orient="top", symbolType="square") if legend else None
    return alt.Color(field, title=None, scale=scale, legend=above)


def _drift_map(domain: Domain, left: int, features: Sequence[str]) -> Spec:
    """Heat map feature x window: colour is distance / threshold, blue up to 1 and orange to red above."""
    y = alt.Y(
        "feature:N",
        title=None,
        scale=alt.Scale(domain=list(features), paddingInner=0.08, paddingOuter=0),
        axis=axes.left(left, labelLimit=left - 12, ticks=False),
    )
    base = alt.Chart(alt.NamedData("cells")).encode(x=axes.time(), x2="e:T", y=y)
    cells = base.mark_rect(cursor="pointer", invalid=None).encode(
        color=alt.condition("datum.distance === null", alt.value(colours.NO_DATA), _severity_colour()),
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
    height = ROW_HEIGHT * max(3, len(features))
    return axes.spec(alt.layer(axes.gaps(domain), cells, halo, ring), height=height)


def _severity_colour() -> alt.Color:
    steps = [step + 1e-9 for step in colours.STEPS][:-1]
    return alt.Color(
        "ratio:Q",
        title="distance ÷ threshold",
        scale=alt.Scale(type="threshold", domain=steps, range=list(colours.STEPS.values())),
        legend=alt.Legend(
            orient="top", titleOrient="left", gradientLength=350, gradientThickness=11, format="~r"
        ),
    )


def _distribution() -> Spec:
    """Grouped bars: share of each bin, baseline beside the chosen window; signal `labels` names the bins."""
    of = {"baseline": colours.BASELINE, "window": colours.CURRENT}
    x = alt.X(
        "bin:O",
        title=None,
        scale=alt.Scale(paddingInner=0.25, paddingOuter=0.15),
        axis=alt.Axis(labelExpr="labels[datum.value]", labelAngle=-35, labelLimit=110, ticks=False),
    )
    bars = (
        alt.Chart(alt.NamedData("bins"))
        .mark_bar()
        .encode(
            x=x,
            xOffset=alt.XOffset("of:N", scale=alt.Scale(domain=list(of))),
            y=alt.Y("share:Q", stack=None, title="share of rows", axis=alt.Axis(format="~%", tickCount=5)),
            color=_named("of:N", of),
            tooltip=[
                alt.Tooltip("bin_label:N", title="values"),
                alt.Tooltip("baseline:Q", format=".2%"),
                alt.Tooltip("window:Q", format=".2%"),
            ],
        )
        .add_params(alt.param(name="labels", value=[]))
    )
    return axes.spec(bars, height=230)


def _distance_over_time(domain: Domain) -> Spec:
    """The chosen feature's distance in every window, with its threshold and a mark at the chosen window."""
    base = alt.Chart(alt.NamedData("line")).encode(x=axes.time("mid"))
    tooltip = [alt.Tooltip("label:N", title="window"), alt.Tooltip("distance:Q", format=".4~g")]
    y = alt.Y("distance:Q", title=None, axis=alt.Axis(tickCount=5))
    line = base.mark_line(color="#8fa9c2", strokeWidth=1, interpolate="linear").encode(y=y)
    points = base.mark_circle(size=14, cursor="pointer", opacity=1).encode(
        y=y,
        color=alt.condition("datum.ratio > 1", alt.value(colours.STEPS[3]), alt.value(colours.CURRENT)),
        tooltip=tooltip,
    )
    threshold = base.mark_line(color="#3d434b", strokeDash=[4, 3], strokeWidth=1, invalid="filter").encode(
        y="threshold:Q"
    )
    chosen = alt.Chart(alt.NamedData("chosen")).encode(x=axes.time("mid"))
    rule = chosen.mark_rule(color="#000000", strokeWidth=1).encode(x=axes.time("mid", domain))
    ring = chosen.mark_point(color="#000000", size=70, strokeWidth=2).encode(y=y, tooltip=tooltip)
    return axes.spec(alt.layer(rule, line, threshold, points, ring), height=230)
