"""Which records' ids stand beside a violation: those that break the rule, the smallest, and a few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitors import categories, samples
from monitors.baseline import Reference
from monitors.distances import Sample
from monitors.feature import FeatureState
from monitors.samples import Samples
from schemas.constraints import Rule
from schemas.rows import Rows

EDGES = np.linspace(0.0, 10.0, 11)
RANGE = Reference(Sample(np.array([5.0]), np.ones(1)), EDGES)
STRICT: dict[str, Any] = {"completeness": 0.5, "non_negative": True}


def of(
    values: Any, kind: Any, reference: Reference = RANGE, ids: list[str | None] | None = None, **rule: Any
):
    """Samples of a column of which row i belongs to record i, whose id is "r" and the number."""
    column = values if isinstance(values, pa.Array) else pa.array(values)
    n = np.arange(len(column))
    event_id = pa.array(ids if ids is not None else [f"r{i}" for i in n.tolist()], pa.string())
    rows = Rows(pa.table({"f": column}), n, n, event_id=event_id)
    state = FeatureState.of(rows.columns["f"], kind)
    return samples.of(rows, state, Rule("f", kind, **rule), reference)


@pytest.mark.parametrize("values", [[1, None, -2, 11, 3], ["1", None, "-2", "11", "3"]])
def test_records_are_found_by_what_is_wrong_with_their_value(values):
    assert of(values, "Integral", **STRICT) == Samples(
        missing=("r1",), negative=("r2",), strange=("r2", "r3")
    )


@pytest.mark.parametrize(
    ("kind", "values", "wrong"),
    [
        ("Integral", ["1", "2.5", "x", "1e400", None, "true"], ("r1", "r2", "r3", "r5")),
        ("Fractional", ["1", "2.5", "x", "1e400", None, "true"], ("r2", "r3", "r5")),
        ("Boolean", ["1", "true", None], ("r0",)),
        ("String", ["1", "x", None], ()),
        ("Unknown", ["1", "x", None], ()),
        ("Integral", [1.0, 2.5], ("r0", "r1")),
        ("Integral", [True, None], ("r0",)),
        ("Fractional", [True, None], ("r0",)),
        ("Boolean", [1, 2], ("r0", "r1")),
        ("Boolean", [1.0], ("r0",)),
        ("Fractional", [1, 2], ()),
    ],
)
def test_a_value_of_a_wrong_type_is_what_the_check_counts(kind, values, wrong):
    found = of(values, kind)
    assert found.wrong_type == wrong
    state = FeatureState.of(pa.array(values), kind)
    assert len(wrong) == state.types.present - state.types.fitting(kind)


@pytest.mark.parametrize("limit", [4096, 1])
def test_categories_outside_the_domain_and_new_to_the_baseline(limit, monkeypatch):
    """With more values than are counted, too."""
    monkeypatch.setattr(categories, "LIMIT", limit)
    found = of(
        ["a", "b", None, "c", "a"],
        "String",
        Reference(counts={"a": 1, "c": 1}),
        domains=frozenset({"a", "b"}),
    )
    assert found == Samples(outside=("r3",), strange=("r1",))


def test_a_boolean_may_be_outside_its_domain():
    assert of([True, False], "Boolean", Reference(), domains=frozenset({"true"})).outside == ("r1",)


def test_what_no_rule_asks_for_is_not_looked_for():
    assert of([None, -1, 99], "Integral", Reference()) == Samples()
    assert of([None, -1, 99], "Integral", completeness=0.0, non_negative=False, compare=False) == Samples()
    assert of(["new"], "String", Reference(counts={"a": 1}), compare=False) == Samples()


def test_the_smallest_ids_are_kept_each_once_however_many_there_are():
    for n in (20, 500):
        ids = [f"{i % 100:03}" for i in range(n)][::-1]
        found = of(pa.nulls(n, pa.int64()), "Integral", ids=ids, **STRICT)
        assert found.missing == ("000", "001", "002", "003", "004")[: len(set(ids))]


def test_a_record_of_several_rows_is_named_once():
    record = np.array([0, 0, 2])
    rows = Rows(pa.table({"f": [-1, -1, -1]}), record, record, event_id=pa.array(["b", "x", "a"]))
    rule = Rule("f", "Integral", non_negative=True)
    found = samples.of(rows, FeatureState.of(rows.columns["f"]), rule, Reference())
    assert found.negative == ("a", "b")


@pytest.mark.parametrize("n", [3, 300])
def test_an_id_that_is_missing_or_endless_is_left_out(n):
    ids = ["", None, "a" * 257, *["z"] * n]
    assert of(pa.nulls(n + 3, pa.int64()), "Integral", ids=ids, **STRICT).missing == ("", "z")


def test_rows_without_ids_and_columns_of_foreign_types_have_no_samples():
    n = np.arange(1)
    bare = Rows(pa.table({"f": pa.array([None], pa.int64())}), n, n)
    state = FeatureState.of(bare.columns["f"], "Integral")
    assert samples.of(bare, state, Rule("f", "Integral", completeness=1.0), RANGE) == Samples()
    assert of(pa.array([None, {"a": 1}]), "String", Reference(), completeness=1.0) == Samples()


def test_in_a_clean_batch_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(samples, "_ids", lambda *_: pytest.fail("looked for ids"))
    assert of([1.0, 2.0, 10.0], "Fractional", **STRICT) == Samples()
    assert (
        of(["a"], "String", Reference(counts={"a": 1}), domains=frozenset("a"), completeness=1.0) == Samples()
    )
