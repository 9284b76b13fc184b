"""Every metric against scikit-learn, on random data that is split at random and merged again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from monitors.model_quality.monitor import ModelQuality
from monitors.model_quality.scores import LIMIT
from schemas.labelled import Labelled
from schemas.quality import Metric, Model

NEAR = {"rel": 1e-9, "abs": 1e-12}
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
shares = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]) | st.floats(0.0, 1.0)
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}


def merged(monitor, batch: Labelled, cuts: list[int], backwards: bool):
    """The state of a batch, cut at some places; the parts merged in one order or the other."""
    edges = [0, *sorted(min(cut, len(batch)) for cut in cuts), len(batch)]
    parts = [monitor.observe(batch.slice(a, b)) for a, b in pairwise(edges)]
    if backwards:
        parts.reverse()
    state = parts[0]
    for part in parts[1:]:
        state = state.merge(monitor.load(part.dump()))
    return state


def values(found: dict) -> dict[str, float | None]:
    return {name: figure.value for name, figure in found.items() if isinstance(figure, Metric)}


cuts = st.lists(st.integers(0, 60), max_size=4)


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=60), cuts, st.booleans())
def test_a_regressions_metrics_are_scikit_learns(rows, at, backwards):
    prediction, label = map(np.array, zip(*rows, strict=True))
    monitor = ModelQuality(Model("Regression"))
    state = merged(monitor, Labelled(pa.array(prediction), pa.array(label)), at, backwards)
    found = values(monitor.metrics(state))
    mse = sk.mean_squared_error(label, prediction)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(label, prediction), **NEAR)
    assert found["mse"] == pytest.approx(mse, **NEAR)
    assert found["rmse"] == pytest.approx(mse**0.5, **NEAR)
    if np.var(label) > 1e-9 * max(1.0, label.max() ** 2):
        assert found["r2"] == pytest.approx(sk.r2_score(label, prediction), rel=1e-6, abs=1e-9)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), shares), min_size=1, max_size=60), cuts, st.booleans()
)
def test_a_binary_classifiers_metrics_are_scikit_learns(rows, at, backwards):
    prediction, label, probability = map(np.array, zip(*rows, strict=True))
    text = np.array(["no", "yes"])
    batch = Labelled(pa.array(text[prediction * 1]), pa.array(text[label * 1]), pa.array(probability))
    monitor = ModelQuality(Model("BinaryClassification", positive_label="yes"))
    state = merged(monitor, batch, at, backwards)
    finding = monitor.finish(state)
    found = values(monitor.metrics(state))
    ours = finding.documents["statistics.json"]["additional_metrics"]
    expected: dict[str, float | None] = {
        "recall": sk.recall_score(label, prediction, zero_division=np.nan),
        "precision": sk.precision_score(label, prediction, zero_division=np.nan),
        "accuracy": sk.accuracy_score(label, prediction),
        "true_negative_rate": sk.recall_score(~label, ~prediction, zero_division=np.nan),
    }
    expected["true_positive_rate"] = expected["recall"]
    expected["false_negative_rate"] = 1 - expected["recall"]
    expected["false_positive_rate"] = 1 - expected["true_negative_rate"]
    for name, beta in BETAS.items():
        expected[name] = sk.fbeta_score(label, prediction, beta=beta, zero_division=np.nan)
        always = np.ones_like(label)
        expected[f"{name}_best_constant_classifier"] = sk.fbeta_score(
            label, always, beta=beta, zero_division=np.nan
        )
    both = len(set(label)) == 2
    expected["auc"] = sk.roc_auc_score(label, probability) if both else np.nan
    for name, value in expected.items():
        assert found[name] == (None if np.isnan(value) else pytest.approx(value, **NEAR)), name
    assert ours["log_loss"].value == pytest.approx(
        sk.log_loss(label, probability, labels=[False, True]), **NEAR
    )
    assert ours["brier_score"].value == pytest.approx(np.mean((probability - label) ** 2), **NEAR)
    assert finding.documents["statistics.json"]["binary_classification_metrics"]["confusion_matrix"].get(
        "yes", {}
    ).get("yes", 0) == sum(prediction & label)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=60),
    cuts,
    st.booleans(),
)
def test_a_multiclass_classifiers_metrics_are_scikit_learns(rows, at, backwards):
    prediction, label = map(list, zip(*rows, strict=True))
    monitor = ModelQuality(Model("MulticlassClassification"))
    found = monitor.metrics(merged(monitor, Labelled(pa.array(prediction), pa.array(label)), at, backwards))
    names = sorted({*prediction, *label})
    matrix = [[found["confusion_matrix"][a][p] for p in names] for a in names]
    pairs = [*zip(label, prediction, strict=True)]
    assert matrix == [[pairs.count((a, p)) for p in names] for a in names]
    how = {"average": "weighted", "zero_division": 0, "labels": names}
    constant = [names[-1]] * len(label)
    for suffix, answer in (("", prediction), ("_best_constant_classifier", constant)):
        expected = {
            "accuracy": sk.accuracy_score(label, answer),
            "weighted_recall": sk.recall_score(label, answer, **how),
            "weighted_precision": sk.precision_score(label, answer, **how),
            **{f"weighted_{n}": sk.fbeta_score(label, answer, beta=b, **how) for n, b in BETAS.items()},
        }
        for name, value in expected.items():
            assert found[name + suffix].value == pytest.approx(value, **NEAR), name


def test_curves_are_scikit_learns():
    rng = np.random.default_rng(3)
    probability = rng.integers(0, 50, 500) / 50
    label = rng.random(500) < probability
    monitor = ModelQuality(Model("BinaryClassification", positive_label="1"))
    text = pa.array((label * 1).astype(str))
    found = monitor.metrics(monitor.observe(Labelled(text, text, pa.array(probability))))
    false, true, _ = sk.roc_curve(label, probability, drop_intermediate=False)
    curve = found["receiver_operating_characteristic_curve"]
    assert curve["false_positive_rates"] == pytest.approx([*false, 1.0])  # the last stands there twice
    assert curve["true_positive_rates"] == pytest.approx([*true, 1.0])
    precision, recall, _ = sk.precision_recall_curve(label, probability)
    curve = found["precision_recall_curve"]
    assert curve["precisions"][1:] == pytest.approx(precision[:-1][::-1])
    assert curve["recalls"][1:] == pytest.approx(recall[:-1][::-1])
    assert (curve["precisions"][0], curve["recalls"][0]) == (curve["precisions"][1], 0.0)


@pytest.mark.parametrize("shape", [(1.0, 1.0), (0.2, 6.0), (6.0, 0.05), (30.0, 30.0), (0.02, 2.0)])
def test_the_area_of_endless_different_probabilities_is_within_its_stated_error(shape):
    rng = np.random.default_rng(4)
    n, rows = 200_000, 5_000
    probability = rng.beta(*shape, n)
    label = rng.random(n) < probability
    assert len(np.unique(probability)) > LIMIT
    monitor = ModelQuality(Model("BinaryClassification", positive_label="1"))
    text = pa.array((label * 1).astype(str))
    batch = Labelled(text, text, pa.array(probability))
    state = merged(monitor, batch, [*range(rows, n, rows)], False)
    document = monitor.finish(state).documents["statistics.json"]
    found, error = monitor.metrics(state)["auc"].value, document["additional_metrics"]["auc_error"]
    real = sk.roc_auc_score(label, probability)
    assert abs(found - real) <= error < 0.0006
    assert abs(found - real) < 2e-6
    assert len(state.scores) <= LIMIT
    assert sum(map(len, state.dump().values())) < 210_000
    curve = monitor.metrics(state)["receiver_operating_characteristic_curve"]
    assert len(curve["true_positive_rates"]) <= 202
    assert np.trapezoid(curve["true_positive_rates"], curve["false_positive_rates"]) == pytest.approx(
        real, abs=0.001
    )
