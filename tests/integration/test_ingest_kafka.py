"""Doors in front of Kafka, as AWS's own client sees them."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from door_process import STREAMGAUGE
from firehoses import Firehoses, lake
from reading import messages
from schemas.frame import decode
from stack import Stack


@pytest.fixture
def firehoses(tmp_path, kafka_brokers, fresh_name) -> Iterator[Firehoses]:
    more = 'watch = { watched = "churn" }\nlabels = ["truth"]\n'
    running = Firehoses(tmp_path, kafka_brokers, f"door-{fresh_name}", more)
    yield running
    running.close()


def refusal(call, *arguments, **more) -> str:
    try:
        call(*arguments, **more)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def test_two_doors_are_one_service(firehoses):
    (_, one), (_, two) = firehoses.door(), firehoses.door()
    kafka = firehoses.settings.kafka
    one.create_delivery_stream(DeliveryStreamName="watched", ExtendedS3DestinationConfiguration=lake())
    about = two.describe_delivery_stream(DeliveryStreamName="watched")["DeliveryStreamDescription"]
    assert about["DeliveryStreamStatus"] == "ACTIVE"
    one.create_delivery_stream(DeliveryStreamName="plain", ExtendedS3DestinationConfiguration=lake())
    ids = [two.put_record(DeliveryStreamName="plain", Record={"Data": b"first"})["RecordId"]]
    large = [b"%d" % n + b"x" * 400_000 for n in range(10)]  # more than a frame takes
    for name in ("plain", "watched"):
        for door in (one, two):
            answer = door.put_record_batch(DeliveryStreamName=name, Records=[{"Data": r} for r in large])
            assert answer["FailedPutCount"] == 0
            ids += [entry["RecordId"] for entry in answer["RequestResponses"]]
    assert len(set(ids)) == len(ids) == 41
    assert Counter(firehoses.records(kafka.records_topic, "plain")) == Counter([b"first", *large, *large])
    assert Counter(firehoses.records(kafka.records_topic, "watched")) == Counter(large * 2)
    captures = firehoses.frames(kafka.captures_topic)
    assert {(frame.source, frame.subject.endpoint) for frame in captures} == {("watched", "churn")}
    assert sum(map(len, captures)) == 20
    two.delete_delivery_stream(DeliveryStreamName="plain")
    put = refusal(one.put_record, DeliveryStreamName="plain", Record={"Data": b"late"})
    assert put == "ResourceNotFoundException"
    assert one.list_delivery_streams()["DeliveryStreamNames"] == ["watched"]
    (_, three) = firehoses.door()
    assert three.list_delivery_streams()["DeliveryStreamNames"] == ["watched"]


def test_labels_through_two_doors_are_in_their_topic_once_and_those_of_an_id_in_order(firehoses):
    doors = [firehoses.door()[1] for _ in range(2)]
    kafka = firehoses.settings.kafka
    doors[0].create_delivery_stream(DeliveryStreamName="truth", ExtendedS3DestinationConfiguration=lake())
    puts = [[b"id%d,%d" % (id_, turn) for id_ in range(400)] for turn in range(10)]
    puts.append([b"large%d," % n + b"1," * 250_000 for n in range(5)])  # more than a frame takes
    for turn, put in enumerate(puts):
        answer = doors[turn % 2].put_record_batch(
            DeliveryStreamName="truth", Records=[{"Data": record} for record in put]
        )
        assert answer["FailedPutCount"] == 0
    everything = Counter(record for put in puts for record in put)
    assert Counter(firehoses.records(kafka.records_topic, "truth")) == everything
    assert firehoses.frames(kafka.captures_topic) == []
    held = messages(kafka.brokers[0], kafka.labels_topic, 4)
    frames = [[decode(message) for message in each] for each in held]
    assert all(frame.labels and frame.source == "truth" for each in frames for frame in each)
    lists = [[record for frame in each for record in frame.data.to_pylist()] for each in frames]
    assert Counter(record for each in lists for record in each) == everything
    assert all(lists)
    for each in lists:
        ids = {record.split(b",")[0] for record in each if record.startswith(b"id")}
        for id_ in ids:
            mine = [record for record in each if record.split(b",")[0] == id_]
            assert mine == [b"%s,%d" % (id_, turn) for turn in range(10)]


def test_a_door_without_its_topics_does_not_open_and_names_them(tmp_path, firehoses):
    kafka = firehoses.settings.kafka
    text = firehoses.config.read_text()
    firehoses.config.write_text(text.replace("[kafka]", '[kafka]\nlabels = "none-of-it"'))
    process, log = firehoses.process("door", *STREAMGAUGE, "ingest", "--config", firehoses.config)
    assert process.wait(30) == 2
    said = " ".join(log.read_text().split())
    assert "no topic none-of-it, for the streams of firehose.labels: `streamgauge topics` makes it" in said
    assert kafka.records_topic not in said


def test_of_two_doors_that_make_a_stream_at_once_one_does(firehoses):
    doors = [firehoses.door()[1] for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for n in range(15):
            made = [
                pool.submit(
                    refusal,
                    door.create_delivery_stream,
                    DeliveryStreamName=f"s{n}",
                    ExtendedS3DestinationConfiguration=lake(Prefix=f"{side}/"),
                )
                for side, door in enumerate(doors)
            ]
            answers = [each.result() for each in made]
            assert sorted(answers) == ["", "ResourceInUseException"]
            for door in doors:
                told = door.describe_delivery_stream(DeliveryStreamName=f"s{n}")["DeliveryStreamDescription"]
                prefix = told["Destinations"][0]["ExtendedS3DestinationDescription"]["Prefix"]
                assert prefix == f"{answers.index('')}/"


class Load:
    """Clients that put until they are told to stop, and remember what was acknowledged."""

    def __init__(self, doors: list, each: int = 3, stream: str = "s") -> None:
        self.stream = stream
        self.sent: set[bytes] = set()
        self.acknowledged: set[bytes] = set()
        self.refused = Counter()
        self._end = threading.Event()
        self.threads = [
            threading.Thread(target=self._put, args=(door, f"{n}.{m}"))
            for n, door in enumerate(doors)
            for m in range(each)
        ]
        for thread in self.threads:
            thread.start()

    def _put(self, door, who: str) -> None:
        number = 0
        while not self._end.is_set():
            number += 1
            records = [f"{who}.{number}.{i},1".encode() for i in range(number % 50 + 1)]
            self.sent.update(records)
            try:
                answer = door.put_record_batch(
                    DeliveryStreamName=self.stream, Records=[{"Data": record} for record in records]
                )
            except (BotoCoreError, ClientError) as error:
                self.refused[type(error).__name__] += 1
                time.sleep(0.05)
                continue
            for record, entry in zip(records, answer["RequestResponses"], strict=True):
                if "RecordId" in entry:
                    self.acknowledged.add(record)
                else:
                    self.refused[entry["ErrorCode"]] += 1

    def end(self) -> None:
        self._end.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("stream", ["s", "watched", "truth"])
def test_what_a_door_acknowledged_before_it_was_killed_is_in_kafka(firehoses, stream):
    (first, one), (_, two) = firehoses.door(), firehoses.door()
    one.create_delivery_stream(DeliveryStreamName=stream, ExtendedS3DestinationConfiguration=lake())
    load = Load([one, two], stream=stream)
    time.sleep(3)
    first.kill()
    time.sleep(1)
    load.end()
    kafka = firehoses.settings.kafka
    also = {"watched": [kafka.captures_topic], "truth": [kafka.labels_topic]}.get(stream, [])
    assert len(load.acknowledged) > 1_000
    for topic in (kafka.records_topic, *also):
        found = firehoses.records(topic, stream)
        assert len(found) == len(set(found))
        assert load.acknowledged <= set(found) <= load.sent


def test_while_brokers_are_away_puts_are_refused_and_nothing_acknowledged_is_lost(firehoses, stack: Stack):
    _, door = firehoses.door()
    door.create_delivery_stream(DeliveryStreamName="s", ExtendedS3DestinationConfiguration=lake())
    load = Load([door])
    time.sleep(1)
    with stack.without("kafka", 10):
        before = len(load.acknowledged)
        time.sleep(7)
        assert load.refused["ServiceUnavailableException"]
    end = time.monotonic() + 60
    while len(load.acknowledged) < before + 500:
        assert time.monotonic() < end
        time.sleep(0.1)
    load.end()
    found = set(firehoses.records(firehoses.settings.kafka.records_topic, "s"))
    assert load.acknowledged <= found <= load.sent
