"""Workers that deliver from Kafka, killed while clients put: every record is in one object."""

import base64
import json
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import pytest
from kafka import KafkaProducer

from firehoses import Firehoses, lake, wait
from places import S3Place

KILLS = 5
SMALL = {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}
SLOW = {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 5}}


@pytest.fixture
def start(tmp_path, kafka_brokers, fresh_name) -> Iterator[Callable[..., Firehoses]]:
    running: list[Firehoses] = []

    def start(more: str) -> Firehoses:
        running.append(Firehoses(tmp_path, kafka_brokers, f"door-{fresh_name}", more))
        return running[-1]

    yield start
    for each in running:
        each.close()


def lines(firehoses: Firehoses, prefix: str = "") -> list[bytes]:
    files = [path for path in (firehoses.folder / "buckets" / "lake").rglob("*") if path.is_file()]
    root = firehoses.folder / "buckets" / "lake"
    chosen = [path for path in files if path.relative_to(root).as_posix().startswith(prefix)]
    return [line for path in chosen if path.name[0] != "." for line in path.read_bytes().splitlines()]


def test_workers_that_are_killed_put_every_record_into_one_object(start):
    firehoses = start('buckets = "buckets"\n')
    _, door = firehoses.door()
    for name, hints in (("fast", SMALL), ("slow", SLOW)):
        door.create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=lake(Prefix=f"{name}/", **hints)
        )
    rng, sent = random.Random(7), Counter()

    def put(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name in ("fast", "slow"):
                records = [
                    b"%s %d %s" % (name.encode(), sent[name] + i, b"x" * rng.randrange(4_000))
                    for i in range(rng.randrange(1, 200))
                ]
                sent[name] += len(records)
                answer = door.put_record_batch(
                    DeliveryStreamName=name, Records=[{"Data": record} for record in records]
                )
                assert answer["FailedPutCount"] == 0

    workers = [firehoses.worker()[0], firehoses.worker()[0]]
    put(3)
    for kill in range(KILLS):
        found = len(lines(firehoses))
        end = time.monotonic() + 60
        while len(lines(firehoses)) == found:  # delivery goes on
            put(0.5)
            assert time.monotonic() < end
        put(rng.uniform(0, 1))
        workers[kill % 2].kill()
        workers[kill % 2].wait()
        put(rng.uniform(0, 1))
        workers[kill % 2] = firehoses.worker()[0]
    wait(lambda: len(lines(firehoses)) >= sum(sent.values()), 90)
    time.sleep(3)
    for name in ("fast", "slow"):
        found = [int(line.split()[1]) for line in lines(firehoses, f"{name}/")]
        assert sorted(found) == list(range(sent[name]))
    assert all(worker.poll() is None for worker in workers)


def test_a_message_that_cannot_be_read_is_kept_aside_and_delivery_goes_on(start):
    firehoses = start('buckets = "buckets"\n')
    _, door = firehoses.door()
    door.create_delivery_stream(DeliveryStreamName="s", ExtendedS3DestinationConfiguration=lake(**SMALL))
    kafka = firehoses.settings.kafka
    with closing(KafkaProducer(bootstrap_servers=list(kafka.brokers))) as producer:
        for partition in range(kafka.partitions):
            producer.send(kafka.records_topic, b"\xff damaged", b"s", partition=partition).get(20)
    for n in range(20):
        door.put_record(DeliveryStreamName="s", Record={"Data": b"%d" % n})
    firehoses.worker()
    wait(lambda: sorted(map(int, lines(firehoses))) == list(range(20)), 60)
    errors = firehoses.settings.output / "errors"
    wait(lambda: len([*errors.rglob("*.jsonl")]) == kafka.partitions, 60)
    letters = [json.loads(path.read_bytes()) for path in errors.rglob("*.jsonl")]
    assert sorted(letter["partition"] for letter in letters) == list(range(kafka.partitions))
    assert {base64.b64decode(letter["record_base64"]) for letter in letters} == {b"\xff damaged"}


def test_workers_that_are_frozen_killed_and_stopped_at_any_time_put_every_record_into_one_object(start):
    """What one that was frozen still writes when it wakes lies behind what another has written meanwhile."""
    firehoses = start('buckets = "buckets"\n')
    _, door = firehoses.door()
    door.create_delivery_stream(DeliveryStreamName="s", ExtendedS3DestinationConfiguration=lake(**SLOW))
    rng, over, sent = random.Random(1), Event(), 0

    def put() -> None:
        nonlocal sent
        while not over.wait(0.1):
            records = [{"Data": b"%d %s" % (sent + i, b"x" * 1_500)} for i in range(100)]
            assert door.put_record_batch(DeliveryStreamName="s", Records=records)["FailedPutCount"] == 0
            sent += len(records)

    with ThreadPoolExecutor(1) as beside, ExitStack() as finally_:
        finally_.callback(over.set)
        putting = beside.submit(put)
        workers = {name: firehoses.worker(name)[0] for name in "ab"}
        for what in (signal.SIGSTOP, signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSTOP):
            time.sleep(rng.uniform(4, 8))
            name = rng.choice("ab")
            workers[name].send_signal(what)
            if what == signal.SIGSTOP:
                time.sleep(rng.uniform(7, 10))  # the other one has everything then
                workers[name].send_signal(signal.SIGCONT)
            else:
                workers[name].wait(60)
            for name in "ab":
                if workers[name].poll() is not None:  # one that was cut off may end
                    workers[name] = firehoses.worker(name)[0]
        over.set()
        putting.result(60)
    wait(lambda: len(lines(firehoses)) >= sent, 90)
    time.sleep(3)
    assert sorted(int(line.split()[0]) for line in lines(firehoses)) == list(range(sent))


def test_a_worker_that_stood_still_and_goes_on_repeats_nothing(start):
    firehoses = start('buckets = "buckets"\n')
    _, door = firehoses.door()
    door.create_delivery_stream(DeliveryStreamName="s", ExtendedS3DestinationConfiguration=lake(**SMALL))
    number = 0

    def put(seconds: float) -> None:
        nonlocal number
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            records = [b"%d %s" % (number + i, b"x" * 2_000) for i in range(100)]
            door.put_record_batch(DeliveryStreamName="s", Records=[{"Data": record} for record in records])
            number += 100

    workers = [firehoses.worker()[0], firehoses.worker()[0]]
    put(1)
    wait(lambda: lines(firehoses), 60)
    for worker in workers:
        found = len(lines(firehoses))
        put(2)
        worker.send_signal(signal.SIGSTOP)
        put(1)
        time.sleep(8)  # the other one has everything now
        wait(lambda found=found: len(lines(firehoses)) > found, 60)
        worker.send_signal(signal.SIGCONT)
        put(2)
    for worker in workers:
        if worker.poll() is not None:  # one that was cut off may end
            firehoses.worker()
    wait(lambda: len(lines(firehoses)) >= number, 90)
    time.sleep(2)
    assert sorted(int(line.split()[0]) for line in lines(firehoses)) == list(range(number))


def test_records_get_to_s3_and_go_on_with_a_worker_that_joins(start, s3_place: S3Place, monkeypatch):
    for name, value in s3_place.environment.items():
        monkeypatch.setenv(name, value)
    firehoses = start(f'[firehose.s3]\nendpoint = "{s3_place.url}"\nregion = "{s3_place.region}"\n')
    _, door = firehoses.door()
    door.create_delivery_stream(
        DeliveryStreamName="s", ExtendedS3DestinationConfiguration=lake(s3_place.bucket, **SMALL)
    )

    def stored() -> list[bytes]:
        with_keys = client.list_objects_v2(Bucket=s3_place.bucket).get("Contents", [])
        try:
            objects = [client.get_object(Bucket=s3_place.bucket, Key=each["Key"]) for each in with_keys]
        except client.exceptions.NoSuchKey:  # this server lists objects a moment before it has them
            return []
        bodies = [each["Body"].read() for each in objects]
        return sorted(line for body in bodies for line in body.splitlines())

    client = s3_place.client()
    first, log = firehoses.worker()
    sent: list[bytes] = []
    joined: list[Path] = []
    for turn in range(3):
        for n in range(20):
            sent.append(b"%d.%02d" % (turn, n))
            door.put_record(DeliveryStreamName="s", Record={"Data": sent[-1]})
        wait(lambda: stored() == sorted(sent), 60)
        if turn == 0:
            joined.append(firehoses.worker()[1])
            wait(lambda: b"-delivery-changelog" in joined[0].read_bytes(), 60)
        if turn == 1:
            first.terminate()
            assert first.wait(30) == 0
    assert re.search(rb"range delivered", log.read_bytes())
    client.close()
