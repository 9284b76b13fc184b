"""A report as documents: itself, its violations as alerts, and its numbers as points of series.

Ids depend on subject, monitor, window and what is meant, never on the revision: a revision replaces.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from schemas.report import Counts, Drift, Report
from schemas.times import format_time
from sinks.alerts import alerts
from sinks.search_figures import DOCUMENTS, Point, figures, number, point

OPEN, RESOLVED = "open", "resolved"

# Metrics that every report says; others come of documents, which a report may leave as they are.
ALWAYS = (*Counts.__struct_fields__, "violations", "drift", "effect", "p_value", "q_value")

_OF_A_METRIC = ("metric_name", "facet_value", "label", "estimate")
_OF_ONE = ("facet_value", "label")  # what tells points of a metric and a feature apart, where there are more


class Document(Struct, frozen=True):
    """A document of one of the `search_templates.INDICES`. A higher `version` replaces a lower one."""

    kind: str
    id: str
    version: int
    body: dict[str, Any]


def version(report: Report) -> int:
    """What a document of this revision is stored under, and what one of an earlier revision is below of."""
    return report.revision + 1


def report_id(report: Report) -> str:
    """The same for all revisions of a report."""
    return _id(report)


def says_all(report: Report) -> bool:
    """Whether a report says all numbers of its window, by the documents that they are read from or because
    its monitor could look at nothing: one that was only dated anew does not."""
    return report.finding.blind or not report.finding.documents.keys().isdisjoint(DOCUMENTS)


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
        one = {name: body[name] for name in _OF_ONE if name in body}
        identifier = _id(report, body["metric"], body["feature"], *([one] if one else []))
        yield Document("metrics", identifier, version(report), {**about, "status": report.status, **body})


def resolved(identifier: str, alert: Mapping[str, Any], revision: int) -> Document:
    """An alert that is open, as it is once `revision` says no more of it."""
    body = {**alert, "status": RESOLVED, "revision": revision}
    return Document("alerts", identifier, revision + 1, body)


def _alert(about: Mapping[str, Any], violation: Mapping[str, Any]) -> dict[str, Any]:
    segment = violation.get("segment")
    same = ("description", "rows", "affected", "severity", "first_seen", "sample_event_ids", *_OF_A_METRIC)
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


def _points(report: Report) -> Iterator[Point]:
    """A number each: counts, what the documents say, drift. Of a window that a monitor could not look at,
    counts alone: documents of an earlier revision may still be with it."""
    for name, value in msgspec.to_builtins(report.counts).items():
        yield point(name, value)
    yield point("violations", len(report.finding.violations))
    if not report.finding.blind:
        yield from figures(report.finding.documents)
    for drift in report.finding.drift:
        yield from _drift(drift)


def _drift(drift: Drift) -> Iterator[Point]:
    more = {"method": drift.method, "enough": drift.enough}
    yield point("drift", drift.distance, drift.feature_name, threshold=number(drift.threshold), **more)
    for name in ("effect", "p_value", "q_value"):
        if (value := getattr(drift, name)) is not None:
            yield point(name, value, drift.feature_name, **more)


def _id(report: Report, *what: Any) -> str:
    about = (report.subject, report.monitor, report.window, *what)
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()[:32]
