"""Violations as alerts in a JSON Lines file: each once, however often a report is published again."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from schemas.errors import ConfigError, SinkBusy
from schemas.report import Report, Violation
from schemas.times import format_time


class _Known(Struct):
    id: str


class AlertFile:
    """Appends to `path`, and knows what it holds. Raises ConfigError when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known = set(_ids(path.read_bytes())) if path.exists() else set()
        except OSError as error:
            raise ConfigError(f"{path}: {error}") from error

    def write(self, report: Report) -> int:
        """Append the alerts of `report` that are not in the file; gives their number. Raises SinkBusy."""
        new = [alert for alert in alerts(report) if alert["id"] not in self._known]
        if not new:
            return 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab+") as stream:
                _cut_torn_line(stream.fileno())
                stream.write(b"".join(msgspec.json.encode(alert) + b"\n" for alert in new))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise SinkBusy(f"{self._path}: {error}") from error
        self._known.update(alert["id"] for alert in new)
        return len(new)


def _ids(text: bytes) -> Iterator[str]:
    """Ids of the alerts in a file. A last line without its end does not count; what is no alert is let be."""
    for line in text[: text.rfind(b"\n") + 1].splitlines():
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield msgspec.json.decode(line, type=_Known).id


def _cut_torn_line(file: int) -> None:
    """Take away a last line that a crash or a full disk cut off, so that the next does not join it."""
    size = end = os.fstat(file).st_size
    while end:
        start = max(end - 65_536, 0)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        end = start + newline + 1
        if newline >= 0:
            break
    if end < size:
        os.truncate(file, end)


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
        *([violation.segment] if violation.segment else []),
        *([violation.what] if violation.metric_name else []),
    )
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()[:32]
