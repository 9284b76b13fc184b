"""Data sets with known bias, and how to measure them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from monitors.bias import facts, planning
from monitors.bias.describe import describe
from monitors.bias.monitor import Bias
from monitors.bias.plan import Plan
from schemas import analysis, analysis_config
from schemas.analysis import Analysis
from stream.dataset import read


def plan_of(table: pa.Table, config: Mapping[str, Any], baseline: Analysis | None = None) -> Plan:
    """The plan of a configuration on a whole table."""
    parsed = analysis_config.parse(json.dumps(config).encode(), names=table.column_names)
    return planning.build(parsed, facts.of_table(table), baseline)


def analysed(table: pa.Table, config: Mapping[str, Any]) -> Analysis:
    """The analysis of a whole table."""
    plan = plan_of(table, config)
    return describe(plan, Bias(plan).of_table(table)).analysis


def values(found: Analysis) -> dict[tuple[str, str, str], analysis.Metric]:
    """Metrics by facet, value and name."""
    return {(facet, value, metric.name): metric for facet, value, metric in found.metrics()}


def config(facet: Mapping[str, list[Any]], label: str = "label", positive: Any = 1, **more: Any) -> Any:
    """A configuration with facets given as {column: values}."""
    facets = [{"name_or_index": name, "value_or_threshold": values or None} for name, values in facet.items()]
    return {"label": label, "label_values_or_threshold": [positive], "facet": facets, **more}


def fairness(place: Path) -> tuple[pa.Table, dict[str, Any]]:
    """A table of shared/data/fairness, blanks stripped, and what is expected of it."""
    expected = json.loads(place.with_name(place.name.replace(".csv.gz", ".expected.json")).read_text())
    text = gzip.decompress(place.read_bytes()).decode()
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    columns = list(zip(*rows, strict=True))
    return pa.table(dict(zip(expected["columns"], map(list, columns), strict=True))), expected


def adult_monitor(folder: Path) -> tuple[dict[str, Any], pa.Table, pa.Table]:
    """(configuration, baseline, window) of the pair adult-bias-monitor-endpoint."""
    chosen = json.loads((folder / "analysis_config.json").read_text())
    names = [*chosen["headers"], "predicted"]
    rows = json.loads((folder / "validation-dataset.json").read_text())["instances"]
    predicted = json.loads((folder / "baseline_predictions.json").read_text())["predicted_label"]
    baseline = [[*r["features"], r["label"], p] for r, p in zip(rows, predicted, strict=True)]
    record = json.loads((folder / "merged.jsonl").read_text().splitlines()[0])
    captured = record["captureData"]
    inputs = json.loads(captured["endpointInput"]["data"])["instances"]
    outputs = json.loads(captured["endpointOutput"]["data"])["predictions"]
    labels = json.loads(record["groundTruthData"]["data"])["instances"]
    window = [
        [*i["features"], y["label"], o["predicted_label"]]
        for i, o, y in zip(inputs, outputs, labels, strict=True)
    ]
    tables = [
        pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
        for rows in (baseline, window)
    ]
    return chosen | {"predicted_label": "predicted"}, tables[0], tables[1]


def csv_table(place: Path, header: bool) -> pa.Table:
    """A CSV file of the pairs."""
    return read(place, header)
