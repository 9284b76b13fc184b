"""What workers that were cut off say late, or in part, closes no window: no prediction is late for that."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cluster import Cluster, Known, regression
from labelled import captured, expected, ground_truth, labels, requests
from made import SUBJECT
from schemas.frame import Frame, encode
from schemas.times import END_OF_TIME

MADE = requests(60, hours=4)
CAME = labels(MADE, days=1.0)


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Known:
    return regression(tmp_path_factory.mktemp("cut off"))


@pytest.fixture
def cluster(known, tmp_path: Path) -> Cluster:
    cluster = Cluster(known, tmp_path)
    cluster.captures[0] += [captured(request) for request in MADE]
    cluster.captures[0].append(encode(Frame.completion(SUBJECT, END_OF_TIME)))
    cluster.labels[0] += map(ground_truth, CAME)
    return cluster


def read(cluster: Cluster, messages: int) -> list[bytes]:
    """What the watch stage sends to the join when it takes in so much more."""
    before = len(cluster.joins[0])
    for _ in range(messages):
        cluster.watch[0].go_on()
    cluster.watch[0].stage.flush()
    sent = cluster.joins[0][before:]
    del cluster.joins[0][before:]
    return sent


def agrees(cluster: Cluster) -> None:
    for start, (records, matched, mae) in expected(MADE, CAME).items():
        report = cluster.reports["model_quality", start]
        assert (report.counts.records, report.labels.matched) == (records, matched)
        found = msgspec.to_builtins(report.finding.documents["statistics.json"])
        assert found["regression_metrics"]["mae"]["value"] == pytest.approx(mae)


def test_what_a_worker_that_was_cut_off_says_late_closes_nothing(cluster):
    late = [*read(cluster, 10), *read(cluster, len(MADE))]
    cluster.watch[0].die()  # another has the partition, and has passed on some of it
    cluster.joins[0] += [*read(cluster, 20), *late]
    cluster.finish()
    agrees(cluster)


def test_what_comes_behind_a_message_that_was_lost_closes_nothing(cluster):
    _, *behind = [*read(cluster, 10), *read(cluster, len(MADE))]
    cluster.joins[0] += behind
    cluster.watch[0].die()  # for what was lost
    cluster.finish()
    agrees(cluster)
