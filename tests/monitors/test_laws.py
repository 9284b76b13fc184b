"""What holds for every state: any split, any order, an empty identity, nothing changed, dump and load.

A new state joins by a line in CASES.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import arrays, as_tree, merged, split, text_array, texts

from monitors import distinct
from monitors.attribution import Attribution
from monitors.baseline import Baseline, Reference
from monitors.bias import flip, table
from monitors.bias.monitor import Bias
from monitors.bias.plan import Choice, Column, Facet, Plan
from monitors.bias.table import Table
from monitors.categories import Categories
from monitors.custom import Summed, Sums
from monitors.data_quality import DataQuality
from monitors.distances import Sample
from monitors.distinct import Distinct
from monitors.feature import FeatureState
from monitors.guarded import Guarded, GuardedState
from monitors.moments import Moments
from monitors.quality_state import DataQualityState
from monitors.quantiles import Quantiles
from monitors.samples import KEPT, Samples
from monitors.segments import Segments, SegmentsState
from monitors.types import TypeCounts, classify
from schemas.constraints import of
from schemas.layout import Layout
from schemas.rows import Rows

RULES = {"i": "Integral", "f": "Fractional", "s": "String", "": "String"}
ASKED = {
    "completeness": 1.0,
    "num_constraints": {"is_non_negative": True},
    "string_constraints": {"domains": ["1"]},
}
REFERENCES = {
    "i": Reference(Sample(np.array([1.0]), np.ones(1)), np.linspace(0.0, 2.0, 11)),
    "s": Reference(counts={"x": 3}),
}
MONITOR = DataQuality(
    Baseline(
        of({"features": [{"name": n, "inferred_type": k} | ASKED for n, k in RULES.items()]}), REFERENCES
    )
)
CELLS = ["1", "2.5", "x", "-3", None]
ids = st.text("ab", min_size=1, max_size=3)
tables = st.lists(st.tuples(ids, *(st.sampled_from(CELLS) for _ in (*RULES, "extra"))), max_size=15)


def as_rows(rows: list[tuple[str | None, ...]]) -> Rows:
    names = ("id", *RULES, "extra")
    columns = dict(zip(names, map(text_array, zip(*rows, strict=True)), strict=False))
    event_id = columns.pop("id", text_array([]))
    n = np.arange(len(rows))
    misfits = {9: len(rows)} if rows else {}
    return Rows(pa.table(columns), n, np.zeros_like(n), misfits=misfits, event_id=event_id)  # a row a record


def of_first_rows(rows: list[tuple[str | None, ...]]) -> Rows:
    """Each record has one row: a row's place does not change with how records come together."""
    found = as_rows(rows)
    return msgspec.structs.replace(found, row=np.zeros(len(rows), np.int64))


def observe(rows: list[tuple[str | None, ...]]) -> DataQualityState:
    return MONITOR.observe(as_rows(rows))


class Twos:
    """Rows, and those that hold 2.5."""

    name = "twos"

    def observe(self, columns: pa.Table) -> dict[str, int]:
        return {"n": len(columns), "twos": sum(value == 2.5 for value in columns["f"].to_pylist())}

    def finish(self, sums: Any) -> float | None:
        return None


SUMMED = Summed(Twos(), Layout(RULES))
GUARDED = Guarded(Summed(Twos(), Layout(RULES)), str)
SEX, AGE = (
    Column("s", "String", (Choice("x", frozenset("x")),)),
    Column("i", "Integral", (Choice("0", above=0.0),)),
)
BIAS = Bias(
    Plan(
        (Facet((SEX,)), Facet((SEX, AGE))),
        Column("f", "Fractional", (Choice("1", above=1.0),)),
        AGE,
        ("", "String"),
        ("i", "f"),
    )
)
ATTRIBUTION = Attribution({"i": "Integral", "s": "String"}, rows=3)
CAPTURED = Attribution({"i": "Integral", "f": "Fractional"}, captured="{feature}")
SEGMENTS = Segments("data_quality.f-s", ("f", "s"), {("2.5", "x"): MONITOR, ("1", "1"): MONITOR}, RULES)


def sampled(rows: list[tuple[str, bool, bool]]) -> Samples:
    """Ids of the records that are missing, and of those that are strange."""
    missing, strange = ({r[0] for r in rows if r[kind]} for kind in (1, 2))
    return Samples(missing=tuple(sorted(missing)[:KEPT]), strange=tuple(sorted(strange)[:KEPT]))


def observe_text(kind: Any) -> Callable[[Any], FeatureState]:
    return lambda values: FeatureState.of(text_array(values), kind)


class Case(NamedTuple):
    """A state, what it is made from, and how it comes back from bytes."""

    empty: Callable[[], Any]
    of: Callable[[Any], Any]
    data: st.SearchStrategy[Any]
    again: Callable[[Any], Any]


def again(state: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))


def load(state: Any) -> Any:
    return type(state).load(state.dump())


