"""Puts on their way into Kafka: what shares a frame, when a put is answered, what is refused."""

import asyncio
from collections import namedtuple
from itertools import chain
from types import SimpleNamespace

import pyarrow as pa
import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from schemas.delivery_stream import DeliveryStream
from schemas.errors import SinkBusy, TopicError
from schemas.frame import decode
from stream.distributed.intake import KafkaIntake
from stream.ingest.intake import UnknownStream
from stream.kafka_settings import KafkaSettings

MIB = 1 << 20
Acknowledged = namedtuple("Acknowledged", "partition offset")
Sent = namedtuple("Sent", "topic partition headers frame")


def a_stream(name: str) -> DeliveryStream:
    return DeliveryStream(name, f"arn:{name}", "DirectPut", "ExtendedS3", {}, 7, 7)


STREAMS = {name: a_stream(name) for name in ("a", "b", "watched", "truth")}


class Broker:
    """Keeps what is sent; acknowledges at once, or when it is told to, or refuses."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.waiting: list[tuple[asyncio.Future, Acknowledged]] = []
        self.away, self.failures = False, []
        self.producers = 0
        self.topics = {"x-records": {0, 1}, "x-captures": {0, 1}, "x-labels": {0, 1, 2}}

    def producer(self, **_):
        self.producers += 1
        return self

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    @property
    def client(self):
        async def fetch_all_metadata():
            return SimpleNamespace(partitions_for_topic=self.topics.get)

        return SimpleNamespace(fetch_all_metadata=fetch_all_metadata)

    async def send(self, topic, value, *, key, partition, headers):
        if self.failures:
            raise self.failures.pop()
        offset = sum((each.topic, each.partition) == (topic, partition) for each in self.sent)
        self.sent.append(Sent(topic, partition, headers, decode(value)))
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((done, Acknowledged(partition, offset)))
        if not self.away:
            self.back()
        return done

    def back(self) -> None:
        self.away = False
        for done, acknowledged in self.waiting:
            done.done() or done.set_result(acknowledged)

    def data(self, topic: str = "x-records") -> list[list[bytes]]:
        return [each.frame.data.to_pylist() for each in self.sent if each.topic == topic]


def records(*values: bytes) -> pa.BinaryArray:
    return pa.array(values, pa.binary())


def run(test, *, max_bytes: int = MIB, patience: str = "5s", watch=None, labels=()) -> None:
    async def inner() -> None:
        broker = Broker()
        settings = KafkaSettings(app="x", patience=patience)
        intake = KafkaIntake(settings, watch or {}, lambda: STREAMS, max_bytes, broker.producer, labels)
        await intake.start()
        try:
            await test(intake, broker)
        finally:
            await intake.stop()

    asyncio.run(inner())


def test_puts_that_come_while_sends_are_under_way_share_frames():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        broker.away = True
        puts = []
        for n in range(40):
            puts.append(asyncio.create_task(intake.append("a", records(b"%d" % n, b"x"), n)))
            await asyncio.sleep(0.005)
        assert len(broker.sent) == 8
        assert not any(put.done() for put in puts)
        broker.back()
        first = await asyncio.gather(*puts)
        assert len({number + i for number in first for i in range(2)}) == 80
        assert [*chain(*broker.data())] == [each for n in range(40) for each in (b"%d" % n, b"x")]
        assert len(broker.sent) < 12
        assert {each.partition for each in broker.sent} == {0, 1}
        assert broker.sent[-1].frame.source == "a"
        assert ("created", b"7") in broker.sent[-1].headers

    run(test)


def test_a_put_that_is_larger_than_a_frame_is_answered_when_all_of_it_is_there():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        put = [b"%d" % n + b"x" * 300_000 for n in range(8)]
        await intake.append("a", records(*put), 1)
        assert [len(frame) for frame in broker.data()] == [2, 2, 2, 2]
        assert [*chain(*broker.data())] == put

    run(test, max_bytes=4 * MIB)


def test_a_watched_stream_goes_to_both_topics():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        await intake.append("watched", records(b"1"), 1)
        await intake.append("a", records(b"2"), 1)
        assert broker.data("x-captures") == [[b"1"]]
        assert broker.data() == [[b"1"], [b"2"]]
        told = {each.frame.subject.endpoint for each in broker.sent if each.topic == "x-captures"}
        assert told == {"churn"}

    run(test, watch={"watched": "churn"})


def test_labels_go_to_their_topic_too_and_those_of_an_id_stay_in_order():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        puts = [[b"%d,%d" % (id_, turn) for id_ in range(20)] for turn in range(3)]
        for put in puts:
            await intake.append("truth", records(*put), 5)
        await intake.append("a", records(b"2"), 1)
        assert broker.data() == [*puts, [b"2"]]
        truth = [each for each in broker.sent if each.topic == "x-labels"]
        assert all(each.frame.labels and each.frame.source == "truth" for each in truth)
        assert {at for each in truth for at in each.frame.arrived.tolist()} == {5}
        assert {each.partition for each in truth} == {0, 1, 2} and len(truth) == 9
        for id_ in range(20):
            held = [(each.partition, r) for each in truth for r in each.frame.data.to_pylist()]
            mine = [(place, record) for place, record in held if record.startswith(b"%d," % id_)]
            assert [record for _, record in mine] == [put[id_] for put in puts]
            assert len({place for place, _ in mine}) == 1
        assert not any(each.frame.labels for each in broker.sent if each.topic != "x-labels")

    run(test, labels=["truth"])


def test_a_put_of_labels_is_answered_when_both_topics_have_all_of_it():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        broker.away = True
        put = asyncio.create_task(intake.append("truth", records(*[b"%d,1" % n for n in range(20)]), 1))
        await asyncio.sleep(0.01)
        assert len(broker.waiting) == 4
        for done, acknowledged in broker.waiting[:-1]:
            done.set_result(acknowledged)
        await asyncio.sleep(0.01)
        assert not put.done()
        broker.back()
        assert isinstance(await put, int)

    run(test, labels=["truth"])


@pytest.mark.parametrize(
    "put", [[b"", b"no label", b"{"], [b'{"groundTruthData": 5}'], [b"a,1", b"\xff", b'"', b"b,2"]]
)
def test_what_is_no_label_is_stored_as_it_is(put):
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        await intake.append("truth", records(*put), 1)
        assert sorted(chain(*broker.data("x-labels"))) == sorted(put)

    run(test, labels=["truth"])


def test_while_brokers_are_away_puts_are_refused_in_time_and_what_was_not_sent_never_is():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        broker.away = True
        puts = []
        for n in range(20):
            puts.append(asyncio.create_task(intake.append("a", records(b"%d" % n), n)))
            await asyncio.sleep(0.005)
        answers = await asyncio.gather(*puts, return_exceptions=True)
        assert {type(answer) for answer in answers} == {SinkBusy}
        broker.back()
        assert isinstance(await intake.append("a", records(b"later"), 1), int)
        assert len([*chain(*broker.data())]) == 8 + 1
        await asyncio.sleep(0)
        assert intake._held == 0

    run(test, patience="200ms")


def test_no_more_is_held_than_is_allowed():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        broker.away = True
        first = asyncio.create_task(intake.append("a", records(b"x" * 900_000), 1))
        await asyncio.sleep(0)
        with pytest.raises(SinkBusy, match="too much"):
            await intake.append("a", records(b"x" * 200_000), 1)
        broker.back()
        await first
        await intake.append("a", records(b"x" * 200_000), 1)

    run(test)


def test_a_stream_that_is_not_defined_is_unknown():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        with pytest.raises(UnknownStream):
            await intake.append("nobody", records(b"x"), 1)

    run(test)


@pytest.mark.parametrize(("error", "producers"), [(KafkaTimeoutError(), 1), (MessageSizeTooLargeError(), 2)])
def test_what_brokers_refuse_is_told_and_the_next_put_has_a_producer_that_works(error, producers):
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        broker.failures = [error]
        with pytest.raises(SinkBusy, match="refuse"):
            await intake.append("a", records(b"x"), 1)
        await intake.append("a", records(b"y"), 1)
        assert broker.producers == producers
        assert broker.data() == [[b"y"]]

    run(test)


def test_what_waited_for_a_producer_that_was_given_up_is_refused():
    async def test(intake: KafkaIntake, broker: Broker) -> None:
        broker.away = True
        waits = asyncio.create_task(intake.append("a", records(b"x"), 1))
        await asyncio.sleep(0.01)
        broker.failures = [MessageSizeTooLargeError()]
        with pytest.raises(SinkBusy, match="refuse"):
            await intake.append("a", records(b"y"), 1)
        with pytest.raises(SinkBusy, match="given up"):
            await waits

    run(test)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (["x-records"], "no topic x-records, for all records: `streamgauge topics` makes it"),
        (["x-captures"], "no topic x-captures, for the streams of firehose.watch:"),
        (["x-labels"], "no topic x-labels, for the streams of firehose.labels:"),
        (["x-labels", "x-captures"], "x-captures, .*; x-labels, "),
    ],
)
def test_topics_that_are_missing_are_told_at_the_start(missing, told):
    async def inner() -> None:
        broker = Broker()
        for topic in missing:
            del broker.topics[topic]
        about = KafkaSettings(app="x"), {"w": "churn"}, lambda: STREAMS, MIB, broker.producer
        with pytest.raises(TopicError, match=told):
            await KafkaIntake(*about, ["truth"]).start()

    asyncio.run(inner())


def test_a_topic_that_nothing_goes_to_may_be_missing():
    async def inner() -> None:
        broker = Broker()
        del broker.topics["x-labels"], broker.topics["x-captures"]
        intake = KafkaIntake(KafkaSettings(app="x"), {}, lambda: STREAMS, MIB, broker.producer)
        await intake.start()
        await intake.stop()

    asyncio.run(inner())
