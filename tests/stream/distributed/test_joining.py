"""Watch, label, join and judge stages over logs in memory: each may die, and nothing is different."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from cluster import Cluster, Known, regression
from labelled import captured, expected, ground_truth, labels, merged, requests
from made import ARRIVED, HOUR, SUBJECT
from schemas.frame import Frame, encode
from schemas.times import END_OF_TIME
from stream.distributed import passing
from stream.distributed.metrics import WorkerMetrics
from stream.distributed.news import Closed

PARTITIONS, JOINS = 2, 3

MADE = requests(80, hours=4)
CAME = labels(MADE, days=1.0)


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Known:
    return regression(tmp_path_factory.mktemp("joining"), PARTITIONS, JOINS)


def fed(cluster: Cluster) -> Cluster:
    for i, request in enumerate(MADE):
        cluster.captures[i % PARTITIONS].append(captured(request))
    for label in CAME:
        cluster.labels[hash_of(label[1])].append(ground_truth(label))
    for log in cluster.captures:
        log.append(encode(Frame.completion(SUBJECT, END_OF_TIME)))
    return cluster


def hash_of(name: str) -> int:
    return int(name[1:]) % PARTITIONS


def agrees(cluster: Cluster, root: Path) -> None:
    for start, (records, matched, mae) in expected(MADE, CAME).items():
        report = cluster.reports["model_quality", start]
        assert (report.counts.records, report.labels.matched) == (records, matched)
        assert report.labels.matched + report.labels.waiting == records and not report.labels.expired
        found = report.finding.documents["statistics.json"]
        value = msgspec.to_builtins(found)["regression_metrics"]["mae"]["value"]
        assert value == pytest.approx(mae)
        assert cluster.reports["data_quality", start].counts.records == records
    last = {name: "\n".join(map(str, values)) for _, name, values in CAME}
    lines = merged(root)
    assert dict(lines).keys() == last.keys()
    once = {name for name in last if sum(came[1] == name for came in CAME) == 1}
    assert sorted(line for line in lines if line[0] in once) == sorted((n, last[n]) for n in once)


def test_all_stages_give_what_a_dictionary_gives(known, tmp_path):
    cluster = fed(Cluster(known, tmp_path))
    cluster.finish()
    agrees(cluster, tmp_path)
    assert sum(report.revision for (name, _), report in cluster.reports.items() if name == "model_quality")
    told = metrics(cluster)
    names = {name for _, name, _ in CAME}
    assert told("streamgauge_predictions_records_total", JOINS) == len(MADE)
    assert told("streamgauge_predictions_matched_total", JOINS) == len(names)
    assert told("streamgauge_predictions_waiting", JOINS) == len(MADE) - len(names)
    assert told("streamgauge_labels_duplicates_total", JOINS) == len(CAME) - len(names)
    assert told("streamgauge_ground_truth_taken_total", PARTITIONS) == len(CAME)


def metrics(cluster: Cluster) -> Callable[[str, int], float]:
    """What a scrape says, summed over so many partitions."""
    registry = CollectorRegistry()
    hosts = []
    for name, runners in {"labels": cluster.label, "join": cluster.join}.items():
        facts = {"waiting": 0, "age": 0.0, "bytes_stored": 0, "state_bytes": 0, "retries": 0}
        shards = {
            n: SimpleNamespace(name=f"{name} {n}", stage=r.stage, **facts) for n, r in enumerate(runners)
        }
        hosts.append(SimpleNamespace(shards=shards, lag=lambda partition: 0))
    registry.register(WorkerMetrics(hosts, None, lambda: 0))

    def told(name: str, partitions: int) -> float:
        values = [registry.get_sample_value(name, {"partition": str(n)}) for n in range(partitions)]
        return sum(value for value in values if value is not None)

    return told


@pytest.mark.parametrize("seed", range(15))
def test_any_of_them_may_die_at_any_time(known, tmp_path, seed):
    chosen = random.Random(seed)
    cluster = fed(Cluster(known, tmp_path))
    acts = ["go on"] * 30 + ["flush"] * 3 + ["store"] * 2 + ["die", "cut", "delivered"] * (seed % 3)
    for _ in range(600):
        runner = chosen.choice(cluster.all)
        for _ in range(chosen.randint(1, 6)):
            runner.go_on()
        cluster.clock += chosen.choice([0, 0, 0, 40_000])
        match chosen.choice(acts):
            case "flush":
                runner.stage.flush()
            case "die":
                runner.die()
            case "store":
                runner.store()
            case "cut" | "delivered" as until:
                runner.store(until)
    cluster.finish()
    agrees(cluster, tmp_path)


def test_windows_close_when_every_partition_has_been_read(known, tmp_path):
    """The second partition of captures holds none, which must be known before a window can close."""
    cluster = Cluster(known, tmp_path)
    cluster.captures[0] += [captured(request) for request in MADE]
    cluster.finish()
    joined = [key for key in cluster.reports if key[0] == "model_quality"]
    assert not joined
    for runner in cluster.watch:
        runner.stage.caught_up(ARRIVED + 10_000)
    cluster.finish()
    joined = [key for key in cluster.reports if key[0] == "model_quality"]
    assert len(joined) == len(expected(MADE, CAME)) - 1  # the last window may still get records
    for runner in cluster.watch:
        runner.stage.caught_up(ARRIVED + 10 * HOUR)
    for log in cluster.joins:
        log.append(passing.encode(Closed(SUBJECT, MADE[-1][0] + HOUR)))
    cluster.finish()
    joined = [key for key in cluster.reports if key[0] == "model_quality"]
    assert len(joined) == len(expected(MADE, CAME))
