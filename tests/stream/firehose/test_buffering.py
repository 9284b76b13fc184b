"""Buffers: size or interval, whichever comes first, and cuts that follow from the records alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.firehose.buffering import Buffer
from stream.firehose.hints import RANGES, Hints, hints

MIB = 1 << 20
S = 1_000


def put(buffer, *records):
    """Records as (bytes, second of arrival)."""
    sizes, seconds = zip(*records, strict=True)
    return buffer.add(np.array(sizes, np.int64), np.array(seconds, np.int64) * S)


def test_the_size_or_the_age_of_the_oldest_record_whichever_comes_first():
    #   4.99 MiB at 0 s ... 299 s: nothing ... 300 s: sealed
    cuts, buffer = put(Buffer(hints("s3", None)), (int(4.99 * MIB), 0))
    assert cuts == [] and not buffer.due(299 * S) and not buffer.due(300 * S - 1)
    assert buffer.due(300 * S)
    cuts, buffer = put(Buffer(hints("s3", None)), (5 * MIB, 0))
    assert cuts == [1] and buffer.count == 0


def test_the_interval_runs_from_the_oldest_record():
    _, buffer = put(Buffer(hints("s3", None)), (1, 10), (1, 200))
    assert buffer.deadline() == 310 * S
    assert (buffer.count, buffer.nbytes) == (2, 2)


def test_an_empty_buffer_is_never_due_and_an_interval_of_zero_is_one_tick():
    assert not Buffer(hints("s3", None)).due(2**62)
    _, buffer = put(Buffer(hints("s3", {"SizeInMBs": 1, "IntervalInSeconds": 0})), (1, 5))
    assert not buffer.due(5_999) and buffer.due(6_000)


def test_a_buffer_overshoots_by_one_record_at_most():
    #   nbytes  4 waiting │ 2 0 3 4 1 ┃   →   6 ┃ 7 ┃ 1
    _, buffer = put(Buffer(Hints(5, 300 * S)), (4, 0))
    cuts, buffer = put(buffer, (2, 0), (0, 0), (3, 0), (4, 0), (1, 0))
    assert cuts == [1, 4] and (buffer.count, buffer.nbytes) == (1, 1)


def test_a_record_that_comes_when_the_oldest_has_waited_long_enough_begins_the_next_buffer():
    _, buffer = put(Buffer(Hints(100, 10 * S)), (1, 0))
    cuts, buffer = put(buffer, (1, 9), (1, 10), (1, 19), (1, 20))
    assert cuts == [1, 3] and buffer.oldest == 20 * S
    cuts, _ = put(buffer, (1, 30))
    assert cuts == [0]


records = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40)), min_size=1, max_size=60)


@given(records, st.lists(st.integers(0, 60), max_size=5), st.integers(1, 30), st.integers(1, 20))
def test_cuts_do_not_depend_on_the_portions_in_which_records_are_read(found, portions, nbytes, seconds):
    start = Buffer(Hints(nbytes, seconds * S))
    whole, left = put(start, *found)
    buffer, cuts = start, []
    bounds = sorted({0, len(found), *(at for at in portions if at < len(found))})
    for low, high in pairwise(bounds):
        part, buffer = put(buffer, *found[low:high])
        cuts += [low + cut for cut in part]
    assert (cuts, buffer) == (whole, left)


@given(records, st.integers(1, 30), st.integers(1, 20))
def test_ranges_add_up_and_each_ends_for_a_reason(found, nbytes, seconds):
    cuts, left = put(Buffer(Hints(nbytes, seconds * S)), *found)
    bounds = [0, *cuts, len(found)]
    ranges = [found[low:high] for low, high in pairwise(bounds)]
    assert [record for held in ranges for record in held] == found
    assert (left.count, left.nbytes) == (len(ranges[-1]), sum(size for size, _ in ranges[-1]))
    for held, following in pairwise(ranges):
        total = sum(size for size, _ in held)
        full = total >= nbytes and total - held[-1][0] < nbytes
        late = total < nbytes and following[0][1] - held[0][1] >= seconds
        assert full != late
        assert all(second - held[0][1] < seconds for _, second in held)


@pytest.mark.parametrize("kind", RANGES)
def test_hints_out_of_range_are_refused_and_those_left_out_are_filled(kind):
    allowed = RANGES[kind]
    assert hints(kind, {}) == Hints(allowed.size * MIB, allowed.interval * S)
    for member, (low, high) in (("SizeInMBs", allowed.sizes), ("IntervalInSeconds", allowed.intervals)):
        assert hints(kind, {member: low}) != hints(kind, {member: high})
        for value in (low - 1, high + 1):
            with pytest.raises(ValueError, match=member):
                hints(kind, {member: value})
