"""Since when something is wrong: the start of an unbroken run of windows with the same violation."""

from collections.abc import Mapping

import msgspec

from schemas.report import Finding, Report
from schemas.times import format_time

Published = Mapping[int, Mapping[str, Report]]  # the last report, by start of the window (ms) and monitor


def last_before(published: Published, monitor: str, start: int) -> Report | None:
    """The monitor's report on the last window before `start` in which something came."""
    for earlier in sorted((known for known in published if known < start), reverse=True):
        report = published[earlier].get(monitor)
        if report is not None and report.status != "NoData":
            return report
    return None


def dated(finding: Finding, start: int, before: Report | None) -> Finding:
    """The finding of the window at `start`, each violation with its `first_seen`: that of the same violation
    in the window before, or else the window's own start. The finding itself where nothing changes."""
    known = (
        {violation.what: violation.first_seen for violation in before.finding.violations} if before else {}
    )
    now = format_time(start)
    violations = [
        msgspec.structs.replace(violation, first_seen=known.get(violation.what, now))
        for violation in finding.violations
    ]
    return finding if violations == finding.violations else finding.with_violations(violations)


def newest_with_data(published: Published) -> int | None:
    """Start of the last window in which something came: a run may go on after any number of empty ones."""
    return max(
        (
            start
            for start, reports in published.items()
            if any(r.status != "NoData" for r in reports.values())
        ),
        default=None,
    )
