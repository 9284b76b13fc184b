"""Counts of categories: exact while they are few, and how many there are beyond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import as_tree, merged, split, text_array

from monitors import categories
from monitors.categories import Categories

LIMIT = 8
many = st.lists(st.integers(0, 15).map(str), max_size=60)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categories, "LIMIT", LIMIT)


def of(values: list[str]) -> Categories:
    return Categories.of(text_array(values))


def test_counts_are_exact_up_to_the_limit_and_given_up_beyond(small):
    at, beyond = [str(i) for i in range(LIMIT)], [str(i) for i in range(LIMIT + 1)]
    assert of(at * 2).counts == dict.fromkeys(at, 2)
    assert of(beyond).counts is None
    assert (of(at).distinct(), of(beyond).distinct()) == (LIMIT, LIMIT + 1)


def test_whether_counts_are_given_up_depends_on_the_values_and_not_on_their_split(small):
    @given(split(many))
    def law(drawn: tuple[list[str], list[list[str]]]) -> None:
        whole, parts = drawn
        states = [of(part) for part in parts]
        for found in (merged(states, Categories()), as_tree(states, Categories())):
            assert (found.counts is None) == (len(set(whole)) > LIMIT)
            assert found.distinct() == len(set(whole))
            assert found == of(whole)

    law()


def test_a_state_beyond_the_limit_is_stored_and_goes_on(small):
    state = of([str(i) for i in range(20)])
    again = Categories.load(state.dump())
    assert again == state
    assert again.merge(of(["new"])).distinct() == state.merge(of(["new"])).distinct() == 21


def test_merging_beyond_the_limit_changes_neither_state(small):
    few, lots = of(["a", "b"]), of([str(i) for i in range(20)])
    assert few.merge(lots) == lots.merge(few)
    assert (few.counts, lots.distinct()) == ({"a": 1, "b": 1}, 20)


def test_an_estimate_is_close_and_does_not_depend_on_how_the_values_came():
    values = [f"user-{i}" for i in range(30_000)]
    whole = of(values)
    forward = merged([of(values[i : i + 1000]) for i in range(0, 30_000, 1000)], Categories())
    backward = as_tree([of(values[i : i + 7000]) for i in reversed(range(0, 30_000, 7000))], Categories())
    assert whole.distinct() == forward.distinct() == backward.distinct()
    assert whole.distinct() == pytest.approx(30_000, rel=3 * 0.016)


def test_long_texts_are_given_up_early_so_that_a_state_fits_a_message():
    essays = [f"{i}" * 3000 for i in range(100)]
    state = merged([of(essays[i : i + 7]) for i in range(0, 100, 7)], Categories())
    assert state.counts is None
    assert state == of(essays)
    assert state.distinct() == pytest.approx(100, abs=1)
    assert len(state.dump()) < 10_000


def test_nothing_seen_is_no_value():
    assert (Categories().counts, Categories().distinct()) == ({}, 0.0)
    assert Categories() != {}
