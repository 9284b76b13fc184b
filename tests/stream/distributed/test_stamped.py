"""Checkpoints in a store that keeps single writes: whatever a crash leaves, one whole checkpoint counts."""

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import StateError
from stream.distributed import stamped
from stream.distributed.stamped import Plan, Stamped
from stream.distributed.values import Values

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.none() | st.binary(max_size=200)
CHANGES = st.dictionaries(NAMES, VALUES, max_size=3)


State = dict[str, bytes]


def changed(state: State, changes: dict[str, bytes | None]) -> State:
    """`state` with these values changed; None: gone."""
    return {name: value for name, value in (state | changes).items() if value is not None}


class Table:
    """A store of single writes, of which only the first `left` are ever made; `look` is called after each."""

    def __init__(self, kept: dict[bytes, bytes] | None = None) -> None:
        self.kept = kept or {}
        self.read = 0

    def write(self, plan: Plan, left: int = 10_000, look: Callable[[], None] = lambda: None) -> bool:
        """Whether the head was written."""
        for n, write in enumerate([*plan.values, plan.head, *plan.garbage]):
            if n == left:
                return n > len(plan.values)
            self.put(*write)
            look()
        return True

    def put(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.kept.pop(key, None)
        else:
            self.kept[key] = value

    def get(self, key: bytes) -> bytes | None:
        self.read += 1
        return self.kept.get(key)

    def load(self, log: str = "", epoch: int = 0) -> tuple[Stamped, Values]:
        """What counts, read when it is asked for; what is read all at once is the same."""
        self.read = 0
        state, values = Stamped.load(iter(self.kept.items()), log, epoch, self.get)
        assert self.read == 0, "read before it was asked for"
        check(values, dict(Stamped.load(self.kept.items(), log, epoch)[1]))
        assert state.nbytes == sum(map(len, values.values()))
        self.read = 0
        return state, values


def check(values: Values, state: State) -> None:
    """The view shows `state` in all that it can be asked for."""
    assert dict(values) == state
    assert set(values) == state.keys() and len(values) == len(state)
    for name in ("a", "b", "c", "d"):
        assert values.get(name) == state.get(name) and (name in values) == (name in state)


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
        state, values = table.load()
        for offset, (changes, left) in enumerate(steps):
            plan = state.plan(changes, offset)
            planned = changed(truth, changes)
            check(values, planned)
            if table.write(plan, 10_000 if left is None else left, partial(check, values, planned)):
                covered, truth = offset, planned
            if left is not None:
                state, values = table.load()
                assert state.head.covered == covered
            else:
                state.stored()
            check(values, truth)
        check(table.load()[1], truth)


class Worker:
    """Takes the partition up; what it writes comes when it comes."""

    def __init__(self, table: Table, epoch: int) -> None:
        self.state, self.values = table.load(epoch=epoch)
        self.late: list[tuple[bytes, bytes | None]] = []

    def plan(self, changes: dict[str, bytes | None], covered: int) -> None:
        plan = self.state.plan(changes, covered)
        intent = self.state.intend(covered)
        self.late += [intent, *plan.values, plan.head, *plan.garbage]

    def land(self, table: Table, most: int, look: Callable[[], None]) -> None:
        """Some of what was written arrives, in its order."""
        for write in self.late[:most]:
            table.put(*write)
            look()
        del self.late[:most]


def rehearse(table: Table, cut_off: list[Worker], truth: State) -> None:
    """What those cut off have written lands before their successor stores anything: it reads what it took up.
    Nothing of that has happened then."""
    copy = Table(dict(table.kept))
    _, values = copy.load(epoch=1_000)
    for worker in cut_off:
        for write in worker.late:
            copy.put(*write)
            check(values, truth)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(CHANGES, st.booleans(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)))),
        max_size=10,
    ),
    st.booleans(),
)
def test_what_a_worker_wrote_and_comes_late_does_not_count_beside_its_successors(steps, short):
    """A checkpoint of the worker that has the partition lands whole, or it is cut off and others go on; at
    any time more of what those cut off have written lands."""
    with pytest.MonkeyPatch.context() as patch:
        if short:
            patch.setattr(stamped, "MAX_VALUE", 24)
        table, epochs = Table(), count(1)
        worker, truth = Worker(table, next(epochs)), {}
        cut_off: list[Worker] = []
        for offset, (changes, is_cut_off, landing) in enumerate(steps):
            worker.plan(changes, offset)
            planned = changed(truth, changes)
            check(worker.values, planned)
            if is_cut_off:
                cut_off.append(worker)
                rehearse(table, cut_off, truth)
                worker = Worker(table, next(epochs))
                check(worker.values, truth)
                continue  # a successor that has not stored anything yet leaves the checkpoint to count
            worker.land(table, 10_000, partial(check, worker.values, planned))
            worker.state.stored()
            truth = planned
            check(worker.values, truth)
            check(table.load(epoch=1_000)[1], truth)
            for which, most in landing:
                if which < len(cut_off):
                    cut_off[which].land(table, most, partial(check, worker.values, truth))
            check(table.load(epoch=1_000)[1], truth)


