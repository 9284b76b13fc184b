"""Bias of rows with labels in workers, against `streamgauge bias` of the labelled table."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from msgspec.json import encode as to_json

from adult import adult, analysed, baselines, captured, close, ground_truth, requests, said, settings, truth
from cluster import Cluster
from made import HOUR
from schemas.frame import Frame, Subject, encode
from schemas.times import END_OF_TIME
from sinks.reports import pretty
from stream.setup import Setups


@pytest.fixture(scope="module")
def table(shared) -> pa.Table:
    return adult(shared)


def test_bias_of_joined_rows_is_that_of_the_labelled_table(table, tmp_path):
    """Captures and labels lie over two partitions each, labels in another order, and stages die."""
    baselines(tmp_path, table.slice(10_000))
    chosen = settings(tmp_path, kafka={"partitions": 2, "join_partitions": 3})
    cluster, made = Cluster((chosen, Setups(chosen)), tmp_path), requests(range(1_200), hours=3)
    drawn, rng = random.Random(5), np.random.default_rng(5)
    labelled = {r.id: truth(table, r) for r in made if rng.random() < 0.9}
    for i, request in enumerate(made):
        cluster.captures[i % 2].append(captured(table, request))
    for name in rng.permutation(sorted(labelled)).tolist():
        cluster.labels[drawn.randrange(2)].append(ground_truth(name, labelled[name]))
    for log in cluster.captures:
        log.append(encode(Frame.completion(Subject("people"), END_OF_TIME)))
    for _ in range(400):
        runner = drawn.choice(cluster.all)
        for _ in range(drawn.randint(1, 30)):
            runner.go_on()
        runner.store(drawn.choice(["end", "end", "cut", "delivered"]))
    cluster.finish()
    agrees(cluster, tmp_path, table, [r for r in made if r.id in labelled])


def agrees(cluster: Cluster, work: Path, table: pa.Table, made) -> None:
    compared = 0
    for start in sorted({request.when // HOUR * HOUR for request in made}):
        people = [p for r in made if r.when // HOUR * HOUR == start for p in r.people]
        analysed(work, table.take(people), work / f"{start}", work / "baseline")
        folder = work / f"of workers {start}"
        folder.mkdir()
        for name, document in cluster.reports["model_bias", start].finding.documents.items():
            (folder / name).write_bytes(pretty(json.loads(to_json(document))))
        for ours, theirs in zip(said(folder), said(work / f"{start}"), strict=True):
            compared += close(ours, theirs, f"window {start}")
    assert compared > 500
