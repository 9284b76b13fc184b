"""Reports and the summary off the disk, checked as far as the page leans on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from schemas import analysis, quality
from schemas.analysis import Analysis
from schemas.errors import BadBaseline
from schemas.frame import Subject
from schemas.quality import Figures
from schemas.report import Counts, Coverage, Drift, Violation

NO_DATA = "NoData"
MEASURED, ESTIMATED = "model_quality", "model_quality_estimate"  # monitors of a model's quality

_UNREADABLE = (OSError, OverflowError, RecursionError, UnicodeDecodeError, msgspec.DecodeError, BadBaseline)

Utc = Annotated[datetime, Meta(tz=True)]
Key = tuple[str, str, str, str]  # endpoint, variant, model, monitor


class Window(Struct, frozen=True, order=True):
    """Half-open [start, end) of event time, as it is written."""

    start: Utc
    end: Utc

    def __post_init__(self) -> None:
        if self.start.astimezone(UTC) >= self.end.astimezone(UTC):
            raise ValueError("window does not start before it ends")


class Report(Struct, frozen=True):
    """One window's `report.json`, as `schemas.report.Report.summary` gives it; other keys are let through."""

    status: str
    subject: Subject
    monitor: str
    window: Window
    revision: int
    counts: Counts
    violations: tuple[Violation, ...]
    drift: tuple[Drift, ...]
    incomplete: str = ""
    labels: Coverage | None = None  # of a monitor of rows with labels
    analysis: Analysis | None = None  # of a monitor of bias or attributions, from the file beside it
    figures: Figures | None = None  # of a monitor of a model's quality, from the file beside it

    def __post_init__(self) -> None:
        for drift in self.drift:
            _check(drift)

    @property
    def key(self) -> Key:
        return (self.subject.endpoint, self.subject.variant, self.subject.model or "", self.monitor)


def _check(drift: Drift) -> None:
    """Raise ValueError where the distributions cannot be drawn."""
    numeric = drift.kind == "numeric"
    if drift.bins and not len(drift.baseline) == len(drift.current) == len(drift.bins) + numeric:
        raise ValueError(f"bins, baseline and current of {drift.feature_name!r} do not fit together")
    if numeric and not all(isinstance(edge, float) for edge in drift.bins):
        raise ValueError(f"bins of the numeric feature {drift.feature_name!r} are not numbers")
    if not all(0 <= share <= 1.001 for shares in (drift.baseline, drift.current) for share in shares):
        raise ValueError(f"shares of {drift.feature_name!r} are not between 0 and 1")


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


def read(directory: Path) -> Found:
    """Read every `report.json` under `directory/reports`, in the order of their paths, and `summary.json`."""
    reports: list[Report] = []
    broken: dict[str, str] = {}
    for path in sorted((directory / "reports").rglob("report.json")):
        try:
            report = msgspec.json.decode(path.read_bytes(), type=Report)
            found = _analysis(path.with_name("analysis.json"))
            of_quality = report.monitor in (MEASURED, ESTIMATED)
            figures = _figures(path.with_name("statistics.json")) if of_quality else None
            reports.append(msgspec.structs.replace(report, analysis=found, figures=figures))
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


def _analysis(path: Path) -> Analysis | None:
    """The analysis beside a report; None where there is none."""
    return analysis.parse(path.read_bytes()) if path.is_file() else None


def _figures(path: Path) -> Figures | None:
    """The figures beside a report of a model's quality; None where there are none."""
    return quality.parse_figures(path.read_bytes(), path.name) if path.is_file() else None


def _name(path: Path, directory: Path) -> str:
    return path.relative_to(directory).as_posix().encode("utf-8", "replace").decode()


def _reason(error: Exception) -> str:
    return error.strerror or "not readable" if isinstance(error, OSError) else str(error)
