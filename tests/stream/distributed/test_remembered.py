"""What is remembered of a partition: late writes of workers that were cut off do not count."""

from hypothesis import given
from hypothesis import strategies as st

from stream.distributed.remembered import Remembered


def put(items: dict[bytes, bytes], write) -> None:
    key, value = write
    if value is None:
        items.pop(key, None)
    else:
        items[key] = value


steps = st.lists(
    st.one_of(
        st.tuples(st.just("take up"), st.integers(0, 3), st.integers(0, 9)),
        st.tuples(st.just("write"), st.integers(0, 5), st.sampled_from("abc")),
        st.tuples(st.just("drop"), st.integers(0, 5), st.sampled_from("abc")),
    ),
    max_size=30,
)


@given(steps)
def test_the_last_worker_that_took_a_partition_up_is_the_one_that_counts(steps):
    """Workers take up in the order of their epochs, some generations apart, and some are gone before all of
    it is written; any of them may write at any time."""
    items: dict[bytes, bytes] = {}
    expected: dict[str, bytes] = {}
    workers: list[Remembered] = []
    current, generation = None, 0
    for number, (what, which, detail) in enumerate(steps):
        if what == "take up":
            generation += which
            worker = Remembered(items.items(), generation)
            assert worker.values == expected
            writes = [*worker.copies, worker.mark, *worker.garbage]
            for write in writes[:detail]:
                put(items, write)
            if detail > len(worker.copies):
                current = worker
                workers.append(worker)
        elif workers:
            worker = workers[which % len(workers)]
            value = b"%d" % number if what == "write" else None
            put(items, worker.write(detail, value))
            if worker is current:
                expected = {name: kept for name, kept in expected.items() if name != detail}
                expected |= {detail: value} if value is not None else {}
    assert Remembered(items.items(), 0).values == expected
