"""A section of the page, one subject and monitor: its numbers, its table, and what its charts draw."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from math import inf
from typing import Any

from schemas.report import Counts, Coverage, Violation
from sinks.page import attribution, bias, charts, quality
from sinks.page.axes import Domain
from sinks.page.packing import Limits, milliseconds, pack
from sinks.page.ranking import Feature, is_p_value, lead, ranked, severity
from sinks.page.reading import NO_DATA, Key, Report, Window
from sinks.page.words import label, length, moment


def newest(reports: Sequence[Report]) -> list[Report]:
    """One report a window, that of the highest revision, in the order of time."""
    of_window: dict[Window, Report] = {}
    for report in sorted(reports, key=lambda report: report.revision):
        of_window[report.window] = report
    return [of_window[window] for window in sorted(of_window)]


def section(reports: Sequence[Report], limits: Limits, sides: quality.Sides | None = None) -> dict[str, Any]:
    """What the template writes of `reports`, all of one subject and monitor, and as `data` what is drawn.

    `sides` are the reports of a model's quality that are drawn together here.
    """
    features = ranked(reports)
    shown = [feature.name for feature in features[: limits.features]]
    drawn = limits.latest(reports, len(shown))
    checks = sorted({violation.constraint_check_type for r in drawn for violation in r.violations})
    packed = pack(drawn, shown, limits)
    of_bias, of_model = bias.pack(drawn), attribution.pack(drawn)
    of_quality = quality.pack(*sides) if sides else None
    domain = Domain(
        milliseconds(drawn[0].window.start), max(milliseconds(r.window.end) for r in drawn), len(drawn)
    )
    return {
        "subject": reports[0].subject,
        "monitor": reports[0].monitor,
        "totals": totals(reports),
        "revised": sum(report.revision > 0 for report in reports),
        "last_violated": next((label(r.window) for r in reversed(reports) if r.violations), None),
        "drift": _drift(reports, features, shown),
        "labels": _labels(reports),
        "bias": of_bias,
        "attribution": of_model,
        "quality": quality.overview(*sides) if sides and of_quality else None,
        "bias_height": bias.height(of_bias) if of_bias else 0,
        "height": charts.ROW_HEIGHT * max(3, len(shown)) + 80,
        "drawn": len(drawn),
        "kept": packed.kept,
        "kept_of": packed.kept_of,
        "checks": checks,
        "lost": any(report.counts.bad or report.counts.late for report in drawn),
        "violations": list(islice(_violations(reports, shown, len(reports) - len(drawn)), limits.rows)),
        "violations_total": sum(len(report.violations) for report in reports),
        "data": {
            **packed.data,
            "specs": charts.specs(domain, shown, checks)
            | ({"bias": bias.spec()} if of_bias else {})
            | (attribution.specs(domain) if of_model else {})
            | (quality.specs(of_quality) if of_quality else {}),
            **({"bias": of_bias} if of_bias else {}),
            **({"attribution": of_model} if of_model else {}),
            **({"quality": of_quality} if of_quality else {}),
        },
    }


def _labels(reports: Sequence[Report]) -> Coverage | None:
    """How many predictions have their label; None of a monitor that looks at none."""
    found = [report.labels for report in reports if report.labels is not None]
    return reduce(Coverage.merge, found) if found else None


def totals(reports: Sequence[Report], counts: Counts | None = None) -> dict[str, Any]:
    """Numbers over all `reports`; `counts` where they are known better than from the reports.

    A window that several monitors looked at is one window.
    """
    sizes = Counter(report.window.end - report.window.start for report in reports)
    windows = {(report.key[:-1], report.window) for report in reports}
    violated = {(report.key[:-1], report.window) for report in reports if report.violations}
    with_data = {(report.key[:-1], report.window) for report in reports if report.status != NO_DATA}
    return {
        "windows": len(windows),
        "violated": len(violated),
        "no_data": len(windows - with_data),
        "counts": counts or _counts(reports),
        "start": moment(min(report.window.start for report in reports)) if reports else "",
        "end": moment(max(report.window.end for report in reports)) if reports else "",
        "size": " or ".join(length(size) for size in sorted(sizes)) if len(sizes) < 4 else "various sizes",
    }


def _counts(reports: Sequence[Report]) -> Counts:
    """Sum over windows and subjects; several monitors of a subject saw the same records, and count once."""
    of_key: dict[Key, Counts] = defaultdict(Counts)
    for report in reports:
        of_key[report.key] = of_key[report.key].merge(report.counts)
    of_subject: dict[tuple[str, ...], Counts] = {}
    for (*subject, _), counts in sorted(of_key.items(), key=lambda item: item[1].records):
        of_subject[tuple(subject)] = counts
    return reduce(Counts.merge, of_subject.values(), Counts())


def _drift(reports: Sequence[Report], features: Sequence[Feature], shown: Sequence[str]) -> dict[str, Any]:
    """How many features drifted, and which leads."""
    hidden = features[len(shown) :]
    return {
        "features": len(features),
        "drifted": sum(feature.drifted > 0 for feature in features),
        "shown": shown,
        "hidden": len(hidden),
        "hidden_drifted": sum(feature.drifted > 0 for feature in hidden),
        "p_values": any(is_p_value(drift) for report in reports for drift in report.drift),
        "lead": _lead(reports, features),
    }


def _lead(reports: Sequence[Report], features: Sequence[Feature]) -> dict[str, Any] | None:
    """The feature that comes first, in words: how often it drifted, and how far at most."""
    cell = lead(reports, [feature.name for feature in features])
    if not cell:
        return None
    drift = cell.drift
    return {
        "feature": drift.feature_name,
        "windows": features[cell.feature].drifted,
        "what": f"{'p-value' if is_p_value(drift) else 'distance'} {drift.distance:.4g}",
        "threshold": f"{drift.threshold:g}",
        "label": label(reports[cell.window].window),
    }


def _violations(reports: Sequence[Report], shown: Sequence[str], undrawn: int) -> Iterator[dict[str, Any]]:
    """Every violation, the latest window first; in a window what is not drift, then the most drifted.

    `cell` says where it is in the heat map, which leaves out the first `undrawn` windows.
    """
    place = {name: at for at, name in enumerate(shown)}
    for window in reversed(range(len(reports))):
        report = reports[window]
        severities = {drift.feature_name: severity(drift) for drift in report.drift}
        for violation in sorted(report.violations, key=lambda violation: -_rank(violation, severities)):
            name = violation.feature_name
            drawn = window >= undrawn and name in place and name in severities
            yield {
                "label": label(report.window),
                "revision": report.revision,
                "violation": violation,
                "cell": (place[name], window - undrawn) if drawn else None,
            }


def _rank(violation: Violation, severities: Mapping[str, float]) -> float:
    if violation.constraint_check_type != "baseline_drift_check":
        return inf
    return severities.get(violation.feature_name, 0.0)
