"""Workers join labels that come late, through their deaths: each match once, and every figure exact."""

from __future__ import annotations

import json
import random
import signal
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from kafka import KafkaProducer
from pyarrow import fs

from labelled import captured, expected, ground_truth, labels, requests
from made import SUBJECT, settings_for
from schemas.frame import Frame, encode
from schemas.times import END_OF_TIME, now, parse_time
from stack import Stack
from workers import Run, Traffic, until

HERE = Path(__file__).parent
KILLS = 6
OUTAGE = 20.0  # seconds
PARTITIONS = 2

MADE = requests(2_000, hours=12)
CAME = labels(MADE, days=2.0)
KAFKA = "labels = '{name}-truth'\njoin_partitions = 3"
MORE = """
[quality]
problem_type = "Regression"
inference_attribute = "score"
[labels]
retention = "7d"
"""


@pytest.fixture
def run(run_of, tmp_path: Path, fresh_name: str) -> Run:
    settings_for(tmp_path / "made" / "out", tmp_path)  # makes the baseline
    traffic = Traffic(tmp_path, tmp_path / "made" / "baseline", (SUBJECT.endpoint,), 0, len(MADE))
    kafka = KAFKA.format(name=fresh_name)
    return run_of(traffic, partitions=PARTITIONS, kafka=kafka, more=MORE)


def send(run: Run, truth_first: bool = False) -> None:
    """Captures as frames and labels as lines, ten of them a message, both over all partitions; the labels of
    one id in one of them."""
    kafka = run.settings.kafka
    captures = [
        (kafka.captures_topic, n % PARTITIONS, encode(Frame.of(SUBJECT, pa.array(part, pa.binary()), now())))
        for n, part in enumerate(_cut([captured(request) for request in MADE]))
    ]
    truth = []
    for partition in range(PARTITIONS):
        mine = [ground_truth(label) for label in CAME if int(label[1][1:]) % PARTITIONS == partition]
        truth += [(kafka.labels_topic, partition, b"\n".join(part)) for part in _cut(mine)]
    end = encode(Frame.completion(SUBJECT, END_OF_TIME))
    ends = [(kafka.captures_topic, partition, end) for partition in range(PARTITIONS)]
    half = len(captures) // 2
    order = [*truth, *captures] if truth_first else [*captures[:half], *truth, *captures[half:]]
    with closing(KafkaProducer(bootstrap_servers=run.brokers)) as producer:
        for topic, partition, message in [*order, *ends]:
            producer.send(topic, message, partition=partition)
        producer.flush(30)


def _cut(records: list[bytes], size: int = 10) -> list[list[bytes]]:
    return [records[start : start + size] for start in range(0, len(records), size)]


def stored(run: Run, what: str) -> dict[str, bytes]:
    """Every file of the store below `what`, by its path from there."""
    s3 = run.s3
    found = fs.S3FileSystem(
        endpoint_override=s3.url.removeprefix("http://"),
        scheme="http",
        region=s3.region,
        access_key=s3.access_key,
        secret_key=s3.secret_key,
    )
    root = f"{s3.bucket}/store/{what}"
    infos = found.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    paths = [info.path for info in infos if info.is_file]
    return {path.removeprefix(f"{root}/"): found.open_input_stream(path).readall() for path in paths}


def until_all_is_joined(run: Run) -> None:
    """Until OpenSearch has every window with all that was to be matched, as far as it says; what it does not
    say is compared afterwards."""
    wanted = {start: matched for start, (_, matched, _) in expected(MADE, CAME).items()}

    def done() -> bool:
        run.check_workers()
        documents = [d for d in run.documents("reports") if d["monitor"] == "model_quality"]
        found = {parse_time(d["window"]["start"]): d["labels"]["matched"] for d in documents}
        covered, there = run.committed()
        return found == wanted and covered == there

    until(done, "every label is joined", 120.0)


