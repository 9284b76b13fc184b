"""Data of all kinds for the laws of states, and ways to cut, shuffle and merge it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

floats = st.floats(-1e9, 1e9)
arrays = st.lists(floats, max_size=60).map(lambda values: np.array(values, np.float64))
words = st.sampled_from(["a", "b", "c", "d", "e", "1", "2.5", "true", "-3", "1e400", "", "é", "NaN"])
texts = st.lists(words | st.none(), max_size=40)


@st.composite
def split(draw: st.DrawFn, whole: st.SearchStrategy[Any]) -> tuple[Any, list[Any]]:
    """(a sequence, its parts in any order, some of them empty)."""
    found = draw(whole)
    places = sorted(draw(st.lists(st.integers(0, len(found)), max_size=4)))
    parts = [found[a:b] for a, b in zip([0, *places], [*places, len(found)], strict=True)]
    return found, draw(st.permutations(parts))


def merged(states: Sequence[Any], empty: Any) -> Any:
    """All states in one, from left to right."""
    return reduce(lambda a, b: a.merge(b), states, empty)


def as_tree(states: Sequence[Any], empty: Any) -> Any:
    """All states in one, by halves."""
    if len(states) < 2:
        return states[0] if states else empty
    half = len(states) // 2
    return as_tree(states[:half], empty).merge(as_tree(states[half:], empty))


def text_array(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())
