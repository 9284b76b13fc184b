"""Which segments are watched and what each is held against, by settings and baseline directory."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from monitors import segment_baseline
from monitors.base import Monitor
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality
from monitors.segments import Key, Segments
from schemas import constraints, statistics
from schemas.errors import BadBaseline, ConfigError
from sinks.objects import segment
from stream.choices import SegmentSettings

log = logging.getLogger(__name__)

INDEX = "segments.json"


class Listed(Struct, frozen=True):
    """One segment in the index of a baseline: its values, its rows, and the directory of its statistics."""

    values: Key
    rows: int
    directory: str


class Index(Struct, frozen=True):
    """The segments of some columns that a baseline knows, those with the most rows first."""

    columns: tuple[str, ...]
    segments: list[Listed]


def folder(columns: Sequence[str]) -> str:
    """Where the segments of `columns` are in a baseline directory."""
    return f"segments/{'/'.join(segment(name) for name in columns)}"


def segmented(
    chosen: SegmentSettings,
    most: int,
    baseline: Baseline,
    directory: Path,
    judge: Callable[[Baseline], Monitor] = DataQuality,
) -> Monitor:
    """Data quality by segment; `judge` makes the monitor of one from its baseline.

    Raises ConfigError when it cannot be told which values are segments, and BadBaseline when a segment's
    baseline cannot be read.
    """
    kinds = {name: rule.kind for name, rule in baseline.constraints.rules.items()}
    name = "-".join(chosen.columns)
    if strange := [column for column in chosen.columns if column not in kinds]:
        raise ConfigError(f"segments: {directory} has no column {', '.join(strange)}")
    known = dict(_known(directory / folder(chosen.columns)))
    keys = (
        _listed(chosen, most) or [*known][:most] or segment_baseline.frequent(baseline, chosen.columns, most)
    )
    if not keys:
        raise ConfigError(
            f"segments: {directory} has not counted the values of {name}; make it again with "
            f"`streamgauge baseline --segments {','.join(chosen.columns)}`, or list them: values = [...]"
        )
    if without := [key for key in keys if key not in known]:
        log.warning(
            "segments are held against the baseline of all rows, from which they may always have differed",
            extra={"columns": name, "segments": len(without)},
        )
    whole = judge(baseline)
    inner: dict[Key, Monitor] = {
        key: judge(_read(known[key], baseline)) if key in known else whole for key in keys
    }
    return Segments(segment(f"data_quality.{name}"), chosen.columns, inner, kinds)


def _listed(chosen: SegmentSettings, most: int) -> list[Key]:
    """The values that settings list, which must not be more than are watched."""
    if chosen.values is None:
        return []
    if len(chosen.values) > most:
        raise ConfigError(f"segments: {len(chosen.values)} values are listed, and max_segments is {most}")
    return list(dict.fromkeys(chosen.values))


def _known(place: Path) -> Iterator[tuple[Key, Path]]:
    """The directory of each segment that has a baseline of its own."""
    index = place / INDEX
    if not index.is_file():
        return
    try:
        listed = msgspec.json.decode(index.read_bytes(), type=Index).segments
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadBaseline(f"{index}: {error}") from error
    for entry in listed:
        yield entry.values, place / entry.directory


def _read(directory: Path, whole: Baseline) -> Baseline:
    """The baseline of one segment: its statistics, and its own constraints.json where somebody put one."""
    described_at, rules_at = directory / "statistics.json", directory / "constraints.json"
    try:
        described = statistics.parse(described_at.read_bytes(), str(described_at))
        if rules_at.is_file():
            return Baseline.of(described, constraints.parse(rules_at.read_bytes(), str(rules_at)))
        return segment_baseline.of_segment(described, whole.constraints)
    except OSError as error:
        raise BadBaseline(f"{described_at}: {error.strerror}") from error
