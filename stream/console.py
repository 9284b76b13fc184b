"""What the commands print for a person: what drifted when, what became of the records, where it all is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitors.model_quality.judging import SUGGESTED
from schemas import quality as qualities
from schemas.analysis import Analysis, Metric
from schemas.report import Violation
from stream.sending.target import Told

_MOST = 25  # lines over all tables
_MOST_TABLES = 5
_MOST_LETTERS = 100_000  # read for examples
_WHY_LATE = (
    "  Files outside ENDPOINT/VARIANT/yyyy/mm/dd/hh are read in order of their names. If that is not",
    "  the order of time, a longer --lateness keeps windows open for them.",
)
_COLUMNS = ("feature", "check", "windows", "first", "last", "distance")

Report = Mapping[str, Any]  # as report.json has it
_What = tuple[str, str, str]  # values of the segment ("" for all rows), feature, check
_Hit = tuple[_What, Report]


class _Letter(Struct):
    """What is shown of a record that was kept aside."""

    code: str
    reason: str
    source: str
    line: int

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        return f"{where}: {self.reason}" if where else self.reason


def read_reports(directory: Path) -> list[Report]:
    """Every report.json below `directory`, in order of subject, monitor and window."""
    paths = sorted(directory.glob("reports/**/report.json"))
    return [msgspec.json.decode(path.read_bytes()) for path in paths]


def quality(model: qualities.Model, metrics: Mapping[str, Any]) -> Iterator[str]:
    """What a baseline of a model's quality says, in lines."""
    positive = f", positive label {model.positive_label}" if model.positive_label is not None else ""
    yield f"Problem   {model.problem_type}{positive}"
    figures = {name: metric for name, metric in metrics.items() if isinstance(metric, qualities.Metric)}
    known = (name for name in SUGGESTED[model.problem_type] if name in figures)
    yield "Metrics   " + ", ".join(f"{name} {_figure(figures[name])}" for name in known)


def _figure(metric: qualities.Metric) -> str:
    return f"undefined ({metric.reason})" if metric.value is None else f"{metric.value:.4g}"