CASES = {
    "distinct": Case(Distinct, Distinct.of, arrays, load),
    "samples": Case(Samples, sampled, st.lists(st.tuples(ids, st.booleans(), st.booleans())), again),
    "moments": Case(Moments, Moments.of, arrays, again),
    "quantiles": Case(Quantiles, Quantiles.of, arrays, load),
    "categories": Case(Categories, lambda v: Categories.of(text_array(v).drop_null()), texts, load),
    "types": Case(TypeCounts, lambda v: classify(text_array(v).drop_null())[0], texts, again),
    "integral": Case(FeatureState, observe_text("Integral"), texts, load),
    "fractional": Case(FeatureState, observe_text("Fractional"), texts, load),
    "boolean": Case(FeatureState, observe_text("Boolean"), texts, load),
    "string": Case(FeatureState, observe_text("String"), texts, load),
    "unknown": Case(FeatureState, observe_text("Unknown"), texts, load),
    "to be found out": Case(FeatureState, observe_text(None), texts, load),
    "numbers": Case(FeatureState, lambda v: FeatureState.of(pa.array(v)), arrays, load),
    "sums": Case(Sums, lambda rows: SUMMED.observe(as_rows(rows)), tables, load),
    "guarded": Case(
        GuardedState, lambda r: GUARDED.observe(as_rows(r)), tables, lambda s: GUARDED.load(s.dump())
    ),
    "segments": Case(
        SegmentsState, lambda r: SEGMENTS.observe(as_rows(r)), tables, lambda s: SEGMENTS.load(s.dump())
    ),
    "table": Case(
        lambda: Table.empty(1),
        lambda rows: BIAS.observe(as_rows(rows)).tables["s"],
        tables,
        lambda table: Table.load(table.dump()),
    ),
    "bias": Case(lambda: BIAS.observe(as_rows([])), lambda r: BIAS.observe(as_rows(r)), tables, load),
    "sample of rows": Case(
        lambda: ATTRIBUTION.observe(as_rows([])),
        lambda r: ATTRIBUTION.observe(of_first_rows(r)),
        tables,
        lambda s: ATTRIBUTION.load(s.dump()),
    ),
    "attributions": Case(
        lambda: CAPTURED.observe(as_rows([])),
        lambda r: CAPTURED.observe(of_first_rows(r)),
        tables,
        lambda s: CAPTURED.load(s.dump()),
    ),
    "data quality": Case(DataQualityState, observe, tables, load),
}


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small examples reach the point where a state can no longer hold all that it saw."""
    monkeypatch.setattr(distinct, "LIMIT", 8)
    monkeypatch.setattr(distinct, "_FEW", 4)
    monkeypatch.setattr(flip, "SAMPLE", 4)
    monkeypatch.setattr(table, "MAX_GROUPS", 4)


of_every_state = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
SUMS = ("mean", "m2", "total")  # the figures that depend on the order of summation, in their last digits


def read(state: Any, name: str = "") -> dict[str, Any]:
    """All that can be read off a state, by name."""
    if isinstance(state, Quantiles):
        return {f"{name}.{i}": part.tolist() for i, part in enumerate((*state.weighted(), np.array(state.n)))}
    if isinstance(state, Categories):
        return {f"{name}.counts": state.counts, f"{name}.distinct": state.distinct()}
    if isinstance(state, Distinct):
        return {f"{name}.kept": state.dump(), f"{name}.estimate": state.estimate()}
    if isinstance(state, msgspec.Struct):
        state = {field: getattr(state, field) for field in state.__struct_fields__}
    if isinstance(state, dict):
        return {
            key: value
            for field, part in state.items()
            for key, value in read(part, f"{name}.{field}").items()
        }
    return {name: state}


def near(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: pytest.approx(value, rel=1e-9, abs=1e-3) if name.endswith(SUMS) else value
        for name, value in figures.items()
    }


@of_every_state
@given(data=st.data())
def test_any_split_in_any_order_gives_the_same_state(case, data):
    whole, parts = data.draw(split(case.data))
    states = [case.of(part) for part in parts]
    expected = near(read(case.of(whole)))
    assert read(merged(states, case.empty())) == expected
    assert read(as_tree(states, case.empty())) == expected


@of_every_state
@given(data=st.data())
def test_the_empty_state_changes_nothing_and_nothing_is_changed_by_a_merge(case, data):
    state, other, empty = case.of(data.draw(case.data)), case.of(data.draw(case.data)), case.empty()
    before, before_other = read(case.again(state)), read(case.again(other))
    state.merge(other)
    assert (read(state), read(other)) == (before, before_other)
    assert read(state.merge(empty)) == read(empty.merge(state)) == before
    assert state.merge(empty) == state
    assert read(empty.merge(empty)) == read(empty)


@of_every_state
@given(data=st.data())
def test_a_stored_state_comes_back_and_goes_on_as_if_it_had_stayed(case, data):
    state, more = case.of(data.draw(case.data)), case.of(data.draw(case.data))
    assert case.again(state) == state
    assert read(case.again(state)) == read(state)
    assert read(case.again(state).merge(more)) == read(state.merge(more))
    assert read(case.again(case.empty())) == read(case.empty())
