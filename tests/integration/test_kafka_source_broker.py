"""A topic as the source of a stream, with a real broker: where it starts, and that nothing is lost."""

import gc
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from reading import make_topic
from stack import Stack
from stream import kafka_source
from stream.kafka_source import EARLIEST, KafkaSource, connect


class Feed:
    """A source that runs in a thread and keeps what it appends."""

    def __init__(self, brokers: str, topic: str, start: int, group: str) -> None:
        self.records: list[bytes] = []
        self.large: list[bytes] = []
        self.stop = threading.Event()
        source = KafkaSource(
            "s",
            topic,
            start,
            lambda: connect(brokers, group),
            lambda stream, records, arrived: self.records.extend(records),
            lambda stream, records, arrived: self.large.extend(records),
            largest=100_000,
            pause=0.2,
        )
        self.thread = threading.Thread(target=source.run, args=(self.stop,))
        self.thread.start()

    def wait(self, until: Callable[[], Any], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end and self.thread.is_alive(), len(self.records)
            time.sleep(0.05)

    def close(self) -> None:
        """Stop as the service does: between two polls."""
        self.stop.set()
        self.thread.join()


@pytest.fixture
def feed(kafka_brokers: str, fresh_name: str) -> Iterator[Callable[..., Feed]]:
    running: list[Feed] = []

    def start(start: int = EARLIEST) -> Feed:
        running.append(Feed(kafka_brokers, fresh_name, start, f"{fresh_name}-group"))
        return running[-1]

    yield start
    for one in running:
        one.close()


def produce(brokers: str, topic: str, values: list[bytes], **more: Any) -> None:
    with closing(KafkaProducer(bootstrap_servers=brokers)) as producer:
        for future in [producer.send(topic, value, **more) for value in values]:
            future.get(60)


def numbers(start: int, stop: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, stop)]


def test_all_is_read_and_a_second_source_goes_on_where_the_first_stopped(kafka_brokers, fresh_name, feed):
    make_topic(kafka_brokers, fresh_name, 3)
    produce(kafka_brokers, fresh_name, numbers(0, 1_000))
    first = feed()
    first.wait(lambda: len(first.records) == 1_000)
    time.sleep(0.5)  # the commit follows
    first.close()
    produce(kafka_brokers, fresh_name, numbers(1_000, 1_300))
    second = feed()
    second.wait(lambda: len(second.records) >= 300)
    assert sorted(first.records + second.records, key=int) == numbers(0, 1_300)


def test_reading_starts_at_a_time(kafka_brokers, fresh_name, feed):
    make_topic(kafka_brokers, fresh_name, 1)
    produce(kafka_brokers, fresh_name, [b"old"], timestamp_ms=1_000_000)
    produce(kafka_brokers, fresh_name, [b"new"], timestamp_ms=2_000_000)
    one = feed(1_500_000)
    one.wait(lambda: one.records)
    assert one.records == [b"new"]


def test_of_a_time_after_all_messages_what_comes_then_is_read(kafka_brokers, fresh_name, feed):
    make_topic(kafka_brokers, fresh_name, 2)
    produce(kafka_brokers, fresh_name, [b"old"])
    one = feed(int(time.time() * 1000) + 3_600_000)
    time.sleep(2)
    produce(kafka_brokers, fresh_name, [b"new"])
    one.wait(lambda: one.records)
    assert one.records == [b"new"]


def test_messages_without_a_value_and_too_large_ones(kafka_brokers, fresh_name, feed):
    make_topic(kafka_brokers, fresh_name, 1)
    produce(kafka_brokers, fresh_name, [b"a", b"x" * 200_000])
    produce(kafka_brokers, fresh_name, [None], key=b"k")
    one = feed()
    one.wait(lambda: len(one.records) == 2)
    assert one.records == [b"a", b""] and one.large == [b"x" * 200_000]


def test_a_topic_that_comes_later_and_partitions_that_are_added_are_read(
    kafka_brokers, fresh_name, feed, monkeypatch
):
    monkeypatch.setattr(kafka_source, "_LOOK", 1_000)
    one = feed()
    time.sleep(1)
    with closing(KafkaAdminClient(bootstrap_servers=kafka_brokers)) as admin:
        assert fresh_name not in admin.list_topics()  # looking for it does not make it
        make_topic(kafka_brokers, fresh_name, 1)
        produce(kafka_brokers, fresh_name, [b"first"])
        one.wait(lambda: one.records == [b"first"])
        admin.create_partitions({fresh_name: 2})
    end = time.monotonic() + 30
    while True:
        try:
            produce(kafka_brokers, fresh_name, [b"second"], partition=1)
            break
        except (KafkaError, ValueError):
            assert time.monotonic() < end
            time.sleep(0.2)
    one.wait(lambda: one.records == [b"first", b"second"])


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of kafka-python, one a failed try
@pytest.mark.parametrize("kill", [False, True])
def test_nothing_is_lost_while_the_broker_is_away(
    kafka_brokers, fresh_name, feed, stack: Stack, kill, caplog
):
    caplog.set_level(logging.CRITICAL + 1, "kafka")  # log records would keep those sockets
    make_topic(kafka_brokers, fresh_name, 2)
    one = feed()
    produce(kafka_brokers, fresh_name, numbers(0, 500))
    one.wait(lambda: len(one.records) >= 100)
    with stack.without("kafka", 2, kill=kill):
        pass
    produce(kafka_brokers, fresh_name, numbers(500, 1_000))
    one.wait(lambda: len(set(one.records)) == 1_000)
    assert max(Counter(one.records).values()) <= 2
    one.close()
    gc.collect()
