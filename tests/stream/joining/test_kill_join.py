"""SIGKILL at any write while labels are joined: what comes out is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from labelled import labels, merged, places, reported, requests
from made import results, same

HERE = Path(__file__).parent
POINTS = 16
BIAS = {
    "label": "score",
    "label_values_or_threshold": [0.5],
    "facet": [{"name_or_index": "city", "value_or_threshold": ["rome"]}],
}


def run(work: Path, *points: int) -> None:
    command = [sys.executable, "-W", "ignore", str(HERE / "killed_join.py"), str(work)]
    paths = [HERE, HERE.parent, HERE.parents[2]]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, paths)))
    subprocess.run([*command, *map(str, points)], check=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    work = tmp_path_factory.mktemp("killed")
    made = requests(400)
    came = labels(made, 0.3)
    places(work, made, came)
    (work / "bias.json").write_text(json.dumps(BIAS))
    run(work, 0)
    return work, came


def test_an_undisturbed_run_joins_every_label(undisturbed):
    work, came = undisturbed
    ids = {name for _, name, _ in came}
    quality = results(work / "0" / "out")["summary"]["quality"]
    assert quality["predictions"] == {
        "records": 400,
        "late": 0,
        "matched": len(ids),
        "waiting": 400 - len(ids),
        "expired": 0,
    }
    assert {name for name, _ in merged(work / "0" / "out")} == ids
    (at,) = work.glob("0/out/reports/churn/AllTraffic/model_bias/2023/11/15/00/analysis.json")
    (entry,) = json.loads(at.read_bytes())["post_training_bias_metrics"]["facets"]["city"]
    assert {m["name"] for m in entry["metrics"] if m["value"] is not None} >= {"AD", "DPPL", "RD"}


def test_sigkill_at_any_write_changes_nothing(undisturbed):
    work, _ = undisturbed
    writes = int((work / "0" / "writes").read_text())
    drawn = random.Random(11).sample(range(1, writes), min(POINTS, writes - 1))
    run(work, *drawn)
    undisturbed_out = work / "0" / "out"
    for point in drawn:
        out = work / str(point) / "out"
        where = f"killed at write {point} of {writes}: "
        same(results(out), results(undisturbed_out), where)
        assert merged(out) == merged(undisturbed_out), where
        coverage = {start: report["labels"] for start, report in reported(out).items()}
        assert coverage == {start: r["labels"] for start, r in reported(undisturbed_out).items()}, where
