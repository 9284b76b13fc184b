"""Which rows a model was most wrong about: those that sorting all of them gives."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from monitors.model_quality.wrong import KEPT, Wrong

LONG = "x" * 300
ids = st.one_of(st.none(), st.just(LONG), st.text("ab", max_size=4))
rows = st.lists(st.tuples(st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)), ids), max_size=40)


def of(some: list[tuple[float, str | None]]) -> Wrong:
    how = np.array([how for how, _ in some], np.float64)
    return Wrong.of(pa.array([event_id for _, event_id in some], pa.string()), how)


@given(rows, st.integers(0, 40))
def test_the_worst_are_kept_and_of_equals_the_smaller_ids(some, cut):
    usable = [(how, event_id) for how, event_id in some if how and event_id not in (None, LONG)]
    worst = sorted(usable, key=lambda row: (-row[0], row[1]))[:KEPT]
    assert of(some).worst == of(some[:cut]).merge(of(some[cut:])).worst == tuple(worst)


def test_without_ids_none_is_kept():
    assert Wrong.of(None, np.ones(3)) == Wrong()
