"""Attributions on the page: nDCG against the baseline over time, and the ranks of features (a bump chart)."""

from collections.abc import Sequence
from typing import Any

import altair as alt
from msgspec import UNSET

from schemas.analysis import LabelExplanation, RankingDrift
from sinks.page import axes, colours
from sinks.page.axes import Domain, Spec
from sinks.page.reading import Report

MOST_WINDOWS = 400  # drawn, the latest
MOST_LABELS = 12
MOST_DOTS = 40  # of a feature: neighbouring windows are taken together, or nobody could read the ranks
MOST_FEATURES = 10  # of a label, those with the largest share in any window

_COLOURS = ("#1f5a92", "#e0542c", "#3c8d5a", "#5b4a9b", "#b8860b", "#a3487f", "#2f7fb5", "#8a0f1e", "#7a5c3e",
            "#5f9ea0")  # fmt: skip

Series = Sequence[LabelExplanation | None]


def pack(reports: Sequence[Report]) -> dict[str, Any] | None:
    """Of each label the shares and ranks of its leading features, by window, and nDCG as [values, lows,
    highs, violated]; None where no report has explanations. `missing` says why the last window that lacks
    some lacks them. A dot of the ranks stands for `together` windows: their mean shares.
    """
    first = max(0, len(reports) - MOST_WINDOWS)
    drawn = reports[first:]
    labels = [*dict.fromkeys(label for r in drawn if r.analysis for label in r.analysis.labels)]
    reasons = [report.incomplete for report in drawn if report.incomplete]
    if not labels and not reasons:
        return None
    series = [_label(drawn, label) for label in labels[:MOST_LABELS]]
    return {
        "first": first,
        "labels": labels[:MOST_LABELS],
        "series": series,
        "hidden": len(labels) - len(series),
        "together": _together(drawn),
        "missing": reasons[-1] if reasons else "",
        "missing_in": len(reasons),
    }


def _label(reports: Sequence[Report], label: str) -> dict[str, Any]:
    explained = [report.analysis.labels.get(label) if report.analysis else None for report in reports]
    drifts = [_drift(report, label) for report in reports]
    violated = [int(any(v.label == label for v in report.violations)) for report in reports]
    shares = [_shares(each.global_shap_values) if each else {} for each in explained]
    known = {move.feature: move for drift in drifts if drift for move in drift.moved}
    most: dict[str, float] = {}
    for of_window in shares:
        for name, share in of_window.items():
            most[name] = max(share, most.get(name, 0.0))
    for name, move in known.items():
        most[name] = max(move.baseline, most.get(name, 0.0))
    features = sorted(most, key=lambda name: (-most[name], name))[:MOST_FEATURES]
    step = _together(reports)
    pooled = [_mean(shares[at : at + step]) for at in range(0, len(shares), step)]
    ranks = [_ranks(of_dot) for of_dot in pooled]
    lows, highs = (
        [None if d is None or d.interval is None else _short(d.interval[end]) for d in drifts]
        for end in (0, 1)
    )
    return {
        "features": features,
        "rank": [[of_dot.get(name) for of_dot in ranks] for name in features],
        "share": [[_short(of_dot.get(name)) for of_dot in pooled] for name in features],
        "baseline": [known[name].baseline_rank if name in known else None for name in features],
        "ndcg": [[_short(d.ndcg) if d else None for d in drifts], lows, highs, violated],
        "threshold": next((d.threshold for d in drifts if d), None),
        "rows": [d.rows if d else None for d in drifts],
    }


def _drift(report: Report, label: str) -> RankingDrift | None:
    if report.analysis is None or report.analysis.explanations is UNSET:
        return None
    drifts = report.analysis.explanations.drift
    return None if drifts is UNSET else drifts.get(label)


def _shares(values: Any) -> dict[str, float]:
    total = sum(map(abs, values.values())) or 1.0
    return {name: abs(value) / total for name, value in values.items()}


def _together(reports: Sequence[Report]) -> int:
    return -(-len(reports) // MOST_DOTS)


def _mean(shares: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean share of each feature over the windows that have any."""
    known = [of_window for of_window in shares if of_window]
    names = dict.fromkeys(name for of_window in known for name in of_window)
    return {name: sum(of_window.get(name, 0.0) for of_window in known) / len(known) for name in names}


def _ranks(shares: dict[str, float]) -> dict[str, int]:
    order = sorted(shares, key=lambda name: (-shares[name], name))
    return {name: place for place, name in enumerate(order, 1)}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def specs(domain: Domain) -> dict[str, Spec]:
    """Both charts, by name."""
    return {"ndcg": _ndcg(domain), "ranks": _ranking(domain)}


def _ndcg(domain: Domain) -> Spec:
    """nDCG with its interval, dashed the threshold, violations red."""
    base = alt.Chart(alt.NamedData("ndcg")).encode(x=axes.time("mid"))
    colour = alt.condition("datum.worse === 1", alt.value(colours.STEPS[3]), alt.value(colours.CURRENT))
    tooltip = [
        alt.Tooltip("label:N", title="window"),
        alt.Tooltip("ndcg:Q", title="nDCG", format=".4f"),
        alt.Tooltip("low:Q", title="95 % from", format=".4f"),
        alt.Tooltip("high:Q", title="to", format=".4f"),
        alt.Tooltip("rows:Q", title="rows explained", format=","),
    ]
    y = alt.Y("ndcg:Q", title=None, axis=axes.left(70, tickCount=4), scale=alt.Scale(zero=False, domainMax=1))
    dashes: dict[str, Any] = {"color": "#3d434b", "strokeDash": [4, 3], "strokeWidth": 1, "invalid": "filter"}
    return axes.spec(
        alt.layer(
            axes.gaps(domain),
            base.mark_line(**dashes).encode(y="threshold:Q"),
            base.mark_rule(strokeWidth=2, opacity=0.45, invalid="filter").encode(
                y="low:Q", y2="high:Q", color=colour, tooltip=tooltip
            ),
            base.mark_circle(size=30, opacity=1, invalid="filter").encode(y=y, color=colour, tooltip=tooltip),
        ),
        height=120,
    )


def _ranking(domain: Domain) -> Spec:
    """A line a feature, from its rank in the baseline (left) over the windows; named at its right end."""
    base = alt.Chart(alt.NamedData("ranks"))
    colour = alt.Color(
        "of:N", legend=None, scale=alt.Scale(domain=[*range(MOST_FEATURES)], range=[*_COLOURS])
    )
    y = alt.Y("rank:O", title=None, axis=axes.left(70, grid=True))
    tooltip = [
        alt.Tooltip("feature:N"),
        alt.Tooltip("label:N", title="window"),
        alt.Tooltip("rank:O"),
        alt.Tooltip("share:Q", title="share of all", format=".1%"),
    ]
    common = {"x": axes.time("mid"), "y": y, "color": colour}
    lines = base.mark_line(
        strokeWidth=2.5, opacity=0.75, interpolate="monotone", invalid="break-paths-show-domains"
    )
    names = base.mark_text(align="left", dx=8, fontSize=11, limit=150)
    return axes.spec(
        alt.layer(
            lines.encode(**common, detail="feature:N"),
            base.mark_circle(size=70, opacity=1, invalid="filter").encode(**common, tooltip=tooltip),
            names.transform_filter("datum.last").encode(**common, text="feature:N"),
        ),
        height=260,
    )
