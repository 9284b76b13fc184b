"""A topic as a source, against a fake consumer: where it starts, and that a commit follows what it covers."""

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from schemas.errors import SinkBusy
from stream.kafka_source import EARLIEST, LARGEST, MOST_RECORDS, KafkaSource, positions

TOPIC = "capture"
P0, P1 = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)


@dataclass
class Broker:
    """Messages as (time, value) by partition, and committed offsets: what outlives a consumer."""

    messages: dict[int, list[tuple[int, bytes | None]]]
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    events: list[tuple] = field(default_factory=list)
    failing: int = 0  # polls that raise
    stop: threading.Event = field(default_factory=threading.Event)


class Consumer:
    """The calls of kafka-python that a source makes. When all is read the broker's event is set."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.at = broker, dict[TopicPartition, int]()

    def partitions_for_topic(self, topic):
        return set(self.broker.messages) if topic == TOPIC else None

    def assign(self, places):
        self.at = {place: -1 for place in places}

    def seek(self, place, offset):
        self.at[place] = offset

    def committed(self, place):
        return self.broker.committed.get(place)

    def beginning_offsets(self, places):
        return {place: 0 for place in places}

    def end_offsets(self, places):
        return {place: len(self.broker.messages[place.partition]) for place in places}

    def offsets_for_times(self, times):
        found = {}
        for place, start in times.items():
            offsets = (
                n for n, (time, _) in enumerate(self.broker.messages[place.partition]) if time >= start
            )
            offset = next(offsets, None)
            found[place] = None if offset is None else SimpleNamespace(offset=offset)
        return found

    def poll(self, timeout_ms):
        if self.broker.failing:
            self.broker.failing -= 1
            raise KafkaError("broker is gone")
        polled = {}
        for place, offset in self.at.items():
            new = self.broker.messages[place.partition][offset:]
            self.at[place] = offset + len(new)
            if new:
                polled[place] = [SimpleNamespace(offset=offset + n, value=v) for n, (_, v) in enumerate(new)]
        if not polled:
            self.broker.stop.set()
        return polled

    def commit(self, offsets):
        self.broker.committed |= {place: given.offset for place, given in offsets.items()}
        self.broker.events.append(
            ("commit", {place.partition: given.offset for place, given in offsets.items()})
        )

    def close(self):
        self.broker.events.append(("close",))


def source(broker: Broker, start: int = EARLIEST, append=None, **more) -> KafkaSource:
    def record(stream, batch, arrived):
        broker.events.append((stream, batch, arrived))

    def oversized(stream, batch, arrived):
        broker.events.append(("oversized", list(map(len, batch))))

    return KafkaSource(
        "s",
        TOPIC,
        start,
        lambda: Consumer(broker),
        append or record,
        oversized,
        pause=0,
        now=lambda: 99,
        **more,
    )


def run(broker: Broker, **more) -> list[tuple]:
    source(broker, **more).run(broker.stop)
    return broker.events


def test_messages_are_committed_after_the_queue_has_them_and_the_consumer_is_closed():
    broker = Broker({0: [(1, b"a"), (2, b"b")], 1: [(1, b"c")]})
    assert run(broker) == [("s", [b"a", b"b", b"c"], 99), ("commit", {0: 2, 1: 1}), ("close",)]


def test_a_second_run_goes_on_where_the_first_committed():
    broker = Broker({0: [(1, b"a")]})
    run(broker)
    broker.messages[0].append((2, b"b"))
    broker.events.clear()
    broker.stop.clear()
    assert run(broker)[:2] == [("s", [b"b"], 99), ("commit", {0: 2})]


@pytest.mark.parametrize("start, expected", [(EARLIEST, 0), (15, 1), (20, 1), (21, 2), (999, 3)])
def test_reading_starts_at_the_first_message_from_a_time_on(start, expected):
    consumer = Consumer(Broker({0: [(10, b""), (20, b""), (30, b"")]}))
    assert positions(consumer, [P0], start) == {P0: expected}


def test_what_was_committed_stands_above_the_start():
    consumer = Consumer(Broker({0: [(10, b"")] * 5, 1: [(10, b"")] * 5}, committed={P0: 4}))
    assert positions(consumer, [P0, P1], EARLIEST) == {P0: 4, P1: 0}
    assert positions(consumer, [P0, P1], 10) == {P0: 4, P1: 0}


def test_a_message_that_comes_while_the_start_is_looked_for_is_not_passed_over():
    class Racing(Consumer):
        def offsets_for_times(self, times):
            found = super().offsets_for_times(times)
            self.broker.messages[0].append((11, b"new"))
            return found

    assert positions(Racing(Broker({0: [(5, b"old")]})), [P0], 10) == {P0: 1}


def test_nothing_is_committed_when_the_queue_fails():
    def append(stream, batch, arrived):
        raise RuntimeError("a bug")

    broker = Broker({0: [(1, b"a")]})
    with pytest.raises(RuntimeError):
        run(broker, append=append)
    assert (broker.committed, broker.events) == ({}, [("close",)])


def test_a_busy_queue_is_tried_again_and_only_then_committed():
    broker = Broker({0: [(1, b"a")]})
    outcomes = [SinkBusy("full"), SinkBusy("full"), None]

    def append(stream, batch, arrived):
        broker.events.append(("append", batch))
        if outcome := outcomes.pop(0):
            raise outcome

    assert run(broker, append=append) == [*[("append", [b"a"])] * 3, ("commit", {0: 1}), ("close",)]


def test_to_be_stopped_while_the_queue_is_busy_commits_nothing():
    broker = Broker({0: [(1, b"a")]})

    def append(stream, batch, arrived):
        broker.stop.set()
        raise SinkBusy("full")

    assert run(broker, append=append) == [("close",)]


def test_a_broker_that_goes_is_connected_to_again():
    broker = Broker({0: [(1, b"a")]}, failing=2)
    assert run(broker) == [("close",), ("close",), ("s", [b"a"], 99), ("commit", {0: 1}), ("close",)]


def test_a_broker_that_is_not_there_is_tried_until_the_program_stops():
    stop, tries = threading.Event(), []

    def connected():
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        raise KafkaError("nobody there")

    KafkaSource("s", TOPIC, 0, connected, lambda *_: None, lambda *_: None, pause=0).run(stop)
    assert len(tries) == 3


def test_a_partition_that_is_added_is_read_too():
    broker = Broker({0: [(1, b"a")]})

    def append(stream, batch, arrived):
        broker.events.append(("append", batch))
        broker.messages.setdefault(1, [(2, b"b")])

    assert run(broker, append=append) == [
        ("append", [b"a"]),
        ("commit", {0: 1}),
        ("append", [b"b"]),
        ("commit", {1: 1}),
        ("close",),
    ]


def test_messages_are_handed_on_in_batches_and_those_without_a_value_are_empty():
    broker = Broker({0: [(1, None)] * (MOST_RECORDS + 1)})
    events = run(broker)
    assert [len(event[1]) for event in events[:2]] == [MOST_RECORDS, 1]
    assert {*events[0][1]} == {b""} and events[2] == ("commit", {0: MOST_RECORDS + 1})


def test_messages_too_large_for_a_record_go_aside():
    broker = Broker({0: [(1, bytes(LARGEST + 1)), (2, b"a")]})
    assert run(broker) == [("s", [b"a"], 99), ("oversized", [LARGEST + 1]), ("commit", {0: 2}), ("close",)]


def test_a_topic_that_is_not_there_is_waited_for():
    broker = Broker({})
    waits = []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            broker.messages[0] = [(1, b"a")]
            return self.is_set()

    broker.stop = Stop()
    assert run(broker)[0] == ("s", [b"a"], 99)
    assert waits == [0]
