"""How far a subject's windows may be closed, by what its partitions and all others have read."""

from hypothesis import given
from hypothesis import strategies as st

from stream.placing import BEFORE_ALL
from stream.watermarks import Progress, Watermarks


def moved(*steps: tuple[int, int, int]) -> Watermarks:
    """Watermarks after steps of (partition, watermark, arrival of the record that moved it)."""
    marks = Watermarks()
    for partition, watermark, arrived in steps:
        marks.move(Progress(watermark, partition, arrived))
    return marks


def test_a_partition_that_lags_holds_windows_back():
    assert moved((0, 50, 1), (1, 20, 1)).low((0, 1), {}) == 20


def test_a_partition_that_never_carried_the_subject_holds_back_until_it_has_read_on():
    """
    partition 0   arrived 10 → 50      arrived 20 → 90
    partition 1   ── read until 15 ──┤ it may hold some of what arrived from then on
    """
    marks = moved((0, 50, 10), (0, 90, 20))
    assert marks.low((0, 1), {}) == BEFORE_ALL
    assert marks.low((0, 1), {1: 9}) == BEFORE_ALL
    assert marks.low((0, 1), {1: 15}) == 50
    assert marks.low((0, 1), {1: 20}) == 90


def test_of_several_that_never_carried_it_the_one_that_read_least_counts():
    marks = moved((0, 50, 10), (0, 90, 20))
    assert marks.low((0, 1, 2), {1: 99, 2: 12}) == 50
    assert marks.low((0, 1, 2), {1: 99}) == BEFORE_ALL


def test_an_idle_partition_holds_nothing_back_until_it_wakes():
    marks = moved((0, 50, 1), (1, 20, 1))
    marks.move(Progress(20, 1, 1, idle=True))
    assert marks.low((0, 1), {}) == 50 and not marks.all_idle
    marks.move(Progress(30, 1, 2))
    assert marks.low((0, 1), {}) == 30


def test_when_all_are_idle_the_highest_or_the_clock_counts():
    marks = moved((0, 50, 1), (1, 20, 1))
    for partition, watermark in ((0, 50), (1, 20)):
        marks.move(Progress(watermark, partition, 1, idle=True))
    assert marks.all_idle and marks.low((0, 1), {}) == 50
    marks.clock = 70
    assert marks.low((0, 1), {}) == 70


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12
)


@given(STEPS, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=8))
def test_reading_on_never_takes_back_what_was_closed(steps, reads):
    ordered = sorted(steps, key=lambda step: step[2])  # a partition's records arrive in their order
    marks, read = moved(*ordered), {}
    before = marks.low(range(4), read)
    for partition, until in reads:
        read[partition] = max(until, read.get(partition, until))
        now = marks.low(range(4), read)
        assert now >= before
        before = now


@given(STEPS)
def test_what_was_told_before_changes_nothing(steps):
    ordered = sorted(steps, key=lambda step: (step[2], step[1]))
    read = {partition: 100 for partition in range(4)}
    assert moved(*ordered, *ordered).low(range(4), read) == moved(*ordered).low(range(4), read)
