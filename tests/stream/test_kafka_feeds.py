"""Topics are read while the streams that they feed are there."""

import time
from threading import Event
from typing import ClassVar

import msgspec
import pytest

from schemas.delivery_stream import DeliveryStream
from schemas.errors import ConfigError
from stream import kafka_feeds
from stream.firehose_service import Firehose
from stream.ingest.intake import UnknownStream
from stream.kafka_feeds import KafkaFeeds
from stream.settings import FirehoseSettings

PLAIN = DeliveryStream("plain", "arn:plain", "DirectPut", "ExtendedS3", {}, 5, 7)
TOPIC = DeliveryStream(
    "fed", "arn:fed", "MSKAsSource", "ExtendedS3", {}, 5, 7, source={"TopicName": "captures"}
)


class Source:
    """Stands for KafkaSource: appends its topic's name once, then waits until it is to end."""

    made: ClassVar[list["Source"]] = []

    def __init__(self, stream, topic, start, connected, append, oversized) -> None:
        self.facts = (stream, topic, start)
        self.append, self.ended = append, False
        Source.made.append(self)

    def run(self, stop: Event) -> None:
        self.append(self.facts[0], [self.facts[1].encode()], 1)
        stop.wait(20)
        self.ended = True


def wait(until) -> None:
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_topic_is_read_from_when_its_stream_became_active_until_it_is_gone(monkeypatch):
    monkeypatch.setattr(kafka_feeds, "KafkaSource", Source)
    Source.made.clear()
    streams, taken = {"plain": PLAIN, "fed": TOPIC}, []
    feeds = KafkaFeeds("nowhere:9092", lambda: streams, lambda *record: taken.append(record))
    wait(lambda: taken)
    assert taken == [("fed", [b"captures"], 1)]
    assert [source.facts for source in Source.made] == [("fed", "captures", 7)]
    streams = {"plain": PLAIN, "fed": msgspec.structs.replace(TOPIC, created=9, active_from=11)}
    wait(lambda: len(Source.made) == 2 and Source.made[0].ended)
    assert Source.made[1].facts == ("fed", "captures", 11)
    feeds.close()
    assert all(source.ended for source in Source.made)


def test_a_stream_that_is_dropped_while_it_is_fed_ends_quietly(monkeypatch, caplog):
    monkeypatch.setattr(kafka_feeds, "KafkaSource", Source)
    caplog.set_level("INFO")

    def append(*record):
        raise UnknownStream("fed")

    feeds = KafkaFeeds("nowhere:9092", lambda: {"fed": TOPIC}, append)
    wait(lambda: "stream of a topic is gone" in caplog.text)
    feeds.close()


def test_a_stream_of_a_topic_is_refused_where_no_brokers_are_configured(tmp_path):
    firehose = Firehose(FirehoseSettings(port=0), tmp_path, lambda: 0)
    with pytest.raises((ValueError, ConfigError), match=r"firehose\.kafka"):
        firehose._deliverable(TOPIC)
    firehose.close()
