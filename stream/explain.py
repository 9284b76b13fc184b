"""Explanations of a data set, and what a window's monitor of attributions is made of: files and a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv
from msgspec import Struct

from monitors.attribution import Attribution
from monitors.marks import of_table
from monitors.ranking_drift import Judging
from monitors.row_sample import RowSample
from monitors.types import classify
from schemas import analysis, shap_config
from schemas.analysis import Analysis
from schemas.constraints import Defaults
from schemas.errors import BadBaseline, ConfigError, ModelFailed
from schemas.layout import Kind, Layout
from schemas.report import VIOLATIONS, Violation
from schemas.shap_config import ShapConfig
from schemas.statistics import Statistics
from sinks.objects import Objects
from sinks.reports import pretty
from stream import dataset
from stream.backgrounds import BACKGROUND, made, of_settings, written
from stream.bias import ANALYSIS, read_analysis
from stream.explain_settings import ExplainSettings
from stream.explainer import Asked, Explainer, local_values
from stream.explaining import Explaining
from stream.models.budget import Budget
from stream.models.opening import open_model


class Outcome(Struct, frozen=True):
    """What a one-off explanation found."""

    rows: int
    analysis: Analysis
    violations: Sequence[Violation]
    files: Sequence[Path]


def report(
    data: Path,
    settings: ExplainSettings,
    output: Path,
    baseline: Path | None = None,
    header: bool | None = None,
    defaults: Defaults | None = None,
) -> Outcome:
    """Write analysis.json of a data set, the baseline rows it rests on and, with a baseline,
    constraint_violations.json. Bias metrics that analysis.json holds already are kept.

    Raises ConfigError, SourceError, BadBaseline, and ModelFailed where not all rows could be explained.
    """
    config = _read_config(settings.config)
    known = read_analysis(baseline) if baseline else None
    table = _named(dataset.read(data, header), config)
    features = _features(settings, config, table)
    whole = RowSample.of(of_table(table), features, table.num_rows)
    found = of_settings(settings, config, features) or made(config, whole.table)
    asked = _asked(config, found)
    budget = _budget(settings)
    explainer = Explainer(open_model(settings, config.predictor, budget), asked, budget)
    sample = RowSample(whole.table.slice(0, settings.rows), whole.marks[: settings.rows], settings.rows)
    answered = explainer.explain(sample)
    explainer.close()
    if answered.found is None or answered.incomplete:
        raise ModelFailed(answered.incomplete)
    labels = _labels(settings, config, known, answered.local.shape[2])
    monitor = Attribution(
        features, labels, known, config.shap.agg_method, settings.rows,
        judging=Judging.of(settings.threshold, defaults or Defaults()),
    )  # fmt: skip
    state = monitor.observe(of_table(table.slice(0, 0)))
    finding = monitor.finish(state.explained_by(answered.found, answered.expected.tolist(), ""))
    documents = {**finding.documents, BACKGROUND: written(*found)}
    if settings.local or config.shap.save_local_shap_values:
        name, content = local_values(answered.local, [*features], [*labels], settings.local or "csv")
        documents[name] = content
    if not known:
        del documents[VIOLATIONS]
    described = monitor.describe(state.explained_by(answered.found, answered.expected.tolist(), ""))
    documents[ANALYSIS] = analysis.document(_with_bias(output, described))
    objects = Objects.at(output)
    for name, document in documents.items():
        objects.put(name, document if isinstance(document, bytes) else pretty(document))
    return Outcome(len(sample), described, finding.violations, [output / name for name in documents])


def _with_bias(output: Path, found: Analysis) -> Analysis:
    """What Clarify writes into one file: with the bias metrics that are there."""
    if not (output / ANALYSIS).is_file():
        return found
    return msgspec.structs.replace(read_analysis(output), explanations=found.explanations)


def monitor(
    settings: ExplainSettings,
    layout: Layout,
    described: Statistics | None,
    directory: Path,
    defaults: Defaults,
) -> Attribution | Explaining:
    """The monitor of attributions of one endpoint. Without analysis.json in the baseline's directory it
    measures and judges nothing. Raises ConfigError and BadBaseline."""
    config = _read_config(settings.config)
    known = read_analysis(directory) if (directory / ANALYSIS).is_file() else None
    known = known if known and known.labels else None
    features = _of_layout(settings, config, layout, known)
    labels = _labels(settings, config, known, 1)
    inner = Attribution(
        features, labels, known, config.shap.agg_method, settings.rows, settings.captured,
        Judging.of(settings.threshold, defaults),
    )  # fmt: skip
    if settings.captured is not None:
        return inner
    budget = _budget(settings)
    background = of_settings(settings, config, features, directory, described)
    if background is None:
        raise ConfigError(
            f"explain: no baseline rows: run streamgauge explain into {directory}, or set explain.background"
        )
    explainer = Explainer(open_model(settings, config.predictor, budget), _asked(config, background), budget)
    local = settings.local or ("csv" if config.shap.save_local_shap_values else None)
    return Explaining(inner, explainer, local)


def _read_config(place: Path | None) -> ShapConfig:
    if place is None:
        return ShapConfig()
    try:
        return shap_config.parse(place.read_bytes(), str(place))
    except OSError as error:
        raise ConfigError(f"{place}: {error.strerror}") from error


def _budget(settings: ExplainSettings) -> Budget:
    return Budget(settings.calls, settings.time.total_seconds(), settings.per_second)


def _asked(config: ShapConfig, background: tuple[pa.Table, tuple[float, ...] | None]) -> Asked:
    shap = config.shap
    seed = 0 if shap.seed is None else shap.seed  # the same window gives the same values
    return Asked(*background, shap.num_samples, "logit" if shap.use_logit else "identity", seed)


def _labels(
    settings: ExplainSettings, config: ShapConfig, known: Analysis | None, outputs: int
) -> tuple[str, ...]:
    """Names of the outputs: as they are given, else as the baseline has them, else label0, label1, ..."""
    given = settings.labels or tuple(config.predictor.label_headers or ())
    if not given and known and known.labels and outputs in (1, len(known.labels)):
        given = tuple(known.labels)
    if given and outputs > 1 and len(given) != outputs:
        raise ConfigError(f"explain: the model has {outputs} outputs, and {len(given)} labels are named")
    return given or tuple(f"label{at}" for at in range(outputs))


def _features(settings: ExplainSettings, config: ShapConfig, table: pa.Table) -> dict[str, Kind]:
    names = settings.features or tuple(_unlabelled(table.column_names, config))
    if absent := [name for name in names if name not in table.column_names]:
        raise ConfigError(f"explain: the data has no column {', '.join(absent)}")
    return {name: _kind(table[name]) for name in names}


def _unlabelled(names: Sequence[str], config: ShapConfig) -> list[str]:
    label = config.label
    if isinstance(label, int):
        label = names[label] if 0 <= label < len(names) else None
    return [name for name in names if name != label]


def _kind(column: pa.ChunkedArray) -> Kind:
    if not pa.types.is_string(column.type):
        numeric = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        return "Fractional" if numeric else "String"
    types, _, _ = classify(column.drop_null().combine_chunks())
    return "Fractional" if types.numeric else "String"


def _of_layout(
    settings: ExplainSettings, config: ShapConfig, layout: Layout, known: Analysis | None
) -> Mapping[str, Kind]:
    """The model's inputs among the baseline's columns: as they are named, else those that analysis.json
    explains, else all that are no output."""
    names: Sequence[str] = settings.features or ()
    if not names and config.headers:
        names = _unlabelled(config.headers, config)
    if not names and known:
        explained = {name for label in known.labels.values() for name in label.global_shap_values}
        names = [name for name in layout.columns if name in explained]
    if not names:
        names = [name for name in layout.columns if name not in _outputs(layout)]
    if absent := [name for name in names if name not in layout.columns]:
        raise BadBaseline(f"explain: the baseline has no column {', '.join(absent)}")
    return {name: layout.columns[name] for name in names}


def _outputs(layout: Layout) -> Sequence[str]:
    if layout.outputs is not None:
        return layout.outputs
    names = [*layout.columns]
    return names[:1] if layout.output_position == "START" else names[-1:]


def _named(table: pa.Table, config: ShapConfig) -> pa.Table:
    """The table with the configuration's names, where its file has none."""
    headers: Any = config.headers
    places = [f"_c{place}" for place in range(table.num_columns)]
    if not headers or table.column_names != places:
        return table
    if len(headers) != table.num_columns:
        raise ConfigError(f"headers: {len(headers)} names, and the data has {table.num_columns} columns")
    return table.rename_columns(headers)
