"""Checkpoints in a store that keeps single writes: whatever a crash leaves, one whole checkpoint counts."""

import pytest
from hypothesis import given
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

    def load(self, log: str = "") -> tuple[Stamped, dict[str, bytes]]:
        return Stamped.load(self.kept.items(), log)


@given(st.lists(st.tuples(CHANGES, st.integers(0, 12) | st.none()), max_size=12), st.booleans())
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


def test_what_is_gone_leaves_nothing_behind():
    table = Table()
    state, _ = table.load()
    for n, changes in enumerate([{"a": b"x" * 2_000_000}, {"a": b"y"}, {"a": None}, {}]):
        table.write(state.plan(changes, n), 10_000)
    assert list(table.kept) == [b"head"]


def test_an_intent_counts_until_a_checkpoint_covers_it():
    table = Table()
    state, _ = table.load()
    table.kept.update([state.intend(7)])
    state, _ = table.load()
    assert state.intent == 7
    table.write(state.plan({}, 7), 10_000)
    assert table.load()[0].intent is None


def test_state_of_another_log_is_refused():
    table = Table()
    state, _ = table.load("first")
    table.write(state.plan({"a": b"1"}, 3), 10_000)
    with pytest.raises(StateError, match="deleted and made again"):
        table.load("second")
