"""Workers, brokers, S3 and OpenSearch fail while captures come in; every count is exact in the end."""

import random
import signal
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pyarrow as pa
import pytest
from kafka import KafkaProducer

from schemas.frame import Frame, Subject, encode
from schemas.times import now
from stack import Stack
from workers import SESSION, make_traffic, truth_of, until

HERE = Path(__file__).parent
OUTAGE = 30.0  # seconds that a server is away
KILLS = 10


def test_sigkill_at_random_points_loses_and_doubles_nothing(mixed, run_of):
    """Each time a worker lives for so many writes of objects, documents, changelog and messages, and dies
    before or after one of them; the next takes over from there."""
    traffic, truth = mixed
    run = run_of(traffic, partitions=2)
    run.begin_to_send(rate=500)
    drawn = random.Random(11)
    worker = run.worker()
    for _ in range(KILLS):
        worker.start(sys.executable, str(HERE / "killed_worker.py"), str(int(2 ** drawn.uniform(1, 9))))
        assert worker.ended() == -signal.SIGKILL
    worker.start()
    run.until_done(truth)
    run.same(truth)


def test_workers_that_come_and_go_lose_and_double_nothing(mixed, run_of):
    traffic, truth = mixed
    run = run_of(traffic, partitions=4, judge_partitions=2)
    run.begin_to_send(rate=300)
    first, second = run.worker("first").start(), run.worker("second")
    first.until_at_work()
    second.start().until_at_work()
    second.kill()
    second.start().until_at_work()
    assert second.stop() == 0  # leaves while captures come in
    second.start().until_at_work()
    first.kill()
    run.until_done(truth)
    run.same(truth)


def test_a_worker_that_is_frozen_and_comes_back_doubles_nothing(mixed, run_of):
    """It holds partitions in memory that another has taken up meanwhile, and awakes in the middle of it."""
    traffic, truth = mixed
    run = run_of(traffic, partitions=2)
    run.begin_to_send(rate=400)
    first = run.worker("first").start()
    first.until_at_work()
    second = run.worker("second").start()
    second.until_at_work()
    first.send(signal.SIGSTOP)
    frozen = time.monotonic()
    second.until_told("shard=watch", times=3)  # the one it had, and then both
    assert time.monotonic() > frozen + SESSION / 2
    first.send(signal.SIGCONT)
    run.until_done(truth)
    run.same(truth)


@pytest.mark.parametrize("servers", [["kafka"], ["s3", "opensearch"]], ids=" and ".join)
def test_servers_that_are_away_cost_nothing_and_double_nothing(mixed, run_of, stack: Stack, servers):
    traffic, truth = mixed
    run = run_of(traffic, partitions=2)
    run.begin_to_send(rate=500)
    worker = run.worker().start()
    worker.until_at_work()
    until(lambda: run.documents("reports"), "the first reports")
    with ExitStack() as away:
        for server in servers:
            away.enter_context(stack.without(server, OUTAGE, kill=server == "kafka"))
    run.until_done(truth)
    assert worker.runs
    run.same(truth)


def test_messages_that_nobody_can_read_are_kept_aside_and_work_goes_on(
    run_of, kafka_brokers, tmp_path_factory
):
    directory = tmp_path_factory.mktemp("poisoned")
    traffic = make_traffic(directory, 2_000, 14, ["churn"])
    truth = truth_of(traffic, directory)
    run = run_of(traffic, partitions=2, judge_partitions=1)
    worker = run.worker().start()
    record = pa.array([b'{"eventVersion": "0"}'], pa.binary())
    frame = encode(Frame.of(Subject("churn"), record, now()))
    junk = random.Random(5).randbytes(900_000).replace(b"\n", b"?").replace(b"\r", b"?")
    counted = [b"\x00\x01 garbage \xff\xfe", frame[: len(frame) // 2], b"{}", junk]
    ignored: list[bytes | None] = [None, b"", b"\n\n"]
    topics = run.settings.kafka
    with closing(KafkaProducer(bootstrap_servers=kafka_brokers, max_request_size=2_000_000)) as producer:
        for number, message in enumerate([*counted, *ignored]):
            producer.send(topics.captures_topic, message, b"key", partition=number % 2).get(20)
        for message in [b"garbage", None, b"", frame, junk]:
            producer.send(topics.partials_topic, message, b"key", partition=0).get(20)
        # Among others they would count in the windows of those.
        until(lambda: run.committed() == (7, 7), "they are taken in")
        run.send()
        producer.send(topics.partials_topic, b"\x93\x01", b"key", partition=0).get(20)
    run.until_done(truth, len(counted))
    assert worker.runs and worker.told().count("message is no news") >= 4
    run.same(truth, len(counted))
