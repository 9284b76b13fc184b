"""Reports as Model Monitor lays them out: a folder a window, the monitor's documents beside report.json."""

import msgspec

from schemas.report import Report
from schemas.times import to_datetime
from sinks.objects import Objects, segment

_HOUR = 3_600_000


def write(objects: Objects, report: Report) -> str:
    """Write the documents, then report.json; gives the folder's key. Writing again replaces them."""
    folder = key(report)
    for name, document in report.finding.documents.items():
        objects.put(f"{folder}/{name}", document if isinstance(document, bytes) else pretty(document))
    objects.put(f"{folder}/report.json", pretty(report.summary()))
    return folder


def key(report: Report) -> str:
    """endpoint/variant/monitor/yyyy/mm/dd/hh of the window's start in UTC; /MM too where windows do not fall
    on whole hours."""
    subject, window = report.subject, report.window
    model = f"{segment(subject.model)}/" if subject.model else ""
    start = to_datetime(window.start)
    whole_hours = (window.end - window.start) % _HOUR == 0
    moment = f"{start:%Y/%m/%d/%H}" if whole_hours else f"{start:%Y/%m/%d/%H/%M}"
    if not whole_hours and (window.end - window.start) % 60_000:
        moment += f"/{start:%S}"
    return f"{segment(subject.endpoint)}/{segment(subject.variant)}/{model}{report.monitor}/{moment}"


def pretty(document: object) -> bytes:
    """JSON for people: indented, newline at the end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
