"""What the log says of a report."""

import logging

from schemas.report import Report
from schemas.times import format_time

log = logging.getLogger(__name__)


def announce(report: Report) -> None:
    """Say that a window was closed, and which of its monitors could not look at it."""
    for violation in report.finding.violations:
        if violation.constraint_check_type == "monitor_error":
            log.error(violation.description, extra={"monitor": report.monitor})
    log.info(
        "window closed",
        extra={
            "subject": str(report.subject),
            "monitor": report.monitor,
            "start": format_time(report.window.start),
            "rows": report.counts.rows,
            "violations": len(report.finding.violations),
            "revision": report.revision,
        },
    )
