"""Bias through the service: captures and labels come while it runs, and reports appear and are revised."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import Struct

from labelled import ground_truth, write
from made import HOUR, T0, capture, settings_for
from schemas.times import to_datetime
from stream.serve import Service

CONFIG = {
    "label": "late",
    "label_values_or_threshold": ["yes"],
    "probability": "score",
    "probability_threshold": 0.6,
    "facet": [{"name_or_index": "city", "value_or_threshold": ["rome"]}],
    "group_variable": "age",
}
QUALITY = {"problem_type": "BinaryClassification", "probability_attribute": "score", "positive_label": "yes"}
END = T0 + 12 * HOUR


class Person(Struct, frozen=True):
    """A row, its label, and the request that it came in."""

    when: int
    id: str
    score: float
    age: int
    city: str
    label: str


def people(n: int, hour: int, seed: int, name: str = "r") -> list[Person]:
    """People of requests of two within an hour, a few without a city."""
    rng = np.random.default_rng(seed)
    when = np.sort(rng.integers(0, HOUR, n // 2)) + T0 + hour * HOUR
    return [
        Person(
            int(when[i // 2]),
            f"{name}{hour}-{i // 2}",
            round(float(rng.random()), 6),
            int(rng.integers(20, 30)),
            str(rng.choice(["rome", "oslo", "bern", ""])),
            str(rng.choice(["yes", "no"])),
        )
        for i in range(n)
    ]


def by_request(rows: list[Person]) -> dict[str, list[Person]]:
    found: dict[str, list[Person]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return found


def captures(rows: list[Person]) -> list[bytes]:
    return [
        capture(mine[0].when, [(row.score, row.age, row.city) for row in mine], name)
        for name, mine in by_request(rows).items()
    ]


def labels(rows: list[Person], turned: bool = False) -> list[bytes]:
    other = {"yes": "no", "no": "yes"} if turned else {"yes": "yes", "no": "no"}
    return [
        ground_truth((0, name, [other[row.label] for row in mine])) for name, mine in by_request(rows).items()
    ]


def expected(rows: list[Person]) -> dict[str, float]:
    """Some metrics by their formulas."""
    known = [row for row in rows if row.city]
    d = np.array([row.city == "rome" for row in known])
    label = np.array([row.label == "yes" for row in known])
    predicted = np.array([row.score > 0.6 for row in known])

    def gap(what: Any, among: Any) -> float:
        return float(what[among & ~d].mean() - what[among & d].mean())

    everyone = np.ones_like(d)
    return {
        "DPPL": gap(predicted, everyone),
        "AD": gap(label == predicted, everyone),
        "RD": gap(predicted, label),
        "DAR": gap(label, predicted),
        "SD": -gap(~predicted, ~label),
    }


def report(out: Path, monitor: str, hour: int = 0, endpoint: str = "churn") -> dict[str, Any] | None:
    """A report with its metrics of what was predicted, by name; None while there is none."""
    at = f"{to_datetime(T0 + hour * HOUR):%Y/%m/%d/%H}"
    folder = out / "reports" / endpoint / "AllTraffic" / monitor / at
    if not (folder / "report.json").exists():
        return None
    found: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    analysis = json.loads((folder / "analysis.json").read_bytes())
    (entry,) = analysis["post_training_bias_metrics"]["facets"]["city"]
    assert json.loads((folder / "constraint_violations.json").read_bytes())["version"] == "1.0"
    return found | {"metrics": {metric["name"]: metric["value"] for metric in entry["metrics"]}}


def agrees(found: dict[str, Any] | None, rows: list[Person], *names: str) -> None:
    assert found is not None
    given = expected(rows)
    for name in names or given:
        assert found["metrics"][name] == pytest.approx(given[name], abs=1e-9), name


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "truth").mkdir()
    (tmp_path / "captures").mkdir()
    (tmp_path / "bias.json").write_text(json.dumps(CONFIG))
    return tmp_path


def service(work: Path, **more: Any) -> Service:
    given = {
        "bias": str(work / "bias.json"),
        "quality": QUALITY,
        "labels": {"places": [str(work / "truth")]},
        "window": {"size": "1h", "lateness": "5m", "retention": "1d"},
    }
    return Service(settings_for(work / "out", work / "captures", **given | more), now=lambda: END)


def step(running: Service) -> None:
    running.step()
    running.checkpoint()


def test_reports_of_bias_appear_and_are_revised_by_labels_and_by_late_captures(work):
    """
    captures  hour 0 ...... close it ................................ late rows of hour 0
    labels               none       of half     of all, restarted     and theirs
    """
    out, rows, late = work / "out", people(200, 0, 1), people(40, 0, 2, "late")
    running = service(work)
    write(work / "captures", {"a.jsonl": captures(rows)})
    step(running)
    assert report(out, "bias") is None is report(out, "model_bias")
    write(work / "captures", {"b.jsonl": captures(people(20, 3, 3))})
    step(running)
    agrees(report(out, "bias"), rows, "DPPL")
    first = report(out, "model_bias")
    assert first is not None and set(first["metrics"].values()) == {None}
    assert first["labels"] == {"matched": 0, "waiting": 100, "expired": 0}
    write(work / "truth", {"a.jsonl": [*labels(rows[:60]), *labels(rows[60:80], turned=True)]})
    step(running)
    write(work / "truth", {"b.jsonl": labels(rows[60:80])})
    step(running)
    second = report(out, "model_bias")
    assert second is not None and second["revision"] > first["revision"]
    assert second["labels"] == {"matched": 40, "waiting": 60, "expired": 0}
    agrees(second, rows[:80])
    of_captures = report(out, "bias")
    assert of_captures is not None and of_captures["revision"] == 0 and of_captures["metrics"]["AD"] is None
    running.close()

    running = service(work)
    write(work / "truth", {"c.jsonl": labels(rows[80:])})
    step(running)
    agrees(report(out, "model_bias"), rows)
    write(work / "captures", {"c.jsonl": captures(late)})
    write(work / "truth", {"d.jsonl": labels(late)})
    step(running)
    agrees(report(out, "model_bias"), rows + late)
    of_captures = report(out, "bias")
    assert of_captures is not None and of_captures["revision"] == 1
    agrees(of_captures, rows + late, "DPPL")
    running.close()


def test_a_subject_without_bias_stands_beside_one_with_it(work):
    rows, others = people(100, 0, 4), people(100, 0, 5, "other")
    everything = {"churn": rows + people(2, 3, 6), "other": others + people(2, 3, 7, "other")}
    for endpoint, some in everything.items():
        write(work / "captures", {f"{endpoint}/AllTraffic/2023/11/15/00/a.jsonl": captures(some)})
    write(work / "truth", {"a.jsonl": labels(rows + others)})
    own = {"churn": {"bias": str(work / "bias.json")}}
    running = service(work, bias=None, endpoints=own)
    step(running)
    running.close()
    agrees(report(work / "out", "model_bias"), rows)
    at = work / "out/reports/other/AllTraffic"
    assert {path.name for path in at.iterdir()} == {"data_quality", "model_quality"}
    (found,) = at.glob("model_quality/2023/11/15/00/report.json")
    assert json.loads(found.read_bytes())["labels"]["matched"] == 50


def test_facets_added_between_two_starts_are_missing_in_what_waited(work):
    """Rows that were kept without their facets are on no side; those that come later are."""
    before, after = people(100, 0, 8), people(100, 0, 9, "after")
    write(work / "captures", {"a.jsonl": captures(before)})
    running = service(work, bias=None)
    step(running)
    running.close()
    write(work / "captures", {"b.jsonl": captures(after) + captures(people(2, 3, 6))})
    write(work / "truth", {"a.jsonl": labels(before + after)})
    running = service(work)
    step(running)
    running.close()
    found = report(work / "out", "model_bias")
    agrees(found, after)
    assert found is not None and found["labels"]["matched"] == 100


def wait_for(what: Any, seconds: float = 60) -> None:
    """Poll for something another process does; there is no event to wait for."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "the service did not get there"
        time.sleep(0.05)


