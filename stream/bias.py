"""Bias of a data set: files, and how they fit together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from monitors.bias import facts, planning
from monitors.bias.monitor import Bias
from monitors.bias.plan import Plan
from schemas import analysis, analysis_config
from schemas.analysis import Analysis, Metric
from schemas.analysis_config import AnalysisConfig
from schemas.constraints import Defaults
from schemas.errors import BadBaseline, ConfigError
from schemas.report import VIOLATIONS, Violation
from sinks.objects import Objects
from sinks.reports import pretty
from stream import dataset, json_dataset

ANALYSIS = "analysis.json"

_UNREAD = tuple(f"_c{at}" for at in range(10_000))  # names for what is not known before the data are read


class Outcome(Struct, frozen=True):
    """What a one-off report found."""

    rows: int
    metrics: Sequence[tuple[str, str, Metric]]
    violations: Sequence[Violation]
    files: Sequence[Path]


def report(
    data: Path,
    config: Path,
    output: Path,
    baseline: Path | None = None,
    header: bool | None = None,
    defaults: Defaults | None = None,
) -> Outcome:
    """Write analysis.json of a data set and, with a baseline, constraint_violations.json.

    Raises ConfigError, SourceError and BadBaseline.
    """
    known = read_analysis(baseline) if baseline else None
    table = _read(data, config, header)
    chosen = read_config(config, table.column_names)
    with about(config):
        plan = planning.build(chosen, facts.of_table(table), known)
    _check(plan, table, config)
    monitor = Bias(plan, known, defaults)
    finding = monitor.finish(monitor.of_table(table))
    names = [ANALYSIS, *([VIOLATIONS] if known else [])]
    documents = {name: finding.documents[name] for name in names}
    documents[ANALYSIS] |= _explanations(output)
    objects = Objects.at(output)
    for name in names:
        objects.put(name, pretty(documents[name]))
    found = analysis.parse(pretty(documents[ANALYSIS]))
    return Outcome(table.num_rows, [*found.metrics()], finding.violations, [output / name for name in names])


def _read(data: Path, config: Path, header: bool | None) -> pa.Table:
    """The data set, its columns named by its file or the configuration."""
    first = read_config(config, _UNREAD)
    table = json_dataset.read(data, config, first)
    return _named(dataset.read(data, header), first) if table is None else table


def _explanations(output: Path) -> dict[str, Any]:
    """Explanations that an earlier analysis.json there holds: Clarify writes both into one file."""
    earlier = read_analysis(output) if (output / ANALYSIS).is_file() else None
    if earlier is None or earlier.explanations is msgspec.UNSET:
        return {}
    return {"explanations": msgspec.to_builtins(earlier.explanations)}


def _named(table: pa.Table, config: AnalysisConfig) -> pa.Table:
    """The table with the configuration's names, where its file has none."""
    names = [f"_c{place}" for place in range(table.num_columns)]
    if not config.headers or table.column_names != names:
        return table
    if len(config.headers) != table.num_columns:
        raise ConfigError(
            f"headers: {len(config.headers)} names, and the data has {table.num_columns} columns"
        )
    return table.rename_columns(list(config.headers))


def _check(plan: Plan, table: pa.Table, config: Path) -> None:
    """A one-off report says which columns are not there; in a window rows may lack any."""
    if not plan.pre_training and plan.predicted is None:
        raise ConfigError(f"{config}: post-training metrics need predicted_label or probability")
    asked = [column.name for facet in plan.facets for column in facet.columns]
    asked += [column.name for column in (plan.label, plan.predicted) if column]
    asked += [plan.group[0]] if plan.group else []
    if absent := [name for name in dict.fromkeys(asked) if name not in table.column_names]:
        raise ConfigError(f"{config}: the data has no column {', '.join(absent)}")


def read_config(place: Path, names: Sequence[str]) -> AnalysisConfig:
    """An analysis configuration, of which an index stands for one of `names`. Raises ConfigError."""
    try:
        text = place.read_bytes()
    except OSError as error:
        raise ConfigError(f"{place}: {error.strerror}") from error
    return analysis_config.parse(text, str(place), names)


def read_analysis(place: Path) -> Analysis:
    """The baseline's analysis.json, or that in its directory. Raises BadBaseline."""
    at = place / ANALYSIS if place.is_dir() else place
    try:
        return analysis.parse(at.read_bytes(), str(at))
    except OSError as error:
        raise BadBaseline(f"{at}: {error.strerror}") from error


@contextmanager
def about(place: Path) -> Iterator[None]:
    """Say of mistakes which file they are in."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
