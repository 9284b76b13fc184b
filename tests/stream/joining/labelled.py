"""Traffic with labels that come late, and what a dictionary makes of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from made import HOUR, T0, capture, settings_for
from schemas.times import to_datetime

QUALITY = {"problem_type": "Regression", "inference_attribute": "score"}
Request = tuple[int, str, list[float]]  # event time, event id, predictions
Came = tuple[int, str, list[float]]  # when the label came, its id, a label each row


def requests(n: int, hours: int = 6, seed: int = 3) -> list[Request]:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, hours * HOUR, n)) + T0
    return [(when, f"e{i}", rng.random(1 + i % 3).round(6).tolist()) for i, when in enumerate(times.tolist())]


def labels(made: list[Request], days: float, seed: int = 4) -> list[Came]:
    """A label for nine in ten requests, up to so many days after it; some come again with another value."""
    rng = np.random.default_rng(seed)
    came = []
    for when, name, values in made:
        if rng.random() < 0.9:
            for _ in range(1 + (rng.random() < 0.1)):
                delay = int(rng.random() * days * 24 * HOUR)
                came.append((when + delay, name, (np.array(values) + rng.normal(0, 0.1)).round(6).tolist()))
    return sorted(came)


def captured(request: Request) -> bytes:
    when, name, values = request
    return capture(when, [(value, 40, ("oslo", "rome")[i % 2]) for i, value in enumerate(values)], name)


def ground_truth(label: Came) -> bytes:
    _, name, values = label
    payload = {"data": "\n".join(map(str, values)), "encoding": "CSV"}
    record = {"groundTruthData": payload, "eventMetadata": {"eventId": name}, "eventVersion": "0"}
    return json.dumps(record, separators=(",", ":")).encode()


def write(place: Path, lines: Mapping[str, list[bytes]]) -> None:
    for name, text in lines.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\n".join(text) + b"\n")


def by_hour(records: list[tuple[int, bytes]], prefix: str = "") -> dict[str, list[bytes]]:
    """Records in files of the hour that each belongs to."""
    found: dict[str, list[bytes]] = {}
    for when, text in records:
        found.setdefault(f"{prefix}{to_datetime(when):%Y/%m/%d/%H}/part.jsonl", []).append(text)
    return found


def places(work: Path, made: list[Request], came: list[Came]) -> tuple[Path, Path]:
    """Captures and ground truth as SageMaker lays them out."""
    captures, truth = work / "captures", work / "truth"
    write(captures, by_hour([(r[0], captured(r)) for r in made], "churn/AllTraffic/"))
    write(truth, by_hour([(c[0], ground_truth(c)) for c in came]))
    return captures, truth


def settings(out: Path, captures: Path, truth: Path, **more: Any) -> Any:
    given = {"quality": QUALITY, "labels": {"places": [str(truth)]}} | more
    return settings_for(out, captures, **given)


def expected(made: list[Request], came: list[Came]) -> dict[int, tuple[int, int, float]]:
    """Records that came, those with a label and the mean absolute error, by start of window."""
    last = {name: values for _, name, values in came}
    found: dict[int, tuple[int, int, float]] = {}
    for start in sorted({when // HOUR * HOUR for when, *_ in made}):
        mine = [r for r in made if r[0] // HOUR * HOUR == start]
        joined = [(values, last[name]) for _, name, values in mine if name in last]
        errors = [abs(p - t) for values, truth in joined for p, t in zip(values, truth, strict=True)]
        found[start] = (len(mine), len(joined), float(np.mean(errors)))
    return found


def reported(out: Path) -> dict[int, dict[str, Any]]:
    """The report of each window with its statistics, by start."""
    found = {}
    for path in out.glob("reports/churn/AllTraffic/model_quality/**/report.json"):
        report = json.loads(path.read_bytes())
        report["statistics"] = json.loads((path.parent / "statistics.json").read_bytes())
        hour = "".join(path.parts[-5:-1])
        start = next(t for t in range(T0, T0 + 2000 * HOUR, HOUR) if f"{to_datetime(t):%Y%m%d%H}" == hour)
        found[start] = report
    return found


def merged(out: Path) -> list[tuple[str, str]]:
    """Event id and ground truth of every merged record."""
    lines = [line for path in out.glob("merged/**/*.jsonl") for line in path.read_bytes().splitlines()]
    records = [json.loads(line) for line in lines]
    return sorted((r["eventMetadata"]["eventId"], r["groundTruthData"]["data"]) for r in records)