def appear(place: Path, name: str, lines: list[bytes]) -> None:
    """A whole file at once."""
    write(place, {f"{name}.tmp": lines})
    os.utime(place / f"{name}.tmp", (1, 1))
    (place / f"{name}.tmp").rename(place / name)


def test_the_command_serve_reports_bias_while_files_come(work):
    settings_for(work / "out", work / "captures")  # writes the baseline
    quality = "\n".join(f"{name} = {value!r}" for name, value in QUALITY.items())
    (work / "streamgauge.toml").write_text(
        "output = 'out'\nbaseline = 'baseline'\nbias = 'bias.json'\n"
        "[source]\ncaptures = ['captures']\nendpoint = 'churn'\npoll = '50ms'\nidle = '1h'\n"
        f"[checkpoint]\ninterval = '200ms'\n[quality]\n{quality}\n[labels]\nplaces = ['truth']\n"
    )
    out, rows = work / "out", people(200, 0, 1)
    command = [sys.executable, "-W", "ignore", "-c", "from stream.cli import main; main()"]
    with (work / "log").open("wb") as log:
        running = subprocess.Popen(
            [*command, "serve", "--config", str(work / "streamgauge.toml")], stdout=log, stderr=log
        )
    try:
        appear(work / "captures", "a.jsonl", captures(rows + people(2, 3, 3)))
        wait_for(lambda: report(out, "bias") and report(out, "model_bias"))
        agrees(report(out, "bias"), rows, "DPPL")
        for start in (0, 100):
            appear(work / "truth", f"{start}.jsonl", labels(rows[start : start + 100]))
            wait_for(lambda: matched(out) == (start + 100) // 2)  # noqa: B023
            agrees(report(out, "model_bias"), rows[: start + 100])
        found = report(out, "model_bias")
        assert found is not None and found["revision"] >= 2
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 0, (work / "log").read_text()[-2000:]


def matched(out: Path) -> int:
    found = report(out, "model_bias")
    return int(found["labels"]["matched"]) if found else -1
