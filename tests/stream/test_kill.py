"""SIGKILL at any write, then a restart: the results are those of an undisturbed run."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from made import results, same, traffic

HERE = Path(__file__).parent
POINTS = 24


def run(captures: Path, work: Path, *points: int) -> None:
    command = [sys.executable, "-W", "ignore", str(HERE / "killed.py"), str(captures), str(work)]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(HERE), str(HERE.parents[1])]))
    subprocess.run([*command, *map(str, points)], check=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    work = tmp_path_factory.mktemp("killed")
    captures = work / "captures"
    captures.mkdir()
    records = traffic(600)
    for i in range(0, 600, 200):
        (captures / f"part-{i:03}.jsonl").write_bytes(b"\n".join(records[i : i + 200]) + b"\n")
    run(captures, work, 0)
    return captures, work


def test_an_undisturbed_run_accounts_for_every_record(undisturbed):
    _, work = undisturbed
    counts = results(work / "0" / "out")["summary"]["counts"]
    assert counts == {"records": 600, "rows": 1188, "bad": 6, "late": 0, "filtered": 0}


def test_sigkill_at_any_write_changes_nothing(undisturbed):
    captures, work = undisturbed
    writes = int((work / "0" / "writes").read_text())
    drawn = random.Random(7).sample(range(1, writes), min(POINTS, writes - 1))
    run(captures, work, *drawn)
    expected = results(work / "0" / "out")
    for point in drawn:
        same(results(work / str(point) / "out"), expected, f"killed at write {point} of {writes}: ")
