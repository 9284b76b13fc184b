"""Baseline rows: what stands for a feature that is unknown."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.csv
from msgspec import UNSET

from monitors.shap.background import prototypes
from monitors.shap.coding import Coding
from schemas.errors import ConfigError
from schemas.layout import NUMERIC, Kind
from schemas.shap_config import ShapConfig
from schemas.statistics import FeatureStatistics, Statistics
from stream import dataset
from stream.explain_settings import ExplainSettings

BACKGROUND = "shap_baseline.csv"  # beside analysis.json: what its values were counted from

_WEIGHT = "_weight"
_MOST_ROWS = 20_000  # clustered, at most

Rows: TypeAlias = tuple[pa.Table, tuple[float, ...] | None]
"""Rows of the features, and the weight of each where they differ."""


def of_settings(
    settings: ExplainSettings,
    config: ShapConfig,
    features: Mapping[str, Kind],
    directory: Path | None = None,
    described: Statistics | None = None,
) -> Rows | None:
    """Baseline rows: those of `explain.background`, else of the configuration, else those beside the
    baseline's analysis.json, else one row of the baseline's means and most frequent values; None where
    there is none of these. Raises ConfigError and SourceError."""
    if settings.background is not None:
        return _of_file(settings.background, features)
    if isinstance(config.shap.baseline, str):
        if "://" in config.shap.baseline:
            raise ConfigError(f"methods.shap.baseline: {config.shap.baseline} is not on this machine")
        return _of_file(Path(config.shap.baseline), features)
    if config.shap.baseline:
        return _of_rows(config.shap.baseline, features), None
    if directory is not None and (directory / BACKGROUND).is_file():
        return _of_file(directory / BACKGROUND, features)
    return (_means(described, features), None) if described is not None else None


def made(config: ShapConfig, table: pa.Table) -> Rows:
    """Prototypes of a data set of the features, clustered: `methods.shap.num_clusters` of them, or as many
    as pay."""
    if table.num_rows > _MOST_ROWS:
        table = table.slice(0, _MOST_ROWS)
    coding = Coding([table])
    found = prototypes(
        coding.encode(table), coding.categorical, config.shap.num_clusters, config.shap.seed or 0
    )
    return coding.decode(found.rows), tuple(found.weights.tolist())


def written(table: pa.Table, weights: tuple[float, ...] | None) -> bytes:
    """As a CSV file that is read again as it is."""
    out = io.BytesIO()
    if weights is not None:
        table = table.append_column(_WEIGHT, pa.array(weights))
    pa.csv.write_csv(table, out)
    return out.getvalue()


def _of_file(place: Path, features: Mapping[str, Kind]) -> Rows:
    try:
        table = dataset.read(place)
    except FileNotFoundError as error:
        raise ConfigError(f"{place}: {error.strerror}") from error
    if table.column_names[: len(features)] == [f"_c{at}" for at in range(len(features))]:
        table = table.rename_columns([*features, *table.column_names[len(features) :]])
    if absent := [name for name in features if name not in table.column_names]:
        raise ConfigError(f"{place}: baseline rows have no column {', '.join(absent)}")
    weights = None
    if _WEIGHT in table.column_names:
        weights = tuple(float(value) for value in table[_WEIGHT].to_pylist())
    columns = {name: table[name].to_pylist() for name in features}
    return _table(columns, features, str(place)), weights


def _of_rows(rows: Sequence[Any], features: Mapping[str, Kind]) -> pa.Table:
    listed = [[row.get(name) for name in features] if isinstance(row, Mapping) else row for row in rows]
    if wrong := [len(row) for row in listed if len(row) != len(features)]:
        raise ConfigError(
            f"methods.shap.baseline: a row of {wrong[0]} values, and there are {len(features)} features"
        )
    columns = {name: [row[at] for row in listed] for at, name in enumerate(features)}
    return _table(columns, features, "methods.shap.baseline")


def _table(columns: Mapping[str, list[Any]], features: Mapping[str, Kind], source: str) -> pa.Table:
    made_of = {}
    for name, kind in features.items():
        try:
            if kind in NUMERIC:
                numbers = [None if value in (None, "") else float(value) for value in columns[name]]
                made_of[name] = pa.array(numbers, pa.float64())
            else:
                texts = [None if value is None else str(value) for value in columns[name]]
                made_of[name] = pa.array(texts, pa.string())
        except ValueError as error:
            raise ConfigError(f"{source}: {name}: {error}") from error
    return pa.table(made_of)


def _means(described: Statistics, features: Mapping[str, Kind]) -> pa.Table:
    known = {feature.name: feature for feature in described.features}
    columns = {
        name: [_typical(known[name], kind)] if name in known else [None] for name, kind in features.items()
    }
    return _table(columns, features, "statistics.json")


def _typical(feature: FeatureStatistics, kind: Kind) -> float | str | None:
    numeric, text = feature.numerical_statistics, feature.string_statistics
    if kind in NUMERIC:
        return None if numeric is UNSET else numeric.mean
    if text is UNSET or text.distribution is UNSET or text.distribution.categorical is UNSET:
        return None
    buckets = text.distribution.categorical.buckets
    return max(buckets, key=lambda bucket: bucket.count).value if buckets else None
