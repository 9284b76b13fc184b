"""What is degenerate: one class, nothing, all missing, no numbers, classes without end."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from monitors.model_quality.confusion import MAX_CLASSES
from monitors.model_quality.labels import in_order, normalised
from monitors.model_quality.monitor import Judging, ModelQuality
from schemas.labelled import Labelled
from schemas.quality import Model, QualityConstraints, Threshold

BINARY = ModelQuality(Model("BinaryClassification", positive_label="1", labels=["0", "1"]))
REGRESSION = ModelQuality(Model("Regression"))
SEVERAL = ModelQuality(Model("MulticlassClassification"))


def metrics(monitor, prediction, label, probability=None):
    chances = None if probability is None else pa.array(probability, pa.float64())
    batch = Labelled(pa.array(prediction), pa.array(label), chances)
    return monitor.metrics(monitor.observe(batch))


def test_forms_of_a_label_are_one_class():
    forms = ["1", "1.0", " 1 ", '"1"', "True", "true", "1e0", "+1", "1."]
    found = metrics(BINARY, forms, ["1"] * len(forms))
    assert found["confusion_matrix"] == {"0": {"0": 0, "1": 0}, "1": {"0": 0, "1": len(forms)}}
    for numbers in (pa.array([1.0, 0.0]), pa.array(["1", "0"]), pa.array(["True", "False"])):
        found = BINARY.metrics(BINARY.observe(Labelled(numbers, pa.array(["1", "0.0"]))))
        assert found["accuracy"].value == 1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("9007199254740993", "9007199254740993"),  # more than a double can tell apart
        ("1e999", "1e999"),
        ("inf", "inf"),
        ("-0", "0"),
        ("0x1", "0x1"),
        ("1_000", "1_000"),
        ("\u0661", "\u0661"),  # a digit to Python, and no number here
        ("NaN", None),
        ("   ", None),
        ("x" * 300, "x" * 256),
        ("1" * 300, "1" * 256),
        ("None", "None"),  # a class may be called so
        (np.float64(2.0), "2"),
    ],
)
def test_texts_that_are_odd(value, text):
    assert normalised(value) == text
    if text is not None:
        assert normalised(text) == text
        in_order([text, "1", "a"])


def test_with_one_class_only_what_can_be_said_is_said():
    found = metrics(BINARY, ["0", "0"], ["0", "0"], [0.1, 0.2])
    reasons = {name: found[name].reason for name in ("recall", "precision", "f1", "auc")}
    assert reasons == {
        "recall": "no label is the positive class",
        "precision": "no prediction is the positive class",
        "f1": "neither a label nor a prediction is the positive class",
        "auc": "needs probabilities of both positive and other rows",
    }
    assert found["accuracy"].value == found["true_negative_rate"].value == 1.0
    assert "receiver_operating_characteristic_curve" not in found
    found = metrics(BINARY, ["1"], ["0"])
    assert (found["precision"].value, found["f1"].value, found["recall"].value) == (0.0, 0.0, None)


def test_labels_beside_the_two_are_the_rest():
    found = metrics(BINARY, ["1", "maybe", "0"], ["1", "0", "maybe"])
    assert [*found["confusion_matrix"]] == ["0", "1", "maybe"]
    assert found["true_negative_rate"].value == 1.0


def test_a_regression_of_what_is_no_number_is_counted():
    state = REGRESSION.observe(
        Labelled(pa.array(["1", "x", "inf", None, "2"]), pa.array([1.0, 1.0, 1.0, 1.0, float("nan")]))
    )
    assert (state.rows, state.scored) == (5, 1)
    found = REGRESSION.metrics(state)
    assert found["mae"].value == 0.0
    assert (found["r2"].value, found["r2"].reason) == (None, "all labels are the same")


def test_numbers_too_large_for_a_double_are_undefined():
    found = metrics(REGRESSION, [1e200, -1e200, 0.0], [-1e200, 1e200, 0.0])
    assert found["mae"].value == pytest.approx(4e200 / 3)
    assert found["mse"].reason == "larger than a double can hold"
    assert found["r2"].value is None


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e-84, 1e84, 1e154, 1e300])
def test_no_size_of_number_stops_a_merge(size):
    parts = [
        REGRESSION.observe(Labelled(pa.array([0.0, a]), pa.array([b, size])))
        for a, b in ((size, 0.0), (-size, size), (1.0, -size))
    ]
    for first, second in ((0, 1), (1, 0), (2, 1)):
        state = parts[first].merge(parts[second]).merge(parts[0])
        for figure in REGRESSION.metrics(state).values():
            assert figure.value is None or np.isfinite(figure.value)
        assert REGRESSION.load(state.dump()).scored == 6


def test_labels_that_are_all_the_same_have_no_r2_however_they_are_rounded():
    parts = [REGRESSION.observe(Labelled(pa.array([0.3] * n), pa.array([0.1] * n))) for n in (3, 7, 11)]
    state = parts[0].merge(parts[1]).merge(parts[2])
    assert REGRESSION.metrics(state)["r2"].reason == "all labels are the same"


def test_a_million_off_the_origin_r2_still_holds():
    rng = np.random.default_rng(7)
    label = rng.normal(1e8, 1.0, 1_000)
    prediction = label + rng.normal(0.0, 0.5, 1_000)
    states = [
        REGRESSION.observe(Labelled(pa.array(prediction[at::10]), pa.array(label[at::10])))
        for at in range(10)
    ]
    state = states[0]
    for other in states[1:]:
        state = state.merge(other)
    exact = 1 - np.sum((prediction - label) ** 2) / np.sum((label - label.mean()) ** 2)
    assert REGRESSION.metrics(state)["r2"].value == pytest.approx(exact, rel=1e-9)


def test_classes_without_end_are_none():
    """Ids for labels: counted, said, and no memory lost to them."""
    ids = [f"id {number}" for number in range(MAX_CLASSES + 1)]
    state = SEVERAL.observe(Labelled(pa.array(ids), pa.array(ids)))
    assert state.scored == len(ids)
    assert SEVERAL.metrics(state)["accuracy"].reason == "too many classes"
    assert sum(map(len, state.dump().values())) < 1_000
    assert BINARY.metrics(state)["recall"].reason == "too many classes"
    gone = [None] * len(ids)
    state = SEVERAL.observe(Labelled(pa.array([*ids, "a"]), pa.array([*gone, "a"])))  # not scored: no class
    assert SEVERAL.metrics(state)["accuracy"].value == 1.0


def test_probabilities_that_are_none_are_left_out_and_the_row_is_scored():
    state = BINARY.observe(
        Labelled(pa.array(["1"] * 5), pa.array(["1"] * 5), pa.array([0.5, None, 1.5, -0.1, float("nan")]))
    )
    assert state.scored == 5
    assert state.certainty.log_loss.n == 1


def test_a_threshold_is_judged_from_enough_rows_on_and_with_its_margin():
    rules = QualityConstraints("BinaryClassification", {"accuracy": Threshold(0.9, "LessThanThreshold")})
    label = ["1", "0"] * 150
    wrong = ["0", "1"] * 20 + label[40:]  # accuracy 0.867, its standard error 0.0196

    def found(judging: Judging) -> int:
        monitor = ModelQuality(Model("BinaryClassification"), rules, judging)
        return len(monitor.finish(monitor.observe(Labelled(pa.array(wrong), pa.array(label)))).violations)

    assert [found(Judging(n)) for n in (0, 300, 301)] == [1, 1, 0]
    assert [found(Judging(0, errors)) for errors in (0.0, 1.6, 1.8)] == [1, 1, 0]


def test_arrays_of_unequal_length_are_a_mistake():
    with pytest.raises(ValueError, match="differ in length"):
        Labelled(pa.array(["1"]), pa.array(["1", "0"]))


def test_a_violation_names_the_rows_that_were_most_wrong():
    rules = QualityConstraints("Regression", {"mae": Threshold(0.1, "GreaterThanThreshold")})
    monitor = ModelQuality(Model("Regression"), rules)
    error = np.arange(20.0)
    ids = pa.array([f"r{number}" for number in range(20)])
    batch = Labelled(pa.array(error), pa.array(np.zeros(20)), None, ids)
    (violation,) = monitor.finish(monitor.observe(batch)).violations
    assert violation.sample_event_ids == ["r19", "r18", "r17", "r16", "r15"]

    rules = QualityConstraints("BinaryClassification", {"accuracy": Threshold(1.0, "LessThanThreshold")})
    monitor = ModelQuality(Model("BinaryClassification"), rules)
    label, chance = pa.array(["1", "0"] * 10), pa.array([0.9, 0.3] * 10)
    batch = Labelled(pa.array(["0"] * 20), label, chance, ids)
    (violation,) = monitor.finish(monitor.observe(batch)).violations
    assert violation.sample_event_ids == ["r0", "r10", "r12", "r14", "r16"]  # of equals the smaller, as text


def test_as_many_and_as_long_classes_as_there_may_be_fit_a_message():
    rng = np.random.default_rng(8)
    names = pa.array([f"{number:>0256}x"[-256:] for number in range(MAX_CLASSES)])
    label, prediction = (names.take(pa.array(at)) for at in rng.integers(0, MAX_CLASSES, (2, 300_000)))
    state = SEVERAL.observe(Labelled(prediction, label, pa.array(rng.random(300_000))))
    assert len(state.confusion.names()) == MAX_CLASSES
    assert max(map(len, state.dump().values())) < 500_000
    assert SEVERAL.load(state.dump()) == state
