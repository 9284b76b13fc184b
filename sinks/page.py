"""The page: one self-contained `index.html` about every report under a directory.

It works from a file, offline: libraries, specifications and data are inside, and its content security policy
lets nothing be loaded. It is a function of the directory alone (no clock): the same reports, the same bytes.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, reduce
from itertools import groupby, pairwise
from math import inf
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from msgspec import Meta, Struct

from schemas.frame import Subject
from schemas.report import Counts, Violation
from sinks import page_charts as charts

NO_DATA = "NoData"

_UNREADABLE = (OSError, OverflowError, RecursionError, UnicodeDecodeError, msgspec.DecodeError)

Utc = Annotated[datetime, Meta(tz=True)]
Share = Annotated[float, Meta(ge=0, le=1.001)]
Key = tuple[str, str, str, str]  # endpoint, variant, model, monitor


class Window(Struct, frozen=True, order=True):
    """Half-open [start, end) of event time, as it is written."""

    start: Utc
    end: Utc

    def __post_init__(self) -> None:
        if self.start.astimezone(UTC) >= self.end.astimezone(UTC):
            raise ValueError("window does not start before it ends")


class Drift(Struct, frozen=True):
    """`schemas.report.Drift` as it is read: JSON does not tell a list of edges from one of values."""

    feature_name: str
    kind: str
    distance: float | None
    threshold: float
    method: str = ""
    bins: tuple[float | str, ...] = ()
    baseline: tuple[Share, ...] = ()
    current: tuple[Share, ...] = ()

    def __post_init__(self) -> None:
        shares = len(self.bins) + (self.kind == "numeric")
        if self.bins and not len(self.baseline) == len(self.current) == shares:
            raise ValueError("bins, baseline and current do not fit together")
        if self.kind == "numeric" and not all(isinstance(edge, float) for edge in self.bins):
            raise ValueError("a numeric feature's bins are not numbers")


class Report(Struct, frozen=True):
    """One window's `report.json`; keys we do not know are let through."""

    status: str
    subject: Subject
    monitor: str
    window: Window
    revision: int = 0
    counts: Counts = Counts()
    violations: tuple[Violation, ...] = ()
    drift: tuple[Drift, ...] = ()

    @property
    def key(self) -> Key:
        return (self.subject.endpoint, self.subject.variant, self.subject.model or "", self.monitor)


