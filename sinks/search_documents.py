"""A report as documents: itself, its violations as alerts, and its numbers as points of series.

Ids depend on subject, monitor, window and what is meant, never on the revision: a revision replaces.
"""

import hashlib
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from schemas.report import Counts, Drift, Report
from schemas.times import format_time
from sinks.alerts import alerts

OPEN, RESOLVED = "open", "resolved"

# Metrics that every report says; others come of documents, which a report may leave as they are.
ALWAYS = (*Counts.__struct_fields__, "violations", "drift", "effect", "p_value", "q_value")

_STATISTICS, _METRICS = "statistics.json", "metrics.json"


class Document(Struct, frozen=True):
    """A document of one of the `search_templates.INDICES`. A higher `version` replaces a lower one."""

    kind: str
    id: str
    version: int
    body: dict[str, Any]


class _Numbers(Struct):
    completeness: float | UnsetType = UNSET


class _Feature(Struct):
    name: str
    numerical_statistics: _Numbers | UnsetType = UNSET
    string_statistics: _Numbers | UnsetType = UNSET


class _Statistics(Struct):
    """As much of statistics.json as becomes series."""

    features: list[_Feature] = []


def version(report: Report) -> int:
    """What a document of this revision is stored under, and what one of an earlier revision is below of."""
    return report.revision + 1


def report_id(report: Report) -> str:
    """The same for all revisions of a report."""
    return _id(report)


def says_all(report: Report) -> bool:
    """Whether a report has the documents that numbers are read from: one that was only dated anew has not."""
    return not report.finding.documents.keys().isdisjoint((_STATISTICS, _METRICS))


def report_document(report: Report) -> Document:
    """The report itself, in numbers."""
    counts = msgspec.to_builtins(report.counts)
    labels = {} if report.labels is None else {"labels": msgspec.to_builtins(report.labels)}
    body = {
        **_about(report),
        "status": report.status,
        **counts,
        **labels,
        "violations": len(report.finding.violations),
    }
    return Document("reports", report_id(report), version(report), body)


def parts(report: Report) -> Iterator[Document]:
    """Alerts and points of series of a report."""
    about = _about(report)
    for alert in alerts(report):
        yield Document("alerts", alert["id"], version(report), _alert(about, alert["violation"]))
    for body in _points(report):
        identifier = _id(report, body["metric"], body["feature"])
        point = {**about, "status": report.status, **body}
        yield Document("metrics", identifier, version(report), point)


def resolved(identifier: str, alert: Mapping[str, Any], revision: int) -> Document:
    """An alert that is open, as it is once `revision` says no more of it."""
    body = {**alert, "status": RESOLVED, "revision": revision}
    return Document("alerts", identifier, revision + 1, body)


def _alert(about: Mapping[str, Any], violation: Mapping[str, Any]) -> dict[str, Any]:
    segment = violation.get("segment")
    same = ("description", "rows", "affected", "severity", "first_seen", "sample_event_ids")
    return {
        **about,
        "status": OPEN,
        "feature": violation["feature_name"],
        "check": violation["constraint_check_type"],
        **{name: violation[name] for name in same if name in violation},
        **({"segment": [f"{column}={value}" for column, value in segment.items()]} if segment else {}),
    }


def _about(report: Report) -> dict[str, Any]:
    """What all documents of a report say."""
    start, end = format_time(report.window.start), format_time(report.window.end)
    return {
        "@timestamp": start,
        "window": {"start": start, "end": end},
        **msgspec.to_builtins(report.subject),
        "monitor": report.monitor,
        "report": report_id(report),
        "revision": report.revision,
    }


def _points(report: Report) -> Iterator[dict[str, Any]]:
    """A number each: counts, what monitors of one's own measured, completeness, drift. Those of a window
    without rows are its counts alone."""
    for name, value in msgspec.to_builtins(report.counts).items():
        yield _point(name, value)
    yield _point("violations", len(report.finding.violations))
    documents = report.finding.documents
    for name, value in _measured(documents.get(_METRICS)).items():
        yield _point(name, value)
    for feature in _read(documents.get(_STATISTICS)).features:
        for numbers in (feature.numerical_statistics, feature.string_statistics):
            if numbers and numbers.completeness is not UNSET:
                yield _point("completeness", numbers.completeness, feature.name)
    for drift in report.finding.drift:
        yield from _drift(drift)


def _drift(drift: Drift) -> Iterator[dict[str, Any]]:
    more = {"method": drift.method, "enough": drift.enough}
    yield {
        **_point("drift", drift.distance, drift.feature_name),
        "threshold": _number(drift.threshold),
        **more,
    }
    for name in ("effect", "p_value", "q_value"):
        if (value := getattr(drift, name)) is not None:
            yield {**_point(name, value, drift.feature_name), **more}


def _point(metric: str, value: float | None, feature: str | None = None) -> dict[str, Any]:
    return {"metric": metric, "feature": feature, "value": _number(value)}


def _number(value: float | None) -> float | None:
    """JSON has no infinity and no NaN: they are no measurement."""
    return value if value is not None and isfinite(value) else None


def _measured(document: Any) -> dict[str, float | None]:
    """metrics.json of a monitor that wrote one; what is no table of numbers is no series."""
    try:
        return msgspec.convert(document, dict[str, float | None])
    except msgspec.ValidationError:
        return {}


def _read(document: Any) -> _Statistics:
    """Statistics as the monitor's own types or as a table; others than ours are no series."""
    try:
        return msgspec.convert(document, _Statistics, from_attributes=True)
    except msgspec.ValidationError:
        return _Statistics()


def _id(report: Report, *what: str | None) -> str:
    about = (report.subject, report.monitor, report.window, *what)
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()[:32]
