"""The examples of docs/preprocessing.md run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from made import HOUR, T0, capture, table
from stream.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/preprocessing.md").read_text()


def blocks(language: str, section: str) -> list[str]:
    part = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A directory with training data, its baseline, and an hour of traffic."""
    rows = table().to_pylist()
    lines = [f"{row['score']},{row['age']},{row['city'] or ''}" for row in rows]
    (tmp_path / "training.csv").write_text("\n".join(["score,age,city", *lines]))
    captures = [
        capture(T0 + i, [(r["score"], r["age"], r["city"] or "")], f"e{i}") for i, r in enumerate(rows)
    ]
    captures.append(capture(T0 + 2 * HOUR, [(0.5, 40, "rome")], "last"))
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures/a.jsonl").write_bytes(b"\n".join(captures) + b"\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sinks.page.write_page", lambda directory: None)  # it is not what is tested here
    assert run("baseline", "training.csv", "--output", "baseline").exit_code == 0
    return tmp_path


def replay(place: Path, toml: str, *more: object) -> dict:
    (place / "streamgauge.toml").write_text('baseline = "baseline"\n' + toml)
    result = run("replay", "captures", "--config", "streamgauge.toml", "--overwrite", "--exit-zero", *more)
    assert result.exit_code == 0, result.output
    return dict(json.loads((place / "out/summary.json").read_bytes()))


def test_the_examples_are_the_files_that_are_shipped():
    for section, file in (
        ("Scripts", "preprocessors/by_name.py"),
        ("Monitors of your own", "monitors/unsure.py"),
    ):
        assert blocks("python", section)[0] in (ROOT / "examples" / file).read_text()


def test_the_script_runs(place):
    (place / "preprocessors").mkdir()
    (place / "preprocessors/by_name.py").write_text(blocks("python", "Scripts")[0])
    expected = replay(place, "")["counts"]
    assert replay(place, blocks("toml", "Scripts")[0])["counts"] == expected
    assert replay(place, "", "--preprocessor", "preprocessors/by_name.py")["counts"] == expected


def test_a_baseline_of_a_script_has_its_columns(place):
    (place / "baseline_rows.py").write_text(
        "def preprocess_handler(line):\n"
        "    return {str(i).zfill(2): x for i, x in enumerate(line.split(','))}\n"
    )
    command = blocks("console", "Scripts")[0].split()[2:]
    assert run(*command).exit_code == 0
    features = json.loads((place / "baseline/constraints.json").read_bytes())["features"]
    assert [(feature["name"], feature["inferred_type"]) for feature in features] == [
        ("00", "Fractional"),
        ("01", "Integral"),
        ("02", "String"),
    ]


def test_the_filter_runs(place):
    counts = replay(place, blocks("toml", "Filter")[0])["counts"]
    assert 280 < counts["filtered"] < 320
    assert counts["records"] == counts["rows"] + counts["filtered"] == 401


def test_the_monitor_runs(place):
    (place / "monitors").mkdir()
    (place / "monitors/unsure.py").write_text(blocks("python", "Monitors of your own")[0])
    replay(place, blocks("toml", "Monitors of your own")[0])
    [first, *_] = sorted(place.glob("out/reports/default/AllTraffic/unsure/**/metrics.json"))
    assert 0.1 < json.loads(first.read_bytes())["unsure"] < 0.25


def test_the_segments_run(place):
    for command in blocks("console", "Segments"):
        assert run(*command.split()[2:]).exit_code == 0
    replay(place, blocks("toml", "Segments")[0])
    monitors = {path.name for path in place.glob("out/reports/default/AllTraffic/*")}
    assert monitors == {"data_quality", "data_quality.age", "data_quality.city", "data_quality.city-age"}
    index = json.loads((place / "baseline/segments/city/segments.json").read_bytes())
    assert {entry["values"][0] for entry in index["segments"]} == {"rome", "oslo", "bern"}
