"""Making a baseline: the statistics of training data, and the constraints that they suggest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from monitors import describe, segment_baseline
from monitors.data_quality import profile
from schemas.errors import ConfigError
from schemas.layout import Kind
from sinks.objects import Objects, segment
from sinks.reports import pretty
from stream.segmenting import INDEX, Index, Listed, folder


def make_baseline(
    table: pa.Table,
    output: Path,
    segments: Sequence[Sequence[str]] = (),
    max_segments: int = 50,
    withhold: bool = False,
) -> dict[str, Any]:
    """Write statistics.json and constraints.json of a data set; gives the constraints.

    Each of `segments` names columns: statistics of their most frequent values are written as well. With
    `withhold`, values of single rows are left out. Raises ConfigError when there is no such column.
    """
    if strange := sorted({name for columns in segments for name in columns} - {*table.column_names}):
        raise ConfigError(f"--segments: the data has no column {', '.join(strange)}")
    described = profile(table, withhold)
    suggested = describe.suggest(described)
    objects = Objects.at(output)
    objects.put("statistics.json", pretty(described))
    objects.put("constraints.json", pretty(suggested))
    kinds = {feature.name: feature.inferred_type for feature in described.features}
    for columns in segments:
        _write_segments(objects, table, kinds, columns, max_segments, withhold)
    return suggested


def _write_segments(
    objects: Objects,
    table: pa.Table,
    kinds: dict[str, Kind],
    columns: Sequence[str],
    most: int,
    withhold: bool,
) -> None:
    """Statistics of each segment, then the index that names them: without it there are none."""
    listed: list[Listed] = []
    for values, described in segment_baseline.profiles(table, kinds, columns, most, withhold):
        directory = "/".join(segment(value) for value in values)
        objects.put(f"{folder(columns)}/{directory}/statistics.json", pretty(described))
        listed.append(Listed(values, described.dataset.item_count, directory))
    objects.put(f"{folder(columns)}/{INDEX}", pretty(Index(tuple(columns), listed)))