def drift_tables(reports: Iterable[Report]) -> Iterator[Table | Text]:
    """For each endpoint, those with the most violations first: which features violated what, and when."""
    subjects: dict[str, list[_Hit]] = defaultdict(list)
    for report in reports:
        name = "/".join(part for part in report["subject"].values() if part)
        for violation in report["violations"]:
            segment = ", ".join(violation.get("segment", {}).values())
            # An estimate says the same of the same window as a figure that was measured: they are two things.
            kind = " (estimate)" if violation.get("estimate") else ""
            what = (segment, violation["feature_name"] + kind, violation["constraint_check_type"])
            subjects[name].append((what, report))
    ranked = sorted(subjects.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = ranked[:_MOST_TABLES]
    for name, hits in shown:
        yield _table(name, hits, _MOST // len(shown))
    if left := len(ranked) - len(shown):
        yield Text(f"and {left} more endpoints: see the page")


def _table(subject: str, hits: Sequence[_Hit], most: int) -> Table:
    rows: dict[_What, list[Report]] = defaultdict(list)
    for what, report in hits:
        rows[what].append(report)
    moments, year = _moments([report["window"] for _, report in hits])
    table = Table(
        title=Text(f"What drifted when: {subject} ({year}UTC)"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    ranked = sorted(rows.items(), key=lambda item: (item[0][0] != "", -len(item[1]), item[0]))
    shown = []
    for (segment, feature, check), found in ranked[:most]:
        first, last = (moments(report["window"]["start"]) for report in (found[0], found[-1]))
        named = f"{feature} [{segment}]" if segment else feature
        windows = {report["window"]["start"] for report in found}
        distance = _distance(feature, check, found)
        shown.append((named, check.removesuffix("_check"), f"{len(windows):,}", first, last, distance))
    columns = _COLUMNS if any(row[-1] for row in shown) else _COLUMNS[:-1]  # a row should fit a terminal
    for column in columns:  # only names of features may need a second line
        justify: Any = "right" if column in ("windows", "distance") else "left"
        table.add_column(column, justify=justify, no_wrap=column != "feature", overflow="fold")
    for row in shown:
        table.add_row(*map(Text, row[: len(columns)]))
    if len(ranked) > most:
        table.caption = f"and {len(ranked) - most} more: see the page"
        table.caption_justify = "left"
    return table


def bias_table(metrics: Iterable[tuple[str, str, Metric]], violations: Iterable[Violation]) -> Table:
    """Every metric of bias with its interval, or why it is not defined; violations are marked."""
    worse = {(v.facet, v.facet_value, v.metric_name) for v in violations}
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in ("facet", "metric", "value", "95 % interval", ""):
        justify: Any = "right" if column == "value" else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for facet, value, metric in metrics:
        number = "" if metric.number is None else f"{metric.number:.4f}"
        low_high = "" if metric.interval is UNSET else "{:.4f} to {:.4f}".format(*metric.interval)
        said = metric.error or ("violation" if (facet, value, metric.name) in worse else "")
        table.add_row(*map(Text, (f"{facet}: {value}", metric.name, number, low_high, said)))
    return table


def attribution_table(found: Analysis) -> Table:
    """The features of each output with the largest global SHAP values, and nDCG where it was compared."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in ("output", "feature", "global SHAP value"):
        table.add_column(column, justify="right" if column.startswith("global") else "left", overflow="fold")
    drift = found.explanations.drift if found.explanations is not UNSET else UNSET
    for label, explained in found.labels.items():
        values = explained.global_shap_values
        for name in sorted(values, key=lambda name: -abs(values[name]))[:_MOST]:
            table.add_row(*map(Text, (label, name, f"{values[name]:.6g}")))
        moved = drift.get(label) if drift is not UNSET else None
        if moved is not None:
            number = moved.error if moved.ndcg is None else f"{moved.ndcg:.4f}"
            table.add_row(*map(Text, (label, "nDCG against the baseline", number)))
    return table


def _moments(windows: Sequence[Mapping[str, str]]) -> tuple[Callable[[str], str], str]:
    """How to write a window's start: its day or, where windows are shorter, also its minute.

    A year that all minutes share is said once, and where there are several the day must do, so that a row
    fits a terminal.
    """
    if all(window[end][11:19] == "00:00:00" for window in windows for end in ("start", "end")):
        return lambda time: time[:10], ""
    years = {window["start"][:4] for window in windows}
    if len(years) > 1:  # days, and no minutes: a row with both would not fit
        return lambda time: time[:10], ""
    return lambda time: time[5:16].replace("T", " "), f"{years.pop()}, "


def _distance(feature: str, check: str, reports: Iterable[Report]) -> str:
    """The largest distance of a feature that drifted; where drift is told by a p-value, the smallest."""
    if check != "baseline_drift_check":
        return ""
    drifts = [d for report in reports for d in report["drift"] if d["feature_name"] == feature]
    known = [d["distance"] for d in drifts if d["distance"] is not None]
    if not known:
        return ""
    return f"p={min(known):.3f}" if drifts[0]["method"] == "ChiSquared" else f"{max(known):.3f}"


def windows(reports: Iterable[Report]) -> tuple[int, int, int]:
    """How many windows there are, with violations and without data, however many monitors looked at each."""
    status: dict[tuple[str, str], set[str]] = defaultdict(set)
    for report in reports:
        status[str(report["subject"]), report["window"]["start"]].add(report["status"])
    hits = sum("CompletedWithViolations" in found for found in status.values())
    return len(status), hits, sum(found == {"NoData"} for found in status.values())


def outcome(
    console: Console,
    summary: Mapping[str, Any],
    reports: Sequence[Report],
    directory: Path,
    rows_at: str,
) -> None:
    """What became of the records, and where everything is. Printed as it is: paths are to be copied."""
    counts = summary["counts"]
    records, rows, bad, late = (counts[name] for name in ("records", "rows", "bad", "late"))
    filtered = f", {counts['filtered']:,} filtered" if counts["filtered"] else ""
    total, hits, empty = windows(reports)
    by_labels = (report for report in reports if "labels" in report and report["revision"] > 0)
    revised = len({(str(report["subject"]), report["window"]["start"]) for report in by_labels})
    lines = [
        f"Records  {records:,}: {rows:,} rows, {bad:,} bad, {late:,} late{filtered}",
        f"Windows  {total:,}: {hits:,} with violations, {empty:,} without data",
        *_labels(summary.get("quality"), revised, directory),
        *_kept_aside(summary["bad_by_reason"], late, directory),
        *(_WHY_LATE if late > records / 10 else ()),
        f"Reports  {directory / 'reports'}",
        f"Rows     {rows_at}",
        *([f"Alerts   {directory / 'alerts.jsonl'}"] if hits else []),
        f"Page     {directory / 'index.html'}",
    ]
    for line in lines:
        console.out(line, highlight=False)


def _labels(found: Mapping[str, Any] | None, revised: int, directory: Path) -> Iterator[str]:
    """What became of predictions and of labels, where they were joined, in records.

    >>> waits = {"records": 9, "late": 0, "matched": 6, "waiting": 2, "expired": 1}
    >>> labels = {"records": 6, "waiting": 0, "expired": 0, "bad": 0}
    >>> list(_labels({"predictions": waits, "labels": labels}, 1, Path("out")))
    ['Labels   9 predictions: 6 with their label, 2 waiting, 1 expired; 1 window revised']
    """
    if found is None:
        return
    mine, theirs = found["predictions"], found["labels"]
    late = f", {mine['late']:,} late" if mine["late"] else ""
    windows_ = f"{revised:,} {'window' if revised == 1 else 'windows'} revised"
    yield (
        f"Labels   {mine['records']:,} predictions: {mine['matched']:,} with their label, "
        f"{mine['waiting']:,} waiting, {mine['expired']:,} expired{late}; {windows_}"
    )
    if alone := theirs["waiting"] + theirs["expired"]:
        yield f"  {alone:,} labels of {theirs['records']:,} met no prediction"
    if bad := theirs["bad"]:
        yield f"  {bad:,} records were no labels that can be read: see {directory / 'errors'}"


def sent(console: Console, place: str, told: Told, seconds: float) -> None:
    """What became of captures that were sent."""
    second = told.acknowledged / seconds if seconds else 0
    lines = [
        f"Records  {told.acknowledged:,} acknowledged by {place}",
        f"Messages {told.messages:,}, {told.nbytes:,} bytes",
        f"Time     {seconds:,.1f} s, {second:,.0f} records/s",
    ]
    for line in lines:
        console.out(line, highlight=False)


def sent_labels(console: Console, place: str, told: Told) -> None:
    """What became of ground truth that was sent with captures."""
    console.out(f"Labels   {told.acknowledged:,} acknowledged by {place}", highlight=False)


def _kept_aside(bad: Mapping[str, int], late: int, directory: Path) -> Iterator[str]:
    """How many records are in errors/ and why, with one of each kind."""
    numbers = {**bad, "late": late} if late else bad
    if not numbers:
        return
    yield f"Errors   {directory / 'errors'}"
    examples = _examples(sorted(directory.glob("errors/*.jsonl")), set(numbers))
    for code, n in numbers.items():
        example = f", such as {examples[code]}" if code in examples else ""
        yield f"  {n:,} {code}{example}"


def _examples(paths: Sequence[Path], codes: set[str]) -> dict[str, _Letter]:
    """The first letter of each of `codes`, if it comes early enough."""
    found: dict[str, _Letter] = {}
    left = _MOST_LETTERS
    for path in paths:
        with path.open("rb") as lines:
            for line in lines:
                letter = msgspec.json.decode(line, type=_Letter)
                found.setdefault(letter.code, letter)
                left -= 1
                if left <= 0 or found.keys() >= codes:
                    return found
    return found
