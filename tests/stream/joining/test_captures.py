"""Captures on disk: found by number, before a checkpoint and after it, until nothing needs them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.joining import captures
from stream.joining.captures import Captures


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(captures, "_BLOCK", 4)


def records(first: int, n: int) -> pa.BinaryArray:
    return pa.array([b"%d" % number for number in range(first, first + n)], pa.binary())


def store(stored: dict[str, bytes], work: Captures) -> Captures:
    for name, value in work.checkpoint().items():
        stored.pop(name, None) if value is None else stored.update({name: value})
    return Captures({Captures.ABOUT: stored[Captures.ABOUT]}, stored.get)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    stored_after=st.sets(st.integers(0, 8)),
    order=st.randoms(),
)
def test_a_record_is_found_by_its_number_wherever_it_is(sizes, stored_after, order):
    stored: dict[str, bytes] = {}
    work, numbers = Captures({}, stored.get), []
    for place, size in enumerate(sizes):
        numbers += work.add(records(len(numbers), size), 0, until=10).tolist()
        if place in stored_after:
            work = store(stored, work)
    assert numbers == list(range(sum(sizes)))
    order.shuffle(numbers)
    assert work.take(np.array(numbers)).to_pylist() == [b"%d" % number for number in numbers]


def test_small_additions_share_a_block():
    stored: dict[str, bytes] = {}
    work = Captures({}, stored.get)
    for number in range(8):
        work.add(records(number, 1), 0, until=10)
    assert work.unsaved > 0
    work = store(stored, work)
    assert (len(stored), work.unsaved) == (3, 0)  # two blocks, and what is known of them


def test_what_nothing_needs_any_more_is_taken_away():
    stored: dict[str, bytes] = {}
    work = Captures({}, stored.get)
    work.add(records(0, 4), 0, until=10)
    work.add(records(4, 4), 0, until=20)
    work = store(stored, work)
    work.drop({0: 10})
    work = store(stored, work)
    assert work.take(np.array([1, 5, -1, 99])).to_pylist() == [None, b"5", None, None]
    assert len(stored) == 2


def test_a_block_is_kept_while_any_of_its_subjects_needs_it():
    stored: dict[str, bytes] = {}
    work = Captures({}, stored.get)
    work.add(records(0, 2), 0, until=10)
    work.add(records(2, 2), 1, until=5)
    work.add(records(4, 4), 1, until=5)
    work = store(stored, work)
    for watermarks, kept in (({0: 99}, 2), ({0: 9, 1: 5}, 1), ({0: 10, 1: 5}, 0)):
        work.drop(watermarks)
        work = store(stored, work)
        assert len(stored) == 1 + kept