class Summary(Struct, frozen=True):
    """The run's `summary.json`."""

    counts: Counts = Counts()
    bad_by_reason: dict[str, int] = {}
    finished: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What a directory holds; `broken` maps the files that cannot be read to the reason."""

    reports: Sequence[Report]
    summary: Summary | None
    broken: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one section the page holds; what is left out is said there.

    The totals are of the page, shared by its sections, so that the page stays near 6 MB at most.
    """

    features: int = 60  # rows of the heat map
    cells: int = 250_000  # of the heat map, so latest windows drawn
    windows: int = 400  # with distributions, those of the greatest distances
    shares: int = 500_000  # in the distributions
    rows: int = 2_000  # of the table, and never more than 200 in one
    drawn: int = 2_000  # windows drawn, the latest

    @classmethod
    def among(cls, sections: int) -> Self:
        whole, n = cls(), max(1, sections)
        return cls(
            cells=whole.cells // n,
            shares=whole.shares // n,
            rows=min(200, max(20, whole.rows // n)),
        )


def severity(drift: Drift) -> float | None:
    """Distance / threshold: above 1 is drift. None where there is no distance.

    ChiSquared's is a p-value, drift when below its threshold; there it is threshold / p-value.

    >>> severity(Drift("carrier", "categorical", 0.25, 0.1, "LInfinity"))
    2.5
    >>> severity(Drift("carrier", "categorical", 0.01, 0.05, "ChiSquared"))
    5.0
    """
    if drift.distance is None:
        return None
    large, small = drift.distance, drift.threshold
    if _is_p_value(drift):
        large, small = small, large
    if small > 0:
        return large / small
    return inf if large > 0 else 0.0


def _is_p_value(drift: Drift) -> bool:
    return drift.method == "ChiSquared"


def write_page(directory: Path) -> Path:
    """Write `directory/index.html` from the reports and the summary there, replacing it in one step."""
    found = read(directory)
    page = directory / "index.html"
    temporary = page.with_name(f".index.html.{os.getpid()}")
    try:
        temporary.write_text(
            render(found.reports, found.summary, found.broken), encoding="utf-8", newline="\n"
        )
        temporary.replace(page)
    finally:
        temporary.unlink(missing_ok=True)
    return page


def read(directory: Path) -> Found:
    """Read every `report.json` under `directory/reports`, in the order of their paths, and `summary.json`."""
    reports: list[Report] = []
    broken: dict[str, str] = {}
    for path in sorted((directory / "reports").rglob("report.json")):
        try:
            reports.append(msgspec.json.decode(path.read_bytes(), type=Report))
        except _UNREADABLE as error:
            broken[_name(path, directory)] = _reason(error)
    summary = None
    try:
        summary = msgspec.json.decode((directory / "summary.json").read_bytes(), type=Summary)
    except FileNotFoundError:
        pass
    except _UNREADABLE as error:
        broken["summary.json"] = _reason(error)
    return Found(reports, summary, broken)


def _name(path: Path, directory: Path) -> str:
    return path.relative_to(directory).as_posix().encode("utf-8", "replace").decode()


def _reason(error: Exception) -> str:
    return error.strerror or "not readable" if isinstance(error, OSError) else str(error)


def render(
    reports: Sequence[Report], summary: Summary | None, broken: Mapping[str, str] | None = None
) -> str:
    """The page as text; the same arguments give the same text."""
    of_key: dict[Key, list[Report]] = defaultdict(list)
    for report in reports:
        of_key[report.key].append(report)
    limits = Limits.among(len(of_key))
    sections = [_section(_newest(of_key[key]), limits) for key in sorted(of_key)]
    return _template().render(
        sections=sections,
        totals=_totals(
            [report for section in sections for report in section["reports"]],
            summary.counts if summary else None,
        ),
        reasons=_reasons(summary),
        subjects=len({key[:3] for key in of_key}),
        summary=summary,
        broken=dict(broken or {}),
        bundle=_bundle() if sections else "",
        colours={"no_data": charts.NO_DATA},
    )


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["count"] = "{:,}".format
    return environment.get_template("page.html.j2")


@cache
def _bundle() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(script.replace("</script", r"<\/script").replace("<!--", r"<\!--"))


def _embedded(value: Any) -> Markup:
    """JSON that cannot end the script element which holds it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026"))


def _newest(reports: Sequence[Report]) -> list[Report]:
    """One report a window, that of the highest revision, in the order of time."""
    newest: dict[Window, Report] = {}
    for report in sorted(reports, key=lambda report: report.revision):
        newest[report.window] = report
    return [newest[window] for window in sorted(newest)]


def _totals(reports: Sequence[Report], counts: Counts | None = None) -> dict[str, Any]:
    sizes = Counter(report.window.end - report.window.start for report in reports)
    return {
        "windows": len(reports),
        "violated": sum(bool(report.violations) for report in reports),
        "no_data": sum(report.status == NO_DATA for report in reports),
        "counts": counts or _counts(reports),
        "start": _moment(min(report.window.start for report in reports)) if reports else "",
        "end": _moment(max(report.window.end for report in reports)) if reports else "",
        "size": " or ".join(_length(size) for size in sorted(sizes)) if len(sizes) < 4 else "various sizes",
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


def _reasons(summary: Summary | None) -> list[tuple[str, int]]:
    """Why records were bad, the most frequent first."""
    reasons = summary.bad_by_reason if summary else {}
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def _section(reports: Sequence[Report], limits: Limits) -> dict[str, Any]:
    """One subject and monitor: what the template writes, and under `json` what its charts draw."""
    first = reports[0]
    features = _features(reports)
    shown = [name for name, _ in features[: limits.features]]
    windows = max(1, min(limits.drawn, limits.cells // max(1, len(shown))))
    drawn = reports[-windows:]
    packed = _pack(drawn, shown, limits)
    violations = _latest_violations(reports)
    return {
        "reports": reports,
        "subject": first.subject,
        "monitor": first.monitor,
        "totals": _totals(reports),
        "revised": sum(report.revision > 0 for report in reports),
        "last_violated": next((_label(r.window) for r in reversed(reports) if r.violations), None),
        "worst": _worst(reports),
        "p_values": any(_is_p_value(drift) for report in reports for drift in report.drift),
        "features": len(features),
        "hidden": len(features) - len(shown),
        "hidden_drifted": sum(ratio > 1 for _, ratio in features[limits.features :]),
        "drifted": sum(ratio > 1 for _, ratio in features),
        "drawn": len(drawn),
        "kept": packed.kept,
        "kept_of": packed.kept_of,
        "shown": shown,
        "height": charts.ROW_HEIGHT * max(3, len(shown)) + 80,
        "checks": sorted({v.constraint_check_type for r in drawn for v in r.violations}),
        "lost": any(r.counts.bad or r.counts.late for r in drawn),
        "violations": violations[: limits.rows],
        "violations_total": len(violations),
        "at": {report.window: i for i, report in enumerate(drawn)},
        "json": _embedded({**packed.data, "specs": _specs(drawn, shown)}),
    }


def _features(reports: Sequence[Report]) -> list[tuple[str, float]]:
    """Features with their greatest severity, the greatest first."""
    greatest: dict[str, float] = {}
    for drift in (drift for report in reports for drift in report.drift):
        greatest[drift.feature_name] = max(greatest.get(drift.feature_name, 0.0), severity(drift) or 0.0)
    return sorted(greatest.items(), key=lambda item: (-item[1], item[0]))


def _worst(reports: Sequence[Report]) -> dict[str, Any] | None:
    """The cell that drifted most."""
    cells = [
        (drift, report.window) for report in reports for drift in report.drift if drift.distance is not None
    ]
    if not cells:
        return None
    drift, window = max(cells, key=lambda cell: severity(cell[0]) or 0.0)
    return {
        "feature": drift.feature_name,
        "what": f"{'p-value' if _is_p_value(drift) else 'distance'} {drift.distance:.4g}",
        "threshold": f"{drift.threshold:g}",
        "label": _label(window),
        "drifted": (severity(drift) or 0.0) > 1,
    }


def _latest_violations(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Every violation, the latest window first; in a window what is not drift, then the most drifted."""
    rows = []
    for report in reversed(reports):
        severities = {drift.feature_name: severity(drift) for drift in report.drift}
        ranked = sorted(report.violations, key=lambda violation: -_rank(violation, severities))
        label = _label(report.window)
        rows += [
            {"report": report, "label": label, "violation": one, "linked": one.feature_name in severities}
            for one in ranked
        ]
    return rows


def _rank(violation: Violation, severities: Mapping[str, float | None]) -> float:
    if violation.constraint_check_type != "baseline_drift_check":
        return inf
    return severities.get(violation.feature_name) or 0.0


def _specs(drawn: Sequence[Report], features: Sequence[str]) -> dict[str, charts.Spec]:
    end = max(report.window.end for report in drawn)
    domain = charts.Domain(_ms(drawn[0].window.start), _ms(end), len(drawn))
    left = charts.gutter(features)
    checks = sorted({v.constraint_check_type for report in drawn for v in report.violations})
    specs = {
        "rows": charts.counts_over_time(domain, left, {"rows": charts.ROWS}, height=110),
        "lost": charts.counts_over_time(domain, left, {"bad": charts.BAD, "late": charts.LATE}, height=70),
    }
    if checks:
        specs["violations"] = charts.violations_over_time(domain, left, checks)
    if features:
        specs["drift"] = charts.drift_map(domain, left, features)
        specs["distribution"] = charts.distribution()
        specs["distance"] = charts.distance_over_time(domain)
    return specs


@dataclass(frozen=True, slots=True)
class Packed:
    """The data of a section's charts in columns, and of how many windows it has the distributions."""

    data: dict[str, Any]
    kept: int
    kept_of: int


def _pack(reports: Sequence[Report], features: Sequence[str], limits: Limits) -> Packed:
    """Put each thing once: matrices feature x window of cells; lists of distinct rules, bins and words."""
    kept = _with_distributions(reports, set(features), limits)
    rules: dict[tuple[Any, ...], int] = {}
    bins: dict[tuple[Any, ...], int] = {}
    matrix = {name: _Row(len(reports)) for name in features}
    for at, report in enumerate(reports):
        for drift in report.drift:
            if not (row := matrix.get(drift.feature_name)):
                continue
            row.rule[at] = _index(rules, (drift.method, drift.threshold, _is_p_value(drift)))
            row.distance[at] = _short(drift)
            if at in kept and drift.bins:
                labels = _bin_labels(drift.bins) if drift.kind == "numeric" else _cut(drift.bins)
                row.shares[at] = [_index(bins, (labels, _parts(drift.baseline))), *_parts(drift.current)]
    words: dict[str, int] = {}
    rows = [matrix[name] for name in features]
    data = {
        "windows": _columns(reports),
        "violations": list(_violation_counts(reports)),
        "features": list(features),
        "distance": [row.distance for row in rows],
        "rule": [row.rule for row in rows],
        "shares": [row.shares for row in rows],
        "rules": list(rules),
        "bins": [[[_index(words, label) for label in labels], baseline] for labels, baseline in bins],
        "words": list(words),
    }
    return Packed(data, len(kept), sum(report.status != NO_DATA for report in reports))


class _Row:
    """One feature's cells, by window: rule -1 where the window has no such cell, shares after their bins."""

    def __init__(self, windows: int) -> None:
        self.rule = [-1] * windows
        self.distance: list[float | None] = [None] * windows
        self.shares: list[list[int] | None] = [None] * windows


def _index(known: dict[Any, int], value: Any) -> int:
    return known.setdefault(value, len(known))


def _parts(shares: Sequence[float]) -> tuple[int, ...]:
    """Shares in parts of ten thousand."""
    return tuple(round(share * 10_000) for share in shares)


def _with_distributions(reports: Sequence[Report], features: set[str], limits: Limits) -> set[int]:
    """The windows, by index, whose distributions the page holds: those of the greatest distances."""

    def greatest(at: int) -> float:
        return max((severity(d) or 0.0 for d in reports[at].drift if d.feature_name in features), default=0.0)

    def numbers(at: int) -> int:
        """Values to store; a category's bins are its own in each window, so labels and baseline count too."""
        held = (drift for drift in reports[at].drift if drift.feature_name in features)
        return sum(len(drift.current) * (1 if drift.kind == "numeric" else 3) for drift in held)

    kept: set[int] = set()
    left = limits.shares
    held = [at for at, report in enumerate(reports) if report.status != NO_DATA]
    for at in sorted(held, key=lambda at: (-greatest(at), -at))[: limits.windows]:
        left -= numbers(at)
        if left < 0:
            break
        kept.add(at)
    return kept


def _short(drift: Drift) -> float | None:
    """The distance in five digits, unless that would move it over its threshold."""
    if drift.distance is None:
        return None
    short = float(f"{drift.distance:.5g}")
    exact, limit = drift.distance, drift.threshold
    return short if (short > limit, short < limit) == (exact > limit, exact < limit) else exact


def _columns(reports: Sequence[Report]) -> dict[str, list[Any]]:
    """The windows, a list for each of their values. Where windows slide, each is drawn up to the next."""
    starts = [_ms(report.window.start) for report in reports]
    ends = [_ms(report.window.end) for report in reports]
    drawn = [
        max(start + 1, min(end, then))
        for start, end, then in zip(starts, ends, [*starts[1:], inf], strict=True)
    ]
    return {
        "s": starts,
        "e": drawn,
        "label": [_label(report.window) for report in reports],
        "status": [report.status for report in reports],
        "revision": [report.revision for report in reports],
        "records": [report.counts.records for report in reports],
        "rows": [report.counts.rows for report in reports],
        "bad": [report.counts.bad for report in reports],
        "late": [report.counts.late for report in reports],
    }


def _violation_counts(reports: Sequence[Report]) -> Iterator[list[Any]]:
    """[window, check, how many, features] for each window and check type that has any."""
    for at, report in enumerate(reports):
        ordered = sorted(report.violations, key=lambda violation: violation.constraint_check_type)
        for check, group in groupby(ordered, key=lambda violation: violation.constraint_check_type):
            names = [violation.feature_name for violation in group]
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            yield [at, check, len(names), ", ".join(names[:6]) + more]


def _bin_labels(edges: Sequence[float | str]) -> tuple[str, ...]:
    """Names of the n + 1 bins which n edges make.

    >>> _bin_labels([0.0, 0.5, 1.0])
    ('below 0', '0 to 0.5', '0.5 to 1', '1 and above')
    """
    numbers = [float(edge) for edge in edges]
    digits = next((n for n in range(3, 17) if len({f"{x:.{n}g}" for x in numbers}) == len(set(numbers))), 17)
    text = [f"{number:.{digits}g}" for number in numbers]
    between = (f"{low} to {high}" for low, high in pairwise(text))
    return (f"below {text[0]}", *between, f"{text[-1]} and above")


def _cut(values: Sequence[float | str], most: int = 80) -> tuple[str, ...]:
    """Categories as labels; a long one is cut."""
    labels = map(str, values)
    return tuple(label if len(label) <= most else label[: most - 3] + "..." for label in labels)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(moment: datetime) -> str:
    """UTC, as short as it can be said.

    >>> _moment(datetime(2013, 4, 1, tzinfo=UTC)), _moment(datetime(2013, 4, 1, 5, tzinfo=UTC))
    ('2013-04-01', '2013-04-01 05:00')
    """
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    if utc.time() == datetime.min.time():
        return f"{utc:%Y-%m-%d}"
    return utc.isoformat(" ", "minutes" if not (utc.second or utc.microsecond) else "auto")


def _label(window: Window) -> str:
    """The window in words: the day alone where it is one day.

    >>> day = datetime(2013, 4, 1, tzinfo=UTC)
    >>> _label(Window(day, day + timedelta(days=1))), _label(Window(day, day + timedelta(hours=1)))
    ('2013-04-01', '2013-04-01 00:00 to 01:00')
    """
    start, end = _moment(window.start), _moment(window.end)
    if len(start) == len(end) == 10:
        return start if window.end - window.start == timedelta(days=1) else f"{start} to {end}"
    day = f"{window.start.astimezone(UTC):%Y-%m-%d}"
    start = start if len(start) > 10 else f"{start} 00:00"
    end = end if len(end) > 10 else f"{end} 00:00"
    return f"{start} to {end.removeprefix(day).strip()}"


def _length(size: timedelta) -> str:
    """
    >>> _length(timedelta(days=1)), _length(timedelta(minutes=90))
    ('1 day', '90 minutes')
    """
    for unit, name in (
        (timedelta(days=1), "day"),
        (timedelta(hours=1), "hour"),
        (timedelta(minutes=1), "minute"),
    ):
        if size >= unit and not size % unit:
            n = size // unit
            return f"{n} {name}{'s' if n > 1 else ''}"
    return f"{size.total_seconds():g} seconds"
