"""Bias of windows whose labels come late, against `streamgauge bias` of the labelled table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from adult import (
    CONFIG,
    HIGH,
    LOW,
    Request,
    adult,
    analysed,
    baselines,
    close,
    found,
    ground_truth,
    metrics,
    requests,
    said,
    settings,
    truth,
    write_captures,
)
from labelled import by_hour, write
from made import HOUR, T0
from stream.replay import Replay
from stream.serve import Service

END = T0 + 24 * HOUR


@pytest.fixture(scope="module")
def table(shared) -> pa.Table:
    return adult(shared)


def replayed(work: Path, **more) -> Path:
    replay = Replay(settings(work, **more))
    replay.run()
    replay.close()
    assert replay.problems == []
    return work / "out"


def agrees(work: Path, table: pa.Table, made: list[Request], labels: dict[str, list[str]]) -> int:
    """Hold each window against a report of its labelled rows; gives how many numbers were compared."""
    folders = found(work / "out")
    starts = sorted({request.when // HOUR * HOUR for request in made})
    assert set(starts) <= folders.keys()
    compared = 0
    for start in starts:
        mine = [r for r in made if r.when // HOUR * HOUR == start and r.id in labels]
        rows = table.take([person for request in mine for person in request.people])
        label = pa.chunked_array([[value for request in mine for value in labels[request.id]]])
        analysed(work, rows.set_column(0, "target", label), work / f"{start}", work / "baseline")
        for ours, theirs in zip(said(folders[start]), said(work / f"{start}"), strict=True):
            compared += close(ours, theirs, f"window {start}")
    return compared


ORDERS = ("before", "after", "late", "backwards")


@pytest.mark.parametrize("order", ORDERS)
def test_every_metric_is_that_of_the_labelled_table(table, tmp_path, order):
    """Labels that come before all captures, after all, up to half a day late, and the last first. One in ten
    never comes, and one in ten comes again with another value."""
    rng = np.random.default_rng(7)
    baselines(tmp_path, table.slice(10_000))
    made = requests(range(2_400))
    write_captures(tmp_path, table, made)
    labels: dict[str, list[str]] = {}
    came: list[tuple[int, bytes]] = []
    for request in made:
        if rng.random() < 0.9:
            values = truth(table, request)
            delay = int(rng.random() * 12 * HOUR)
            if rng.random() < 0.1:
                wrong = [LOW if value == HIGH else HIGH for value in values]
                came.append((request.when + delay, ground_truth(request.id, wrong)))
                delay += 2 * HOUR
            came.append((request.when + delay, ground_truth(request.id, values)))
            labels[request.id] = values
    came.sort()
    files = {
        "before": {"a.jsonl": [record for _, record in came]},
        "after": {"2023/11/20/00/a.jsonl": [record for _, record in came]},
        "late": by_hour(came),
        "backwards": {f"2023/11/20/{23 - i:02}/a.jsonl": part for i, part in enumerate(cut(came, 24))},
    }[order]
    if order == "backwards":  # what comes last of an id counts
        labels = {}
        for part in reversed(cut(came, 24)):
            for record in part:
                read = json.loads(record)
                labels[read["eventMetadata"]["eventId"]] = read["groundTruthData"]["data"].split("\n")
    write(tmp_path / "truth", files)
    replayed(tmp_path)
    assert agrees(tmp_path, table, made, labels) > 4 * 200
    report = json.loads((found(tmp_path / "out")[T0] / "report.json").read_bytes())
    first = [request for request in made if request.when < T0 + HOUR]
    assert report["labels"]["matched"] == sum(request.id in labels for request in first)
    assert report["labels"]["waiting"] == sum(request.id not in labels for request in first) > 0
    assert (report["revision"] > 0) == (order != "before")


def cut(came: list[tuple[int, bytes]], parts: int) -> list[list[bytes]]:
    size = -(-len(came) // parts)
    return [[record for _, record in came[i : i + size]] for i in range(0, len(came), size)]


def test_a_restart_after_every_file_gives_the_same(table, tmp_path):
    """Captures and labels of an hour at a time, the labels of half the requests two files late."""
    baselines(tmp_path, table.slice(10_000))
    made = requests(range(1_200))
    end = Request(T0 + 12 * HOUR, "end", [5_000])
    parts = [made[i : i + 100] for i in range(0, len(made), 100)]
    due: list[Request] = []
    for i, part in enumerate([*parts, [end]]):
        came, due = [*part[::2], *due], part[1::2]
        write_captures(tmp_path, table, part, f"{i:02}.jsonl")
        write(tmp_path / "truth", {f"{i:02}.jsonl": [ground_truth(r.id, truth(table, r)) for r in came]})
        service = Service(settings(tmp_path, checkpoint={"rows": 40}), now=lambda: END)
        service.step()
        service.close()
    assert agrees(tmp_path, table, made, {r.id: truth(table, r) for r in made}) > 4 * 200


def test_a_window_without_a_label_says_so_and_has_no_violation(table, tmp_path):
    baselines(tmp_path, table.slice(10_000))
    made = requests(range(300), hours=1)
    write_captures(tmp_path, table, made)
    write(tmp_path / "truth", {"a.jsonl": [ground_truth("nobody", [HIGH])]})
    out = replayed(tmp_path)
    unknown = metrics(found(out)[T0])
    assert {metric["value"] for metric in unknown.values()} == {None}
    assert all(metric["error"] for metric in unknown.values())
    assert said(found(out)[T0])[1] == {"version": "1.0", "violations": []}
    assert metrics(found(out, "bias")[T0])["DPPL"]["value"] is not None


def test_the_flip_test_is_left_to_the_monitor_of_captures(table, tmp_path):
    config = {key: value for key, value in CONFIG.items() if key != "methods"}
    baselines(tmp_path, table.slice(10_000), config)
    made = requests(range(300), hours=1)
    write_captures(tmp_path, table, made)
    write(tmp_path / "truth", {"a.jsonl": [ground_truth(r.id, truth(table, r)) for r in made]})
    out = replayed(tmp_path)
    names = {monitor: set(metrics(found(out, monitor)[T0])) for monitor in ("bias", "model_bias")}
    assert names["bias"] - names["model_bias"] == {"FT"}


def test_compatible_violations_are_those_of_the_report(table, tmp_path):
    baselines(tmp_path, table.slice(10_000))
    made = requests(range(600), hours=2)
    write_captures(tmp_path, table, made)
    labels = {r.id: truth(table, r) for r in made}
    write(tmp_path / "truth", {"a.jsonl": [ground_truth(name, values) for name, values in labels.items()]})
    out = replayed(tmp_path, checks={"false_discovery_rate": 1.0, "minimum_sample_size": 0})
    _, violations = said(found(out)[T0])
    named = {v["metric_name"] for v in violations["violations"] if v["facet"] == "sex"}
    worse = {
        name
        for stage in ("pre_training", "post_training")
        for name, metric in metrics(found(out)[T0], stage=stage).items()
        if isinstance(metric["value"], float) and abs(metric["value"]) > abs(metric["baseline"]) + 1e-9
    }
    assert worse <= named and worse & {"RD", "AD", "DPL", "TE"}
    assert {v["constraint_check_type"] for v in violations["violations"]} == {"bias_drift_check"}
