"""Checkpoints in a store that keeps single writes: whatever a crash leaves, one whole checkpoint counts."""

from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import StateError
from stream.distributed import stamped
from stream.distributed.stamped import Plan, Stamped

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.none() | st.binary(max_size=200)
CHANGES = st.dictionaries(NAMES, VALUES, max_size=3)


class Table:
    """A store of single writes, of which only the first `left` are ever made."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    def write(self, plan: Plan, left: int) -> bool:
        """Whether the head was written."""
        for n, (key, value) in enumerate([*plan.values, plan.head, *plan.garbage]):
            if n == left:
                return n > len(plan.values)
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
        return True

    def load(self, log: str = "", epoch: int = 0) -> tuple[Stamped, dict[str, bytes]]:
        return Stamped.load(self.kept.items(), log, epoch)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(CHANGES, st.integers(0, 12) | st.none()), max_size=12), st.booleans())
@example([({"a": b"", "b": b""}, None), ({}, 0), ({"a": None}, 2), ({}, 2)], False)
@example([({}, None), ({}, 0), ({"a": b""}, 2), ({"a": None}, 2), ({"a": None}, None)], False)
def test_after_a_crash_at_any_write_the_last_checkpoint_with_a_head_counts(steps, short):
    """`left` writes of a checkpoint are made, then the process dies; None: it lives on."""
    with pytest.MonkeyPatch.context() as patch:
        if short:
            patch.setattr(stamped, "MAX_VALUE", 24)
        table, truth, covered = Table(), {}, -1
        state, _ = table.load()
        for offset, (changes, left) in enumerate(steps):
            plan = state.plan(changes, offset)
            if table.write(plan, 10_000 if left is None else left):
                covered = offset
                truth |= {name: value for name, value in changes.items() if value is not None}
                truth = {name: v for name, v in truth.items() if changes.get(name, b"") is not None}
            if left is not None:
                state, found = table.load()
                assert (found, state.head.covered) == (truth, covered)
        assert table.load()[1] == truth


class Worker:
    """Takes the partition up; what it writes comes when it comes."""

    def __init__(self, table: Table, epoch: int) -> None:
        self.state, self.found = table.load(epoch=epoch)
        self.late: list[tuple[bytes, bytes | None]] = []

    def plan(self, changes: dict[str, bytes | None], covered: int) -> None:
        plan = self.state.plan(changes, covered)
        intent = self.state.intend(covered)
        self.late += [intent, *plan.values, plan.head, *plan.garbage]

    def land(self, table: Table, most: int) -> None:
        """Some of what was written arrives, in its order."""
        for key, value in self.late[:most]:
            if value is None:
                table.kept.pop(key, None)
            else:
                table.kept[key] = value
        del self.late[:most]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(CHANGES, st.booleans(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)))),
        max_size=10,
    )
)
def test_what_a_worker_wrote_and_comes_late_does_not_count_beside_its_successors(steps):
    """A checkpoint of the worker that has the partition lands whole, or it is cut off and others go on; at
    any time more of what those cut off have written lands."""
    table, epochs = Table(), count(1)
    worker, truth = Worker(table, next(epochs)), {}
    cut_off: list[Worker] = []
    for offset, (changes, is_cut_off, landing) in enumerate(steps):
        worker.plan(changes, offset)
        if is_cut_off:
            cut_off.append(worker)
            worker = Worker(table, next(epochs))
            assert worker.found == truth
        else:
            worker.land(table, 10_000)
            truth |= {name: value for name, value in changes.items() if value is not None}
            truth = {name: v for name, v in truth.items() if changes.get(name, b"") is not None}
            assert table.load(epoch=1_000)[1] == truth
        if not is_cut_off:  # a successor that has not stored anything yet leaves the checkpoint to count
            for which, most in landing:
                if which < len(cut_off):
                    cut_off[which].land(table, most)
            assert table.load(epoch=1_000)[1] == truth


def test_what_is_gone_leaves_nothing_behind():
    table = Table()
    state, _ = table.load()
    for n, changes in enumerate([{"a": b"x" * 2_000_000}, {"a": b"y"}, {"a": None}, {}]):
        table.write(state.plan(changes, n), 10_000)
    assert list(table.kept) == [b"head@0"]


def test_an_intent_counts_until_a_checkpoint_covers_it():
    table = Table()
    state, _ = table.load()
    plan = state.plan({"a": b"1"}, 7)
    table.kept.update([state.intend(7)])
    for _ in range(2):  # a worker that dies at once changes nothing
        state, _ = table.load()
        assert state.intent == 7
    table.write(state.plan({"a": b"1"}, 7), 10_000)
    state, found = table.load()
    assert (state.intent, found, state.head.covered) == (None, {"a": b"1"}, plan.covered)


def test_state_of_another_log_is_refused():
    table = Table()
    state, _ = table.load("first")
    table.write(state.plan({"a": b"1"}, 3), 10_000)
    with pytest.raises(StateError, match="deleted and made again"):
        table.load("second")
