"""Violations as alerts in a JSON Lines file: each once, however often a report is published again."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import SinkBusy
from schemas.report import Report, Violation
from schemas.times import format_time


class AlertFile:
    """Appends to `path`. A line that a crash cut off is taken away when the file is opened again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[str] = set()
        if path.exists():
            self._mend()

    def write(self, report: Report) -> int:
        """Append the alerts of `report` that are not in the file; gives their number. Raises SinkBusy."""
        new = [alert for alert in alerts(report) if alert["id"] not in self._known]
        if not new:
            return 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as stream:
                stream.write(b"".join(msgspec.json.encode(alert) + b"\n" for alert in new))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise SinkBusy(f"{self._path}: {error}") from error
        self._known.update(alert["id"] for alert in new)
        return len(new)

    def _mend(self) -> None:
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            os.truncate(self._path, len(whole))
        self._known = {msgspec.json.decode(line)["id"] for line in whole.splitlines() if line.strip()}


def alerts(report: Report) -> Iterator[dict[str, Any]]:
    """One alert a violation; its id depends only on what is violated, where and when."""
    for violation in report.finding.violations:
        yield {
            "id": _id(report, violation),
            "subject": msgspec.to_builtins(report.subject),
            "monitor": report.monitor,
            "window": {"start": format_time(report.window.start), "end": format_time(report.window.end)},
            "revision": report.revision,
            "violation": msgspec.to_builtins(violation),
        }


def _id(report: Report, violation: Violation) -> str:
    about = (
        report.subject,
        report.monitor,
        report.window,
        violation.feature_name,
        violation.constraint_check_type,
    )
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()[:32]
