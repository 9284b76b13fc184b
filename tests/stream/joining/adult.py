"""UCI's Adult as traffic: people whose income a model has guessed, and is known only later."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from msgspec import Struct

from labelled import by_hour, write
from made import HOUR, T0
from monitors.data_quality import profile
from monitors.describe import suggest
from schemas.times import format_time
from sinks.reports import pretty
from stream import bias
from stream.settings import Settings, load

PLACES = {"age": 0, "education": 3, "race": 8, "sex": 9}
HIGH, LOW = ">50K", "<=50K"
POST = ["AD", "CDDPL", "DAR", "DCA", "DCR", "DI", "DPPL", "DRR", "GE", "RD", "SD", "TE"]  # all but FT
CONFIG = {
    "label": "target",
    "label_values_or_threshold": [HIGH],
    "facet": [
        {"name_or_index": "sex", "value_or_threshold": ["Female"]},
        {"name_or_index": "age", "value_or_threshold": [40], "continuous": True},
        {"name_or_index": "race"},
    ],
    "intersections": [["sex", "age"]],
    "group_variable": "education",
    "methods": {"pre_training_bias": {"methods": "all"}, "post_training_bias": {"methods": POST}},
}
QUALITY = {"problem_type": "BinaryClassification", "inference_attribute": "target", "positive_label": HIGH}


class Request(Struct, frozen=True):
    """A captured request: its event time, id, and the places of its people in the table."""

    when: int
    id: str
    people: list[int]


def adult(shared: Path) -> pa.Table:
    """Age, education, race, sex, the true `target`, and what a linear model has `predicted`."""
    text = gzip.decompress((shared / "data/fairness/adult-train.csv.gz").read_bytes()).decode()
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    columns = {name: [row[at] for row in rows] for name, at in PLACES.items()}
    columns["age"] = [int(age) for age in columns["age"]]
    numbers = np.array([[float(row[at]) for at in (0, 4, 10, 12)] for row in rows])
    known = np.column_stack([numbers, np.array(columns["sex"]) == "Male", np.ones(len(rows))])
    high = np.array([row[14] == HIGH for row in rows])
    weights, *_ = np.linalg.lstsq(known, high, rcond=None)
    predicted = np.where(known @ weights > 0.4, HIGH, LOW)
    return pa.table({"target": [row[14] for row in rows], "predicted": predicted, **columns})


def requests(people: Sequence[int], hours: int = 4, seed: int = 5) -> list[Request]:
    """Requests of one to three of these people, in order of time."""
    rng = np.random.default_rng(seed)
    made, left = [], list(people)
    while left:
        n = 1 + len(made) % 3
        made.append(left[:n])
        left = left[n:]
    times = np.sort(rng.integers(0, hours * HOUR, len(made))) + T0
    return [Request(when, f"r{i}", made[i]) for i, when in enumerate(times.tolist())]


def captured(table: pa.Table, request: Request) -> bytes:
    """The model's output is called as the label is: `target`."""
    rows = table.take(request.people).to_pylist()
    sides = {
        "endpointInput": ("INPUT", "\n".join(",".join(str(row[name]) for name in PLACES) for row in rows)),
        "endpointOutput": ("OUTPUT", "\n".join(row["predicted"] for row in rows)),
    }
    payloads = {
        side: {"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"}
        for side, (mode, data) in sides.items()
    }
    about = {"eventId": request.id, "inferenceTime": format_time(request.when)}
    return json.dumps({"captureData": payloads, "eventMetadata": about, "eventVersion": "0"}).encode()


def ground_truth(name: str, labels: Sequence[str]) -> bytes:
    payload = {"data": "\n".join(labels), "encoding": "CSV"}
    return json.dumps(
        {"groundTruthData": payload, "eventMetadata": {"eventId": name}, "eventVersion": "0"}
    ).encode()


def truth(table: pa.Table, request: Request) -> list[str]:
    return [str(label) for label in table["target"].take(request.people).to_pylist()]


def baselines(work: Path, table: pa.Table, config: Mapping[str, Any] = CONFIG) -> Path:
    """A baseline of captured traffic, with the analysis of the labelled table in it."""
    place = work / "baseline"
    place.mkdir(parents=True)
    captures = table.drop_columns(["target"]).rename_columns(["target", *PLACES])
    described = profile(captures)
    (place / "statistics.json").write_bytes(pretty(described))
    (place / "constraints.json").write_bytes(pretty(suggest(described)))
    (work / "analysis_config.json").write_text(json.dumps(config))
    analysed(work, table, place)
    return place


def analysed(work: Path, table: pa.Table, out: Path, baseline: Path | None = None) -> None:
    """What `streamgauge bias` says of a labelled table."""
    config = json.loads((work / "analysis_config.json").read_text())
    with_prediction = work / "with_prediction.json"
    with_prediction.write_text(json.dumps({"predicted_label": "predicted", **config}))
    pyarrow.csv.write_csv(table, work / "table.csv")
    bias.report(work / "table.csv", with_prediction, out, baseline)


def settings(work: Path, **more: Any) -> Settings:
    document = {
        "output": work / "out",
        "baseline": work / "baseline",
        "bias": work / "analysis_config.json",
        "quality": QUALITY,
        "source": {"captures": [str(work / "captures")], "endpoint": "people"},
        "labels": {"places": [str(work / "truth")]},
        "window": {"size": "1h", "lateness": "5m"},
        "checkpoint": {"rows": 200},
        **more,
    }
    return load(None, document)


def write_captures(work: Path, table: pa.Table, made: Sequence[Request], name: str = "") -> None:
    """In files of their hours, or in one of this name."""
    records = [(request.when, captured(table, request)) for request in made]
    place = "people/AllTraffic/"
    files = {place + name: [record for _, record in records]} if name else by_hour(records, place)
    write(work / "captures", files)


def found(out: Path, monitor: str = "model_bias") -> dict[int, Path]:
    """Folders of the reports of a monitor, by start of their window."""
    folders = out.glob(f"reports/people/AllTraffic/{monitor}/**/report.json")
    at = {f"{format_time(T0 + h * HOUR)[:13]}": T0 + h * HOUR for h in range(240)}
    return {
        at[json.loads(path.read_bytes())["window"]["start"][:13]]: path.parent for path in sorted(folders)
    }


def said(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """analysis.json and constraint_violations.json."""
    analysis, violations = (
        json.loads((folder / name).read_bytes()) for name in ("analysis.json", "constraint_violations.json")
    )
    for violation in violations["violations"]:
        del violation["description"]  # holds a number with all its digits, which stands in the analysis too
        violation.pop("first_seen", None)
    return analysis, violations


def metrics(folder: Path, facet: str = "sex", stage: str = "post_training") -> dict[str, Any]:
    """Metrics of a report, of the first value of a facet, by name."""
    analysis = json.loads((folder / "analysis.json").read_bytes())
    entries = analysis[f"{stage}_bias_metrics"]["facets"][facet]
    return {metric["name"]: metric for metric in entries[0]["metrics"]}


def close(a: Any, b: Any, where: str = "") -> int:
    """Assert that two documents are equal, numbers to 1e-9; gives how many numbers there are."""
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys(), where
        return sum(close(a[key], b[key], f"{where}.{key}") for key in a)
    if isinstance(a, list) and isinstance(b, list):
        assert len(a) == len(b), where
        return sum(close(x, y, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True)))
    if isinstance(a, float) or isinstance(b, float):
        assert abs(a - b) <= 1e-9 * max(1.0, abs(b)), f"{where}: {a} != {b}"
        return 1
    assert a == b, f"{where}: {a!r} != {b!r}"
    return isinstance(a, int)
