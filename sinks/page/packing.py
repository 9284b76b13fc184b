"""What the charts of a section draw: columns and matrices that hold each thing once, within limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import inf
from typing import Any, Self

from schemas.report import Drift
from sinks.page.ranking import is_p_value, lead, severity
from sinks.page.reading import NO_DATA, Report
from sinks.page.words import bin_labels, cut, label

_Bins = tuple[tuple[str, ...], tuple[int, ...]]  # labels, and the baseline's share of each


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one section the page holds; what is left out is said there.

    The totals are of the page, shared by its sections, so that the page stays near 6 MB at most.
    """

    features: int = 60  # rows of the heat map
    cells: int = 250_000  # of the heat map, so latest windows drawn
    windows: int = 400  # with distributions, those of the greatest distances
    shares: int = 500_000  # in the distributions
    rows: int = 2_000  # of the table, and never more than 200 in one
    drawn: int = 2_000  # windows drawn, the latest

    @classmethod
    def among(cls, sections: int) -> Self:
        whole, n = cls(), max(1, sections)
        return cls(
            cells=whole.cells // n,
            shares=whole.shares // n,
            rows=min(200, max(20, whole.rows // n)),
        )

    def latest(self, reports: Sequence[Report], features: int) -> Sequence[Report]:
        """The reports whose windows are drawn when each has `features` cells."""
        return reports[-max(1, min(self.drawn, self.cells // max(1, features))) :]


@dataclass(frozen=True, slots=True)
class Packed:
    """The data of a section's charts, and of how many windows it has the distributions."""

    data: dict[str, Any]
    kept: int
    kept_of: int


class _Row:
    """One feature's cells, by window: rule -1 where the window has no such cell, shares after their bins."""

    def __init__(self, windows: int) -> None:
        self.rule = [-1] * windows
        self.distance: list[float | None] = [None] * windows
        self.shares: list[list[int] | None] = [None] * windows


def pack(reports: Sequence[Report], features: Sequence[str], limits: Limits) -> Packed:
    """Matrices feature x window refer by index to lists of distinct rules, bins and words."""
    first = lead(reports, features)
    kept = _with_distributions(reports, set(features), limits, first.window if first else None)
    rules: dict[tuple[str, float, bool], int] = {}
    bins: dict[_Bins, int] = {}
    matrix = {name: _Row(len(reports)) for name in features}
    for at, report in enumerate(reports):
        for drift in report.drift:
            if not (row := matrix.get(drift.feature_name)):
                continue
            row.rule[at] = _index(rules, (drift.method, drift.threshold, is_p_value(drift)))
            row.distance[at] = _short(drift)
            if at in kept and drift.bins:
                row.shares[at] = [_index(bins, _baseline(drift)), *_parts(drift.current)]
    words: dict[str, int] = {}
    rows = [matrix[name] for name in features]
    data = {
        "windows": _columns(reports),
        "violations": list(_violation_counts(reports)),
        "features": list(features),
        "lead": [first.feature, first.window] if first else None,
        "distance": [row.distance for row in rows],
        "rule": [row.rule for row in rows],
        "shares": [row.shares for row in rows],
        "rules": list(rules),
        "bins": [[[_index(words, text) for text in labels], baseline] for labels, baseline in bins],
        "words": list(words),
    }
    return Packed(data, len(kept), sum(report.status != NO_DATA for report in reports))


def _with_distributions(
    reports: Sequence[Report], features: set[str], limits: Limits, first: int | None
) -> set[int]:
    """The windows, by index, whose distributions the page holds: `first`, then those that drifted most."""

    def greatest(at: int) -> float:
        return max((severity(d) for d in reports[at].drift if d.feature_name in features), default=0.0)

    def numbers(at: int) -> int:
        """Values to store; a category's bins are its own in each window, so labels and baseline count too."""
        held = (drift for drift in reports[at].drift if drift.feature_name in features)
        return sum(len(drift.current) * (1 if drift.kind == "numeric" else 3) for drift in held)

    kept: set[int] = set()
    left = limits.shares
    held = [at for at, report in enumerate(reports) if report.status != NO_DATA]
    for at in sorted(held, key=lambda at: (at != first, -greatest(at), -at))[: limits.windows]:
        left -= numbers(at)
        if left < 0:
            break
        kept.add(at)
    return kept


def _index(known: dict[Any, int], value: Any) -> int:
    return known.setdefault(value, len(known))


def _baseline(drift: Drift) -> _Bins:
    labels = bin_labels(drift.bins) if drift.kind == "numeric" else cut(drift.bins)
    return labels, _parts(drift.baseline)


def _parts(shares: Sequence[float]) -> tuple[int, ...]:
    """Shares in parts of ten thousand."""
    return tuple(round(share * 10_000) for share in shares)


def _short(drift: Drift) -> float | None:
    """The distance in five digits, unless that would move it over its threshold."""
    if drift.distance is None:
        return None
    short = float(f"{drift.distance:.5g}")
    exact, limit = drift.distance, drift.threshold
    return short if (short > limit, short < limit) == (exact > limit, exact < limit) else exact


def _columns(reports: Sequence[Report]) -> dict[str, list[Any]]:
    """The windows, a list for each of their values. Where windows slide, each is drawn up to the next."""
    starts = [milliseconds(report.window.start) for report in reports]
    ends = [milliseconds(report.window.end) for report in reports]
    drawn = [
        max(start + 1, min(end, then))
        for start, end, then in zip(starts, ends, [*starts[1:], inf], strict=True)
    ]
    return {
        "s": starts,
        "e": drawn,
        "label": [label(report.window) for report in reports],
        "status": [report.status for report in reports],
        "revision": [report.revision for report in reports],
        "records": [report.counts.records for report in reports],
        "rows": [report.counts.rows for report in reports],
        "bad": [report.counts.bad for report in reports],
        "late": [report.counts.late for report in reports],
    }


def _violation_counts(reports: Sequence[Report]) -> Iterator[list[Any]]:
    """[window, check, how many, features] for each window and check type that has any."""
    for at, report in enumerate(reports):
        ordered = sorted(report.violations, key=lambda violation: violation.constraint_check_type)
        for check, group in groupby(ordered, key=lambda violation: violation.constraint_check_type):
            names = [violation.feature_name for violation in group]
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            yield [at, check, len(names), ", ".join(names[:6]) + more]


def milliseconds(when: datetime) -> int:
    return round(when.timestamp() * 1000)
