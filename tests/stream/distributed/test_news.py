"""News of partitions as messages: cut, joined, between those of others, and what a sender leaves undone."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadFrame
from schemas.frame import Subject
from schemas.report import Counts
from stream.distributed import cutting
from stream.distributed.news import Closed, Heard, Joiner, News, Part, Sender, partition_of
from stream.watermarks import Progress


def some_news(size: int, partition: int = 0, number: int = 0) -> News:
    part = Part(0, 1, Counts(number), {"m": {"s": random.Random(size).randbytes(size)}})
    return News(Subject("churn"), Progress(5, partition), [part])


@given(st.data())
def test_messages_of_senders_that_lie_between_each_other_are_joined(data):
    """A sender may end in the middle of its news; its successor begins anew, and the rest never comes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "MAX_BODY", 40)
        queues: list[list[tuple[bytes, News | None]]] = []
        for partition in range(3):
            queue: list[tuple[bytes, News | None]] = []
            for life in range(data.draw(st.integers(1, 3))):
                sender = Sender(f"{partition}/{life}")
                for number in range(data.draw(st.integers(0, 3))):
                    what = some_news(data.draw(st.integers(0, 120)), partition, number)
                    messages = sender.messages(what)
                    queue += [(message, None) for message in messages[:-1]] + [(messages[-1], what)]
                torn = sender.messages(some_news(120, partition))
                queue += [(message, None) for message in torn[: data.draw(st.integers(0, len(torn) - 1))]]
            queues.append(queue)
        joiner, offset = Joiner(), 0
        while any(queues):
            queue = data.draw(st.sampled_from([queue for queue in queues if queue]))
            message, wanted = queue.pop(0)
            assert joiner.add(message, offset) == wanted
            assert joiner.covered(offset) <= offset
            offset += 1


def test_what_is_begun_is_not_covered_until_it_is_whole():
    sender = Sender("0/a")
    messages = sender.messages(some_news(2_000_000))
    assert len(messages) == 3 and max(map(len, messages)) < 900_000
    joiner = Joiner()
    assert [joiner.add(message, 7 + n) is None for n, message in enumerate(messages)] == [True, True, False]
    begun = Joiner()
    begun.add(messages[0], 7)
    begun.add(Sender("1/b").messages(Heard(1, 5))[0], 8)
    assert begun.covered(8) == 6
    assert begun.add(messages[1], 9) is None and begun.covered(9) == 6
    begun.add(messages[2], 10)
    assert begun.covered(10) == 10


@pytest.mark.parametrize("size", [0, 800_000], ids=["whole", "in pieces"])
def test_what_comes_late_of_a_worker_that_was_cut_off_breaks_nothing_in_two(size):
    late = Sender("0/cut off", 1).messages(some_news(size))
    first, *rest = Sender("0/successor", 2).messages(news := some_news(2_000_000))
    joiner = Joiner()
    found = [joiner.add(message, offset) for offset, message in enumerate([first, *late, *rest])]
    assert found[-1] == news and joiner.covered(9) == 9


def test_a_reader_that_begins_in_the_middle_waits_for_the_next():
    sender, joiner = Sender("0/a"), Joiner()
    first, second = sender.messages(some_news(1_000_000)), sender.messages(Heard(0, 9))
    assert joiner.add(first[1], 3) is None and joiner.covered(3) == 3
    assert joiner.add(second[0], 4) == Heard(0, 9)


@pytest.mark.parametrize("told", [Heard(3, 17), Closed(Subject("a", "b", "c"), 5), some_news(10)])
def test_everything_that_is_told_comes_back_as_it_was(told):
    (message,) = Sender("0/a").messages(told)
    assert Joiner().add(message, 0) == told


@pytest.mark.parametrize("message", [b"", b"garbage", b"\x93\x01", random.Random(1).randbytes(5_000)])
def test_what_is_no_news_is_refused_and_disturbs_nothing(message):
    joiner, messages = Joiner(), Sender("0/a").messages(some_news(1_000_000))
    joiner.add(messages[0], 0)
    with pytest.raises(BadFrame, match="not news"):
        joiner.add(message, 1)
    assert joiner.add(messages[1], 2) is not None


@given(st.binary(max_size=400))
def test_any_bytes_are_news_or_refused(message):
    try:
        Joiner().add(message, 0)
    except BadFrame:
        pass


@given(st.data())
def test_any_damage_is_refused(data):
    message = bytearray(Sender("0/a").messages(some_news(50))[0])
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        Joiner().add(bytes(message), 0)
    except BadFrame:
        pass


def test_a_subject_is_always_judged_in_the_same_partition():
    subjects = [Subject(f"e{n}") for n in range(100)]
    assert [partition_of(s, 1) for s in subjects] == [0] * 100
    places = [partition_of(subject, 8) for subject in subjects]
    assert set(places) == set(range(8)) and places == [partition_of(s, 8) for s in subjects]
    assert partition_of(Subject("churn"), 8) == 4
