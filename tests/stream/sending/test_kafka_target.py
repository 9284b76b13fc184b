"""Frames and raw records as messages, against a stand-in for aiokafka's producer."""

import asyncio
import time

import msgspec
import numpy as np
import pytest
from aiokafka.errors import KafkaError

from schemas.errors import BrokerError
from schemas.frame import Frame, decode
from schemas.times import END_OF_TIME
from sending.sent import SUBJECT, frame
from stream.sending.kafka_target import KafkaTarget


class Producer:
    """The calls of aiokafka that are made. Messages are answered at once, or never, or with `error`."""

    def __init__(self, partitions=2, answers=True, error=None) -> None:
        self.partitions, self.answers, self.error = partitions, answers, error
        self.messages: list[tuple[int, bytes]] = []
        self.waiting: list[asyncio.Future] = []
        self.stopped, self.client = False, self

    async def start(self):
        pass

    async def partitions_for(self, topic):
        return set(range(self.partitions))

    async def send(self, topic, value, partition):
        self.messages.append((partition, value))
        future = asyncio.get_running_loop().create_future()
        if self.error:
            future.set_exception(self.error)
        elif self.answers:
            future.set_result(None)
        else:
            self.waiting.append(future)
        return future

    async def flush(self):
        if self.waiting:
            await asyncio.wait(self.waiting)

    async def stop(self):
        self.stopped = True
        await self.flush()

    async def close(self):
        pass


def going():
    return False


def target(producer: Producer, timeout: float = 30, **more) -> KafkaTarget:
    return KafkaTarget(lambda: producer, "captures", timeout, **more)


def test_frames_go_to_one_partition_after_the_other():
    producer = Producer(3)
    taking = target(producer)
    frames = [frame(b"a%d" % i, b"b%d" % i) for i in range(4)]
    for one in frames:
        taking.send(one, going)
    taking.finish(going)
    taking.close(1)
    assert [partition for partition, _ in producer.messages] == [0, 1, 2, 0]
    assert [decode(m).data.to_pylist() for _, m in producer.messages] == [f.data.to_pylist() for f in frames]
    assert (taking.told.acknowledged, taking.told.messages) == (8, 4)
    assert taking.told.nbytes == sum(len(message) for _, message in producer.messages)
    assert producer.stopped


def test_raw_records_are_messages_of_their_own():
    producer = Producer(2)
    taking = target(producer, raw=True)
    taking.send(frame(b"a", b"b", b"c\nd"), going)
    taking.finish(going)
    taking.close(1)
    assert producer.messages == [(0, b"a"), (1, b"b"), (0, b"c d")]


def test_what_is_too_large_for_the_topic_is_cut_and_a_record_that_is_by_itself_is_left_out():
    producer = Producer(1)
    taking = target(producer, limit=66_000)

    rng = np.random.default_rng(1)
    noise = [rng.bytes(30_000) for _ in range(4)]
    taking.send(frame(*noise, rng.bytes(70_000), line=7), going)
    taking.finish(going)
    taking.close(1)
    assert [record for _, m in producer.messages for record in decode(m).data.to_pylist()] == noise
    assert all(len(message) < 66_000 for _, message in producer.messages)
    assert taking.told.acknowledged == 4 and taking.told.refused == 1
    assert taking.told.first_refused.startswith("a.jsonl, line 7: ")


@pytest.mark.parametrize("raw", [False, True])
def test_labels_of_an_id_lie_in_one_partition_in_their_order(raw):
    producer = Producer(3)
    taking = target(producer, raw=raw)
    assert taking.partitions == 3
    sent = [b"%d,%d" % (id_, turn) for turn in range(3) for id_ in range(20)]
    for start in range(0, 60, 15):
        taking.send(msgspec.structs.replace(frame(*sent[start : start + 15]), labels=True), going)
    taking.finish(going)
    taking.close(1)
    assert taking.told.acknowledged == 60
    held = [(partition, decode(message)) for partition, message in producer.messages]
    assert raw or all(each.labels for _, each in held)
    records = [(partition, record) for partition, each in held for record in each.data.to_pylist()]
    assert sorted(record for _, record in records) == sorted(sent)
    assert {partition for partition, _ in records} == {0, 1, 2}
    for id_ in range(20):
        mine = [(partition, record) for partition, record in records if record.startswith(b"%d," % id_)]
        assert [record for _, record in mine] == [b"%d,%d" % (id_, turn) for turn in range(3)]
        assert len({partition for partition, _ in mine}) == 1


def test_every_partition_is_told_that_nothing_more_comes():
    producer = Producer(3)
    taking = target(producer)
    taking.complete([SUBJECT])
    taking.finish(going)
    taking.close(1)
    ends = [(partition, decode(message)) for partition, message in producer.messages]
    assert [(p, e.subject, e.complete_until) for p, e in ends] == [
        (p, SUBJECT, END_OF_TIME) for p in range(3)
    ]
    assert taking.told.acknowledged == 0


def test_a_message_that_is_refused_is_told():
    taking = target(Producer(error=KafkaError("not allowed")))
    with pytest.raises(BrokerError, match=r"captures: .*not allowed"):
        taking.send(frame(b"a"), going)
        taking.finish(going)
    taking.close(0)
    assert taking.told.acknowledged == 0


def test_brokers_that_answer_nothing_are_given_up_after_the_timeout():
    taking = target(Producer(answers=False), timeout=0.3)
    with pytest.raises(BrokerError, match=r"no broker answered for 0\.3 s"):
        taking.send(frame(b"a"), going)
        taking.finish(going)
    taking.close(0)


def test_stopping_waits_a_little_for_answers():
    producer = Producer(answers=False)
    taking = target(producer)
    taking.send(frame(b"a"), going)
    taking.finish(lambda: True)
    began = time.monotonic()
    taking.close(0.3)
    assert 0.2 < time.monotonic() - began < 5 and taking.told.acknowledged == 0


def test_no_broker_is_told():
    class Nowhere(Producer):
        async def start(self):
            raise KafkaError("nobody there")

    with pytest.raises(BrokerError, match="nobody there"):
        target(Nowhere())


def test_a_frame_that_is_empty_sends_nothing_more_than_itself():
    producer = Producer(1)
    taking = target(producer)
    taking.send(Frame.completion(SUBJECT, 5), going)
    taking.finish(going)
    taking.close(1)
    assert len(producer.messages) == 1
