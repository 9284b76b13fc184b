"""The embedded host between two checkpoints: what a crash leaves, and what memory holds."""

import contextlib

import pyarrow as pa
import pyarrow.dataset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from made import ARRIVED, HOUR, SUBJECT, T0, capture, settings_for
from schemas.errors import SinkBusy
from schemas.frame import Frame
from schemas.times import END_OF_TIME
from stream import log
from stream.embedded import Embedded, Outputs
from stream.log import Log
from stream.setup import Setups


class Crash(Exception):
    """Stands for SIGKILL: nothing after it happens."""


def host(out, rows: int, store: Log, nbytes: int = 64 << 20) -> Embedded:
    chosen = settings_for(out, out.parent / "none", checkpoint={"rows": rows, "max_bytes": nbytes})
    return Embedded(chosen, store, Setups(chosen), Outputs.of(chosen), lambda action: action())


def messages(n: int, sizes: list[int]) -> list[Frame]:
    """`n` messages of different sizes, their records spread over six hours."""
    made, number = [], 0
    for i in range(n):
        records = []
        for _ in range(sizes[i % len(sizes)]):
            when = T0 + (number * 400_000) % (6 * HOUR)
            records.append(capture(when, [(0.5, 40, "rome")], f"e{number}"))
            number += 1
        made.append(Frame.of(SUBJECT, pa.array(records, pa.binary()), ARRIVED))
    return made


@pytest.fixture(autouse=True, scope="module")
def few_messages_are_read_at_once():
    """So that a short log takes several readings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "AT_ONCE", 16)
        yield


def delivered(out) -> list[str]:
    rows = pyarrow.dataset.dataset(out / "captures", format="parquet").to_table(columns=["_event_id"])
    return sorted(rows["_event_id"].to_pylist())


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    before=st.sampled_from([20, 90, 1_000]),
    after=st.integers(5, 90),
    commits=st.integers(0, 3),
    shown=st.integers(1, 60),
)
@example(sizes=[1], before=1_000, after=5, commits=0, shown=60)
def test_rows_are_delivered_once_whatever_was_in_the_log_and_however_far_the_crash_was(
    tmp_path_factory, sizes, before, after, commits, shown
):
    """A range whose delivery has begun ends where it was meant to end, whatever a checkpoint holds now."""
    out = tmp_path_factory.mktemp("crash") / "out"
    frames = messages(60, sizes)
    store = Log(out / "streamgauge.sqlite")
    first = host(out, before, store)
    first.append(frames[:shown])
    commit, done = store.commit, 0

    def crashing(*arguments):
        nonlocal done
        done += 1
        if done > commits:
            raise Crash
        commit(*arguments)

    store.commit = crashing  # type: ignore[method-assign]
    with contextlib.suppress(Crash):  # a small log may have had fewer commits than that
        first.pump()
        first.checkpoint()
    store.close()
    store = Log(out / "streamgauge.sqlite")
    second = host(out, after, store)
    second.append([*frames[shown:], Frame.completion(SUBJECT, END_OF_TIME)])
    second.pump()
    second.checkpoint()
    store.close()
    records = sum(len(frame) for frame in frames)
    assert delivered(out) == sorted(f"e{i}" for i in range(records))
    assert second.totals.records == records


def test_records_that_cannot_be_read_do_not_pile_up_in_memory(tmp_path):
    out = tmp_path / "out"
    store = Log(out / "streamgauge.sqlite")
    work = host(out, 1_000_000, store, nbytes=1 << 20)
    broken = pa.array([b"{" * 500] * 1_000, pa.binary())
    work.append([Frame.of(SUBJECT, broken, ARRIVED) for _ in range(64)])
    work.pump()
    assert store.covered > 0
    assert len(list((out / "errors").iterdir())) >= 3
    store.close()


def test_frames_are_stored_although_the_first_write_fails(tmp_path):
    out = tmp_path / "out"
    store = Log(out / "streamgauge.sqlite")
    append, failures = store.append, [SinkBusy("disk full")]

    def failing(messages, positions):
        stored = list(messages)
        if failures:
            raise failures.pop()
        return append(stored, positions)

    def twice(action):
        with contextlib.suppress(SinkBusy):
            return action()
        return action()

    store.append = failing  # type: ignore[method-assign]
    chosen = settings_for(out, tmp_path / "none")
    work = Embedded(chosen, store, Setups(chosen), Outputs.of(chosen), twice)
    work.append(frame for frame in messages(3, [2]))
    assert len(store.read(0)) == 3
    store.close()
