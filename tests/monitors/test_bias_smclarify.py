"""Agreement with smclarify 0.5 on random tables, and where it is left on purpose.

Deliberate differences: what is 0 / 0, or the difference of two infinite rates, is not defined here and 0
there; without any positive prediction smclarify gives no post-training metric at all, here each that is
defined. Facets and labels are categories there: with text columns smclarify 0.5 fails on pandas 3.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from bias_data import analysed, config, values
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.analysis_config import POST_TRAINING, PRE_TRAINING

pd = pytest.importorskip("pandas")
report = pytest.importorskip("smclarify.bias.report")
common = pytest.importorskip("smclarify.bias.metrics.common")
posttraining = pytest.importorskip("smclarify.bias.metrics.posttraining")


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Rows of a facet, label, prediction, group and two features that hardly ever are equally near."""
    n = draw(st.integers(2, 80))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    share = draw(st.sampled_from([0.05, 0.3, 0.5, 0.9]))
    return {
        "sex": generator.choice(["F", "M", "X"], n, p=[0.4, 0.5, 0.1]).tolist(),
        "label": (generator.random(n) < share).astype(int).tolist(),
        "predicted": (generator.random(n) < draw(st.sampled_from([0.05, 0.4, 0.8]))).astype(int).tolist(),
        "group": generator.choice(["a", "b", "c", "d"], n).tolist(),
        "x": generator.normal(0, 1, n).tolist(),
        "y": generator.normal(0, 3, n).tolist(),
    }


def theirs(columns: dict[str, list[Any]]) -> dict[str, tuple[float | None, str | None]]:
    """Value, or error, of each of smclarify's metrics, its 0 / 0 made NaN; a stage that fails as a whole has
    none."""
    frame = pd.DataFrame(columns)
    frame["sex"] = frame["sex"].astype("category")
    label, predicted = (frame[name].astype("category") for name in ("label", "predicted"))
    found: dict[str, tuple[float | None, str | None]] = {}
    logging.disable(logging.CRITICAL)
    divide = common.divide
    common.divide = posttraining.divide = lambda a, b: divide(a, b) if a or b else math.nan
    try:
        for stage in report.StageType:
            try:
                (entry,) = report.bias_report(
                    frame.drop(columns=["group", "label", "predicted"]),
                    report.FacetColumn("sex", ["F"]),
                    report.LabelColumn("label", label, [1]),
                    stage,
                    report.LabelColumn("predicted", predicted, [1]),
                    ["all"],
                    frame["group"],
                )
            except ValueError:
                continue
            for metric in entry["metrics"]:
                found[metric["name"]] = (metric["value"], metric.get("error"))
    finally:
        logging.disable(logging.NOTSET)
        common.divide = posttraining.divide = divide
    return {name: (_number(value), error) for name, (value, error) in found.items()}


def _number(value: Any) -> float | None:
    return float(str(value).replace("Infinity", "inf")) if value is not None else None


def ours(columns: dict[str, list[Any]]) -> dict[str, Any]:
    chosen = config({"sex": ["F"]}, group_variable="group", predicted_label="predicted")
    found = values(analysed(pa.table(columns), chosen))
    return {name: metric for (_, _, name), metric in found.items()}


@pytest.mark.filterwarnings("ignore")  # of smclarify and what it calls
@settings(max_examples=60)
@given(columns=tables())
def test_every_metric_is_smclarifys_or_not_defined(columns):
    real, found = theirs(columns), ours(columns)
    assert set(found) == {*PRE_TRAINING, *POST_TRAINING}
    for name, (value, error) in real.items():
        mine = found[name]
        if error is not None or math.isnan(value):
            assert mine.number is None and mine.error, name
        elif mine.number is None:
            assert value == 0 and mine.error.startswith("facet "), name  # both rates are infinite
        else:
            assert mine.number == pytest.approx(value, abs=1e-9, rel=1e-9), name


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=20)
@given(columns=tables())
def test_confusion_matrices_are_smclarifys(columns):
    chosen = config({"sex": ["F"]}, predicted_label="predicted")
    entry = analysed(pa.table(columns), chosen).post_training_bias_metrics.facets["sex"][0]
    frame = pd.DataFrame(columns)
    of = {"a": frame["sex"] != "F", "d": frame["sex"] == "F"}
    if not all(side.any() for side in of.values()):
        assert not entry.confusion_matrix
        return
    for called, side in of.items():
        label, predicted = frame[side]["label"] == 1, frame[side]["predicted"] == 1
        real = common.binary_confusion_matrix(frame[side]["x"], label, predicted)
        assert entry.confusion_matrix[called] == pytest.approx(real)
