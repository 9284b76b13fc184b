"""Captures and ground truth through the embedded host: reports, merged records, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelled import (
    captured,
    expected,
    ground_truth,
    labels,
    merged,
    places,
    reported,
    requests,
    settings,
    write,
)
from made import HOUR, T0
from schemas.errors import ConfigError
from stream.replay import Replay


def replayed(tmp_path: Path, *inputs: Path, **more) -> Path:
    work = Replay(settings(tmp_path / "out", *inputs, **more))
    work.run()
    work.close()
    assert work.problems == []
    return tmp_path / "out"


def agrees(out: Path, made, came) -> None:
    found = reported(out)
    for start, (records, matched, mae) in expected(made, came).items():
        report = found[start]
        assert report["counts"]["records"] == records
        assert (report["labels"]["matched"], sum(report["labels"].values())) == (matched, records)
        assert report["statistics"]["regression_metrics"]["mae"]["value"] == pytest.approx(mae)


@pytest.mark.parametrize("days", [0.01, 0.5, 3])
def test_late_labels_revise_the_windows_of_their_predictions(tmp_path, days):
    made = requests(300)
    came = labels(made, days)
    out = replayed(tmp_path, *places(tmp_path, made, came))
    agrees(out, made, came)
    if days == 3:  # most labels came when all windows but the last were closed
        assert [reported(out)[T0 + hour * HOUR]["revision"] > 0 for hour in range(6)] == [True] * 5 + [False]
    last = {name: "\n".join(map(str, values)) for _, name, values in came}
    found = dict(merged(out))
    assert found.keys() == last.keys()
    once = {name for name in last if sum(c[1] == name for c in came) == 1}
    assert {name: found[name] for name in once} == {name: last[name] for name in once}


def test_a_csv_of_labels_is_read_with_its_header(tmp_path):
    made = requests(100)
    came = labels(made, 0.1)
    captures, truth = places(tmp_path, made, [])
    truth.mkdir()
    lines = [f"{name},{','.join(map(str, values))}" for _, name, values in came]
    (truth / "labels.csv").write_text("id,label\n" + "\n".join(lines) + "\n")
    agrees(replayed(tmp_path, captures, truth), made, came)


def test_what_is_no_label_is_kept_aside_and_counted(tmp_path):
    made = requests(30, hours=2)
    bad = [b"{", b'{"eventMetadata": {"eventId": "e1"}}', b"e1", b'{"groundTruthData"' + b" " * 9]
    good = [ground_truth(c) for c in labels(made, 0.1)]
    write(tmp_path / "captures", {"churn/AllTraffic/2023/11/15/00/a.jsonl": [captured(r) for r in made]})
    write(tmp_path / "truth", {"2023/11/15/05/a.jsonl": [*good, *bad]})
    out = replayed(tmp_path, tmp_path / "captures", tmp_path / "truth")
    letters = [json.loads(s) for p in out.glob("errors/*.jsonl") for s in p.read_text().splitlines()]
    assert [letter["code"] for letter in letters] == ["schema", "schema", "csv", "schema"]
    found = json.loads((out / "summary.json").read_bytes())["quality"]["labels"]
    assert (found["records"], found["bad"]) == (len(good), len(bad))


def test_predictions_without_a_label_expire_with_their_window(tmp_path):
    made = [(T0, "early", [0.5]), (T0 + 9 * 24 * HOUR, "late", [0.5])]
    came = [(T0 + 9 * 24 * HOUR + HOUR, "early", [0.4]), (T0 + 9 * 24 * HOUR + HOUR, "late", [0.4])]
    out = replayed(tmp_path, *places(tmp_path, made, came))
    found = reported(out)
    assert found[T0]["labels"] == {"matched": 0, "waiting": 0, "expired": 1}
    assert found[T0 + 9 * 24 * HOUR]["labels"] == {"matched": 1, "waiting": 0, "expired": 0}
    assert [name for name, _ in merged(out)] == ["late"]
    summary = json.loads((out / "summary.json").read_bytes())["quality"]
    assert summary["predictions"] == {"records": 2, "late": 0, "matched": 1, "waiting": 0, "expired": 1}
    assert summary["labels"] == {"records": 2, "duplicates": 0, "waiting": 1, "expired": 0, "bad": 0}


def test_labels_without_a_problem_type_are_a_mistake_of_settings(tmp_path):
    captures, truth = places(tmp_path, requests(3), [(T0, "e1", [1.0])])
    with pytest.raises(ConfigError, match="no endpoint has a problem type"):
        Replay(settings(tmp_path / "out", captures, truth, quality={}))
    with pytest.raises(ConfigError, match="inference_attribute"):
        Replay(settings(tmp_path / "out", captures, truth, quality={"problem_type": "Regression"}))
