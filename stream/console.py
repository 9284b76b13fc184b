"""What the commands print for a person: progress, and what drifted when."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_MOST = 25  # features listed


def read_reports(directory: Path) -> list[dict[str, Any]]:
    """Every report.json below `directory`, in order of subject, monitor and window."""
    paths = sorted(directory.glob("reports/**/report.json"))
    return [msgspec.json.decode(path.read_bytes()) for path in paths]


def drift_table(reports: Iterable[dict[str, Any]]) -> Table:
    """Which features violated what, in how many windows, first and last, and how far they went."""
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for report in reports:
        subject = report["subject"]
        name = f"{subject['endpoint']}/{subject['variant']}"
        for violation in report["violations"]:
            key = (name, violation["feature_name"], violation["constraint_check_type"])
            rows.setdefault(key, []).append(report)
    table = Table(title="What drifted when", title_justify="left", title_style="bold", header_style="bold")
    for column, justify in (
        ("endpoint", "left"),
        ("feature", "left"),
        ("check", "left"),
        ("windows", "right"),
        ("first", "left"),
        ("last", "left"),
        ("largest distance", "right"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    ranked = sorted(rows.items(), key=lambda item: (-len(item[1]), item[0]))
    for (name, feature, check), hits in ranked[:_MOST]:
        first, last = hits[0]["window"]["start"], hits[-1]["window"]["start"]
        cells = (name, feature, check.removesuffix("_check"), str(len(hits)), _short(first), _short(last))
        table.add_row(*map(Text, cells), Text(_distance(feature, check, hits)))
    if len(ranked) > _MOST:
        table.caption = f"and {len(ranked) - _MOST} more: see the page"
    return table


def _distance(feature: str, check: str, hits: Iterable[dict[str, Any]]) -> str:
    if check != "baseline_drift_check":
        return ""
    distances = [d["distance"] for hit in hits for d in hit["drift"] if d["feature_name"] == feature]
    known = [distance for distance in distances if distance is not None]
    return f"{max(known):.3f}" if known else ""


def _short(time: str) -> str:
    """Minutes are enough to find a window; a midnight is a day."""
    return time[:10] if time[11:19] == "00:00:00" else time[:16].replace("T", " ")


def outcome(console: Console, summary: dict[str, Any], directory: Path) -> None:
    """Counts and where everything is."""
    counts, reports = summary["counts"], summary["reports"]
    windows = sum(reports.values())
    hits, empty = reports.get("CompletedWithViolations", 0), reports.get("NoData", 0)
    console.print(
        f"{counts['records']:,} records: {counts['rows']:,} rows, {counts['bad']:,} bad, "
        f"{counts['late']:,} late · {windows:,} windows: {hits:,} with violations, {empty:,} without data",
        highlight=False,
    )
    for reason, n in summary["bad_by_reason"].items():
        console.print(f"  bad: {n:,} x {reason}", highlight=False)
    if counts["bad"] or counts["late"]:
        console.print(f"  kept with their reasons in {directory / 'errors'}", highlight=False)
    console.print(
        f"Reports {directory / 'reports'} · rows {directory / 'captures'} · ", end="", highlight=False
    )
    console.print(f"alerts {directory / 'alerts.jsonl'}", highlight=False)
    console.print(f"Page    {directory / 'index.html'}", highlight=False)
