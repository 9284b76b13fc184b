"""Small made-up traffic and a baseline for it, and how to run it and to compare what came out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset

from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, profile
from monitors.describe import suggest
from schemas import constraints
from schemas.decode import decode
from schemas.frame import Frame, Subject
from schemas.report import Report
from schemas.times import END_OF_TIME, format_time
from stream.choices import FilterSettings
from stream.filtering import apply
from stream.judge import Judge
from stream.settings import WindowSettings, load
from stream.watch import Watch

HOUR = 3_600_000
T0 = 1_700_006_400_000  # 2023-11-15T00:00:00Z, a whole hour
ARRIVED = T0 + 10**9
SUBJECT = Subject("churn")


def table(n: int = 400, seed: int = 1) -> pa.Table:
    """Training data: a prediction, an integer, a text with a few missing values."""
    rng = np.random.default_rng(seed)
    city = rng.choice(["rome", "oslo", "bern"], n).tolist()
    city[::50] = [None] * len(city[::50])
    return pa.table({"score": rng.random(n).round(6), "age": rng.integers(18, 80, n), "city": city})


def baseline() -> Baseline:
    """The baseline of `table()`."""
    described = profile(table())
    return Baseline.of(described, constraints.of(suggest(described)))


def capture(when: int, rows: Sequence[tuple[Any, Any, Any]], event_id: str) -> bytes:
    """A captured request of rows (score, age, city), as CSV."""
    inputs = "\n".join(f"{age},{city}" for _, age, city in rows)
    output = "\n".join(str(score) for score, _, _ in rows)
    sides = {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": inputs,
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv",
            "mode": "OUTPUT",
            "data": output,
            "encoding": "CSV",
        },
    }
    about = {"eventId": event_id, "inferenceTime": format_time(when)}
    return json.dumps({"captureData": sides, "eventMetadata": about, "eventVersion": "0"}).encode()


def traffic(n: int, seed: int = 2, hours: float = 6.0) -> list[bytes]:
    """`n` requests in order of time; from the middle on, ages are higher. A few lines are broken."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, int(hours * HOUR), n)) + T0
    records = []
    for i, when in enumerate(times.tolist()):
        shift = 30 if i > n // 2 else 0
        rows = [
            (
                round(rng.random(), 6),
                int(rng.integers(18, 80)) + shift,
                rng.choice(["rome", "oslo", "bern", ""]),
            )
            for _ in range(1 + i % 3)
        ]
        record = capture(when, rows, f"e{i}")
        records.append(record[:-40] if i % 97 == 96 else record)
    return records


def frames(records: Sequence[bytes], cuts: Iterable[int] = ()) -> list[Frame]:
    """`records` as frames that end at `cuts`."""
    edges = [0, *sorted({c for c in cuts if 0 < c < len(records)}), len(records)]
    return [Frame.of(SUBJECT, pa.array(records[a:b], pa.binary()), ARRIVED) for a, b in pairwise(edges)]


def run_stages(
    parts: Iterable[Frame], chosen: FilterSettings | None = None, **window: Any
) -> dict[int, Report]:
    """The last report of each window (by start) after all frames and the end of the source."""
    monitors = (DataQuality(known := baseline()),)
    settings = WindowSettings.model_validate({"size": "1h", **window})
    watch = Watch(0, settings, lambda _: monitors)
    judge = Judge(settings, lambda _: monitors)
    layout = known.layout()
    reports: dict[int, Report] = {}
    for frame in [*parts, Frame.completion(SUBJECT, END_OF_TIME)]:
        watched = watch.observe(apply(chosen or FilterSettings(), decode(frame, layout), layout))
        for report in judge.observe(watched.subject, watched.partials, watched.progress):
            assert report.finding.documents or report.revision, "a first report without its documents"
            reports[report.window.start] = report
    return reports


def settings_for(directory: Path, captures: Path, **more: Any) -> Any:
    """Settings of a replay of `captures` into `directory`, with the baseline written beside it."""
    from sinks.reports import pretty

    place = directory.parent / "baseline"
    if not place.exists():
        place.mkdir(parents=True)
        described = profile(table())
        (place / "statistics.json").write_bytes(pretty(described))
        (place / "constraints.json").write_bytes(pretty(suggest(described)))
    document = {
        "output": directory,
        "baseline": place,
        "source": {"captures": [str(captures)], "endpoint": "churn"},
        "window": {"size": "1h", "lateness": "5m"},
        "checkpoint": {"rows": 150},
        **more,
    }
    return load(None, document)


def same(a: Any, b: Any, where: str = "") -> None:
    """Assert that two documents are equal: numbers to 1e-12, all else exactly."""
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list) and isinstance(b, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{i}]")
    elif isinstance(a, float) or isinstance(b, float):
        assert math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12), f"{where}: {a} != {b}"
    else:
        assert a == b, f"{where}: {a!r} != {b!r}"


def results(directory: Path) -> dict[str, Any]:
    """Everything a run left that must not depend on how it went.

    Texts of violations hold distances with all their digits; the numbers stand in the documents too, so a
    violation is compared by its feature and check.
    """
    found: dict[str, Any] = {}
    for path in sorted(directory.glob("reports/**/*.json")):
        document = json.loads(path.read_bytes())
        document.pop("revision", None)
        for violation in document.get("violations", []):
            violation.pop("description")
        found[str(path.relative_to(directory))] = document
    rows = pa.dataset.dataset(directory / "captures", format="parquet", partitioning="hive").to_table()
    found["rows"] = sorted(
        ([row[name] for name in ("_event_id", "_row", "score", "age", "city")] for row in rows.to_pylist()),
        key=str,
    )
    letters = [
        json.loads(line)
        for path in directory.glob("errors/*.jsonl")
        for line in path.read_text().splitlines()
    ]
    found["letters"] = sorted([letter["source"][-20:], letter["line"], letter["code"]] for letter in letters)
    at = directory / "alerts.jsonl"
    alerts = [json.loads(line)["id"] for line in (at.read_text().splitlines() if at.exists() else [])]
    assert len(alerts) == len(set(alerts)), "an alert twice"
    found["alerts"] = sorted(alerts)
    found["summary"] = json.loads((directory / "summary.json").read_bytes())
    return found
