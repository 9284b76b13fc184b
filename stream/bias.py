"""Bias of a data set, and what a window's monitor of bias is made of: files, and how they fit together."""

from collections.abc import Sequence
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
from schemas.constraints import Constraints, Defaults
from schemas.errors import BadBaseline, ConfigError
from schemas.layout import Layout
from schemas.report import VIOLATIONS, Violation
from schemas.statistics import Statistics
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
    plan = _plan(config, chosen, facts.of_table(table), known)
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


def _plan(
    place: Path, config: AnalysisConfig, known: dict[str, facts.Facts], baseline: Analysis | None
) -> Plan:
    try:
        return planning.build(config, known, baseline)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error


def monitor(
    place: Path,
    layout: Layout,
    rules: Constraints,
    described: Statistics | None,
    directory: Path,
    defaults: Defaults,
) -> Bias:
    """The monitor of bias of one endpoint, by a configuration and its baseline's directory.

    Without analysis.json in the directory it measures and judges nothing. Raises ConfigError and BadBaseline.
    """
    config = with_output(read_config(place, list(layout.columns)), layout)
    kinds = {name: rule.kind for name, rule in rules.rules.items()}
    baseline = read_analysis(directory) if (directory / ANALYSIS).is_file() else None
    baseline = baseline if baseline and any(baseline.stages()) else None
    plan = _plan(place, config, facts.of_baseline(kinds, described), baseline)
    strange = [c.name for facet in plan.facets for c in facet.columns if c.name not in kinds]
    if strange:
        raise ConfigError(f"{place}: {directory} has no column {', '.join(dict.fromkeys(strange))}")
    return Bias(plan, baseline, defaults)


def with_output(config: AnalysisConfig, layout: Layout) -> AnalysisConfig:
    """The configuration for captured rows, in which the model's output stands under the name of a column of
    the baseline, the label's as a rule. That column is the prediction, a score where it is fractional; labels
    are then known only once they are joined under another name.
    """
    given = {field: getattr(config, field) for field in config.__struct_fields__}
    name = _only_output(layout)
    said = {facet.column for facet in config.facets} | {config.group, *config.excluded}
    if config.predicted is None and config.probability is None and name and name not in said:
        given["probability" if layout.columns[name] == "Fractional" else "predicted"] = name
    if config.label in (given["predicted"], given["probability"]):
        given["label"] = None
    return AnalysisConfig(**given)


def _only_output(layout: Layout) -> str | None:
    """The column that a model's only output is called by; None where it has several."""
    if layout.outputs is not None:
        return layout.outputs[0] if len(layout.outputs) == 1 else None
    names = list(layout.columns)
    return names[0 if layout.output_position == "START" else -1] if names else None
