"""What comes first on the page: how severe a drift is, the order of features, the cell shown at the start."""

from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from schemas.report import Drift
from sinks.page.reading import Report


def severity(drift: Drift) -> float:
    """Distance / threshold: above 1 may be drift. 0 where there is no distance.

    ChiSquared's is a p-value, drift when below its threshold; there it is threshold / p-value.

    >>> severity(Drift("carrier", "categorical", 0.25, 0.1, "LInfinity", [], [], []))
    2.5
    >>> severity(Drift("carrier", "categorical", 0.01, 0.05, "ChiSquared", [], [], []))
    5.0
    """
    if drift.distance is None:
        return 0.0
    large, small = drift.distance, drift.threshold
    if is_p_value(drift):
        large, small = small, large
    if small > 0:
        return large / small
    return inf if large > 0 else 0.0


def is_p_value(drift: Drift) -> bool:
    return drift.method == "ChiSquared"


class Feature(NamedTuple):
    """A feature, the number of windows in which it drifted, and its greatest severity."""

    name: str
    drifted: int
    severity: float


def ranked(reports: Sequence[Report]) -> list[Feature]:
    """Features by the number of windows in which they drifted, then by their greatest severity.

    One odd day does not lead the page. A distance beyond its threshold is drift where the report calls it a
    violation: it may be chance, or rest on too few values.
    """
    drifted: Counter[str] = Counter()
    greatest: dict[str, float] = {}
    for report in reports:
        moved = [v for v in report.violations if v.constraint_check_type == "baseline_drift_check"]
        drifted.update({violation.feature_name for violation in moved})
        for drift in report.drift:
            name = drift.feature_name
            greatest[name] = max(greatest.get(name, 0.0), severity(drift))
    features = [Feature(name, drifted[name], greatest[name]) for name in greatest]
    return sorted(features, key=lambda feature: (-feature.drifted, -feature.severity, feature.name))


class Cell(NamedTuple):
    """One feature in one window, both by index."""

    feature: int
    window: int
    drift: Drift


def lead(reports: Sequence[Report], features: Sequence[str]) -> Cell | None:
    """Of the first of `features` that was measured, the cell that drifted most."""
    place = {name: at for at, name in enumerate(features)}
    cells = (
        Cell(place[drift.feature_name], window, drift)
        for window, report in enumerate(reports)
        for drift in report.drift
        if drift.distance is not None and drift.feature_name in place
    )
    return min(cells, key=lambda cell: (cell.feature, -severity(cell.drift)), default=None)
