"""The judge stage beside a join: when windows are judged again, what the clock closes, and what is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from cluster import Cluster, Known, regression
from labelled import captured, expected, ground_truth, labels, requests
from made import ARRIVED, HOUR, SUBJECT
from schemas.frame import Frame, encode
from schemas.report import Report
from schemas.times import END_OF_TIME
from stream.distributed.metrics import WorkerMetrics
from stream.distributed.news import Closed, Sender

MADE = requests(40, hours=2)
CAME = labels(MADE, days=0.1)


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Known:
    return regression(tmp_path_factory.mktemp("judging labels"), joins=2)


@pytest.fixture
def cluster(known, tmp_path: Path) -> Cluster:
    cluster = Cluster(known, tmp_path)
    cluster.captures[0] += [captured(request) for request in MADE]
    return cluster


def revisions(cluster: Cluster) -> int:
    return sum(report.revision for (name, _), report in cluster.reports.items() if name == "model_quality")


def test_a_clock_that_is_put_back_does_not_keep_windows_from_being_judged_again(cluster):
    cluster.captures[0].append(encode(Frame.completion(SUBJECT, END_OF_TIME)))
    cluster.labels[0] += map(ground_truth, CAME[:10])
    cluster.finish()
    cluster.labels[0] += map(ground_truth, CAME[10:20])
    cluster.finish()
    before = revisions(cluster)
    assert before
    cluster.clock -= 30 * 24 * HOUR
    cluster.labels[0] += map(ground_truth, CAME[20:])
    cluster.finish()
    assert revisions(cluster) > before


def test_what_the_clock_closes_is_closed_in_the_join_though_its_judge_dies(cluster):
    """What is sent to two topics may arrive in one of them."""
    cluster.finish()
    for hours in (10, 20):
        cluster.watch[0].stage.caught_up(ARRIVED + hours * HOUR)
    cluster.finish()
    last = max(when for when, *_ in MADE) // HOUR * HOUR
    assert ("model_quality", last) not in cluster.reports
    cluster.partials += Sender("judge 0/of one that died").messages(Closed(SUBJECT, last + HOUR))
    cluster.finish()
    cluster.judge.die()
    cluster.judge.stage.close_idle()
    cluster.finish()
    assert ("data_quality", last) in cluster.reports
    assert ("model_quality", last) in cluster.reports


def test_a_status_that_no_window_has_any_more_is_told_as_none(cluster):
    stage = cluster.judge.stage
    stage.judge.statuses.update({"Completed": 2, "CompletedWithViolations": 0})
    stage.quality.statuses.update({"Completed": 1})
    registry = CollectorRegistry()
    shard = SimpleNamespace(
        name="judge 0", stage=stage, waiting=0, age=0.0, bytes_stored=0, state_bytes=0, retries=0
    )
    host = SimpleNamespace(shards={0: shard}, lag=lambda partition: 0)
    registry.register(WorkerMetrics([host], None, lambda: 0))
    for status, n in {"Completed": 3, "CompletedWithViolations": 0}.items():
        of = {"status": status, "partition": "0"}
        assert registry.get_sample_value("streamgauge_windows", of) == n


class Versions:
    """Takes no report below the revision that it has, as a cluster of OpenSearch does; may be away."""

    def __init__(self) -> None:
        self.there: dict[tuple[str, int], Report] = {}

    def publish(self, reports: Sequence[Report]) -> None:
        for report in reports:
            place = report.monitor, report.window.start
            if place not in self.there or report.revision >= self.there[place].revision:
                self.there[place] = report


def test_what_was_judged_often_before_a_crash_is_revised_after_it(cluster):
    """While the store is away windows are judged again and again. What is published then and not covered is a
    revision that the next worker must not fall behind."""
    versions = Versions()
    cluster.publish = versions.publish
    cluster.captures[0].append(encode(Frame.completion(SUBJECT, END_OF_TIME)))
    cluster.finish()
    for label in CAME[:8]:  # no checkpoint of the judge is stored
        cluster.labels[0].append(ground_truth(label))
        for runner in cluster.all[:-1]:
            while runner.behind:
                runner.go_on()
            runner.store()
        while cluster.judge.behind:
            cluster.judge.go_on()
        cluster.clock += HOUR
        cluster.judge.stage.flush()
    cluster.judge.store("delivered")
    cluster.labels[0] += map(ground_truth, CAME[8:])
    cluster.finish()
    matched = {at: report.labels.matched for (name, at), report in versions.there.items() if report.labels}
    assert matched == {start: n for start, (_, n, _) in expected(MADE, CAME).items()}