def agrees(run: Run) -> None:
    """Stop all workers; hold what they stored against what a dictionary makes of the same."""
    for worker in run.workers:
        if worker.runs:
            assert worker.stop() == 0
    files = stored(run, "reports/churn/AllTraffic/model_quality")
    reports = {path: json.loads(body) for path, body in files.items() if path.endswith("report.json")}
    found = {parse_time(report["window"]["start"]): (path, report) for path, report in reports.items()}
    wanted = expected(MADE, CAME)
    assert found.keys() == wanted.keys() and len(found) == len(reports)
    for start, (records, matched, mae) in wanted.items():
        path, report = found[start]
        assert report["counts"]["records"] == records
        assert report["labels"] == {"matched": matched, "waiting": records - matched, "expired": 0}
        statistics = json.loads(files[path.replace("report.json", "statistics.json")])
        assert statistics["regression_metrics"]["mae"]["value"] == pytest.approx(mae)
    points_agree(run, {start: mae for start, (_, _, mae) in wanted.items()})
    merged_agree(run)
    assert not stored(run, "errors")


def points_agree(run: Run, wanted: dict[int, float]) -> None:
    """OpenSearch has the figure of each window as a point, once, and as one that labels came for."""
    points = run.documents("metrics", {"term": {"metric": "mae"}})
    found = {parse_time(point["window"]["start"]): point["value"] for point in points}
    assert found == pytest.approx(wanted) and len(found) == len(points)
    assert {point["estimate"] for point in points} == {False}


def merged_agree(run: Run) -> None:
    """Each capture that has a label is merged once, and once more for each correction at the most."""
    lines = [json.loads(line) for body in stored(run, "merged").values() for line in body.splitlines()]
    pairs = Counter((line["eventMetadata"]["eventId"], line["groundTruthData"]["data"]) for line in lines)
    came = {(name, "\n".join(map(str, values))) for _, name, values in CAME}
    last = {name: "\n".join(map(str, values)) for _, name, values in CAME}
    assert set(pairs.values()) == {1} and pairs.keys() <= came
    assert set(last.items()) <= pairs.keys()


@pytest.mark.parametrize("truth_first", [False, True], ids=["captures first", "labels first"])
def test_two_workers_join_what_a_dictionary_joins(run: Run, truth_first: bool):
    first, second = run.worker("first").start(), run.worker("second").start()
    first.until_told("shard=join")
    second.until_told("shard=join")
    send(run, truth_first)
    until_all_is_joined(run)
    agrees(run)


def test_sigkill_at_random_points_loses_and_doubles_no_match(run: Run):
    """As for captures alone: a worker dies before or after a write, and the next takes over from there."""
    send(run)
    drawn = random.Random(7)
    worker = run.worker()
    for _ in range(KILLS):
        worker.start(sys.executable, str(HERE / "killed_worker.py"), str(int(2 ** drawn.uniform(2, 9))))
        assert worker.ended() == -signal.SIGKILL
    worker.start()
    until_all_is_joined(run)
    agrees(run)


def test_a_worker_that_is_killed_beside_another_and_one_that_comes_late(run: Run, stack: Stack):
    first = run.worker("first").start()
    first.until_told("shard=join")
    send(run)
    second = run.worker("second").start()
    second.until_told("shard=join")
    first.kill()
    with stack.without("s3", OUTAGE, kill=False):
        pass
    first.start().until_told("shard=join")
    second.kill()
    until_all_is_joined(run)
    agrees(run)


def test_what_is_no_label_is_kept_aside(run: Run):
    worker = run.worker().start()
    bad = [b"{", b'{"eventMetadata": {"eventId": "e1"}}', b"e1", b"\xff\xfe,1"]
    good = [ground_truth(label) for label in CAME]
    with closing(KafkaProducer(bootstrap_servers=run.brokers)) as producer:
        for number, message in enumerate([*bad, b"", b"\n".join(good)]):
            producer.send(run.settings.kafka.labels_topic, message, b"any key", partition=number % 2).get(20)

    def letters() -> list[dict[str, Any]]:
        lines = [line for body in stored(run, "errors").values() for line in body.splitlines()]
        return [json.loads(line) for line in lines]

    until(lambda: len(letters()) == len(bad), "all of them are kept aside")
    assert Counter(letter["code"] for letter in letters()) == {"schema": 2, "csv": 2}
    assert worker.runs