def test_a_value_is_read_when_it_is_asked_for_and_nothing_else_is():
    table = Table()
    state, _ = table.load()
    table.write(state.plan({"a": b"1", "b": bytes(range(256)) * 9, "c": b"3"}, 0))
    _, values = table.load()
    assert list(values) and len(values) == 3 and "a" in values and table.read == 0
    assert values["a"] == b"1" and table.read == 1
    assert values.get("d") is None and table.read == 1


def test_what_is_planned_is_there_before_it_is_written_and_is_not_kept_after_that():
    table = Table()
    state, values = table.load()
    plan = state.plan({"a": b"1"}, 0)
    assert values["a"] == b"1" and table.read == 0
    table.write(plan)
    state.stored()
    assert values["a"] == b"1" and table.read == 1


@pytest.mark.parametrize("lost", ["a piece", "the rest of its pieces", "what counts"])
def test_a_value_whose_pieces_are_not_what_counts_is_not_there(lost, monkeypatch):
    """Never a mixture, nor what the codec makes of one."""
    monkeypatch.setattr(stamped, "MAX_VALUE", 24)
    table = Table()
    state, values = table.load()
    for n in range(2):
        table.write(state.plan({"a": bytes(range(100 + n)), "b": b"1"}, n))
    state.stored()
    check(values, {"a": bytes(range(101)), "b": b"1"})
    pieces = sorted(key for key in table.kept if key.startswith(b"0.1.") and key.endswith(b"|a"))
    assert len(pieces) > 2
    if lost == "a piece":
        del table.kept[pieces[-1]]
    elif lost == "the rest of its pieces":
        for key in pieces[1:]:
            table.kept[key] = table.kept[key.replace(b"0.1.", b"0.0.")]
    else:
        for key in pieces:
            table.kept[key] = table.kept[key.replace(b"0.1.", b"0.0.")]
    with pytest.raises(KeyError):
        values["a"]
    assert values.get("a") is None and values["b"] == b"1"
    check(table.load()[1], {"a": bytes(range(100)), "b": b"1"})  # the last one that is whole


def test_what_is_gone_leaves_nothing_behind():
    table = Table()
    state, _ = table.load()
    for n, changes in enumerate([{"a": b"x" * 2_000_000}, {"a": b"y"}, {"a": None}, {}]):
        table.write(state.plan(changes, n))
    assert list(table.kept) == [b"head@0"]


def test_an_intent_counts_until_a_checkpoint_covers_it():
    table = Table()
    state, _ = table.load()
    plan = state.plan({"a": b"1"}, 7)
    table.kept.update([state.intend(7)])
    for _ in range(2):  # a worker that dies at once changes nothing
        state, _ = table.load()
        assert state.intent == 7
    table.write(state.plan({"a": b"1"}, 7))
    state, values = table.load()
    assert (state.intent, dict(values), state.head.covered) == (None, {"a": b"1"}, plan.covered)


def test_an_epoch_is_later_than_all_that_have_stored_something():
    table = Table()
    for seen, epoch in [(3, 3), (3, 4), (9, 9), (0, 10)]:
        state, _ = table.load(epoch=seen)
        assert state.epoch == epoch
        table.write(state.plan({"a": b"%d" % epoch}, epoch))
    table.put(*state.intend(0))
    assert table.load()[0].epoch == 11


def test_state_of_another_log_is_refused():
    table = Table()
    state, _ = table.load("first")
    table.write(state.plan({"a": b"1"}, 3))
    with pytest.raises(StateError, match="deleted and made again"):
        table.load("second")
