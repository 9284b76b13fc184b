"""Delivery of a partition: whatever crashes, every record is in one object, under a key that stays."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivering import MIB, NOW, stream
from partitions import Crash, Partition, recreated
from schemas.errors import BadFrame

LINES = {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord", "Parameters": []}]}
SMALL = {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}, "ProcessingConfiguration": LINES}


def test_a_range_is_delivered_when_it_is_due_and_acknowledged_then():
    work = Partition(stream("a", **SMALL), stream("b", **SMALL))
    work.put("a", b"1", b"2")
    work.clock.sleep(30)
    work.put("b", b"3")
    work.run()
    assert (work.lines(), work.acknowledged) == ([], -1)
    work.clock.sleep(30)
    work.run()
    assert (work.lines(), work.acknowledged) == ([b"1", b"2"], 0)
    work.clock.sleep(30)
    work.run()
    assert (sorted(work.lines()), work.acknowledged) == ([b"1", b"2", b"3"], 1)


def test_partitions_do_not_share_keys():
    found = []
    for partition in (0, 1):
        work = Partition(stream("a", **SMALL), partition=partition)
        work.put("a", b"x")
        work.clock.sleep(60)
        work.run()
        found += work.bucket.objects
    assert len(set(found)) == 2


def test_a_range_that_was_begun_waits_until_all_of_it_has_come_again():
    work = Partition(stream("a", **SMALL))
    work.put("a", b"1")
    work.put("a", b"2")
    work.clock.sleep(60)
    work.deadly = 3  # intended, not put
    with pytest.raises(Crash):
        work.run()
    work.deadly = -1
    work.open()
    work.take(1)
    assert not work.step()
    assert work.delivery.streams == {}
    work.take(1)
    work.run()
    assert work.lines() == [b"1", b"2"]
    assert len(work.bucket.objects) == 1


def test_when_room_is_wanted_the_largest_buffer_is_delivered_early():
    work = Partition(stream("a", **SMALL), stream("b", **SMALL), room=MIB // 2)
    for n in range(10):
        work.put("a", b"%d" % n + b"x" * 100_000)
        work.put("b", b"%d" % n)
        work.run()
        assert work.room.held < MIB // 2 + 110_000
    assert [len(body) // 100_000 for body in work.bucket.objects.values()] == [6]
    work.clock.sleep(60)
    work.run()
    assert len(work.lines()) == 20
    assert work.room.held == 0


def test_records_of_a_stream_that_is_gone_are_dropped_and_hold_nothing_up():
    work = Partition(stream("a", **SMALL), stream("b", **SMALL))
    work.put("a", b"1")
    work.put("b", b"2")
    work.put("nobody", b"3")
    work.run()
    del work.defined["a"]
    work.delivery.sweep()
    work.step()
    assert work.acknowledged == 0
    work.clock.sleep(60)
    work.run()
    assert (work.lines(), work.acknowledged) == ([b"2"], 2)
    assert set(work.stored) == {"b"}


def test_a_stream_made_anew_gets_nothing_of_the_former_one():
    work = Partition(stream("a", **SMALL))
    work.put("a", b"old")
    work.run()
    work.defined["a"] = recreated(work.defined["a"])
    work.put("a", b"old too")
    work.run()
    data = work.messages[-1]
    work.put("a", b"new")
    work.delivery.take(2, work.messages[2], NOW + 1)
    work.at = 3
    work.clock.sleep(60)
    work.run()
    assert data and work.lines() == [b"new"]
    assert work.acknowledged == 2


@pytest.mark.parametrize("message", [b"\xff\xff\xff\xffdamaged", b"a line", b""])
def test_a_message_that_cannot_be_read_is_not_taken_until_it_is_passed_over(message):
    work = Partition(stream("a", **SMALL))
    with pytest.raises(BadFrame):
        work.delivery.take(0, message)
    assert work.delivery.delivered == -1
    work.delivery.pass_over(0)
    assert work.delivery.delivered == 0
    work.messages.append(message)
    work.put("a", b"1")
    work.at = 1
    work.take()
    work.clock.sleep(60)
    work.run()
    assert (work.lines(), work.acknowledged) == ([b"1"], 1)


def test_messages_that_come_twice_to_one_worker_are_an_error():
    work = Partition(stream("a", **SMALL))
    work.put("a", b"1")
    work.take()
    with pytest.raises(ValueError, match="came after"):
        work.delivery.take(0, work.messages[0], NOW)


puts = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 4), st.sampled_from([1, 300_000])), max_size=3
)
rounds = st.lists(
    st.tuples(puts, st.sampled_from([1, 31, 61]), st.integers(0, 4), st.integers(0, 12)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200)
@given(rounds, st.sampled_from([1 << 30, 600_000]))
def test_wherever_it_crashes_every_record_is_in_one_object(rounds, room):
    """In each round records are put, some messages are taken, and the worker may crash at one of its writes,
    a put of an object or what it remembers, before it or after it."""
    work = Partition(stream("a", **SMALL), stream("b", **SMALL), room=room)
    number = 0
    for put, seconds, takes, deadly in rounds:
        for name, count, size in put:
            work.put(name, *(b"%d %s" % (number + i, b"x" * size) for i in range(count)))
            number += count
        work.clock.sleep(seconds)
        work.deadly = deadly or -1
        try:
            for _ in range(takes + 1):
                work.step()
                work.take(1)
            while work.step():
                pass
        except Crash:
            work.open()
    work.deadly = -1
    work.run()
    work.clock.sleep(61)
    work.run()
    found = [int(line.split()[0]) for line in work.lines()]
    assert sorted(found) == list(range(number))  # the bucket checks that a key keeps its body
    assert work.acknowledged == len(work.messages) - 1
    assert work.room.held == 0
    assert all(msgspec.msgpack.decode(raw)["intent"] is None for raw in work.stored.values())
