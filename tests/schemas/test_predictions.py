"""Predictions of decoded captures: where they stand, which rows they are of, and the id they have."""

from __future__ import annotations

import json

import pyarrow as pa

from schemas.decode import decode
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from schemas.predictions import Attributes, Predictions, predictions

LAYOUT = Layout({"score": "Fractional", "age": "Integral"})
CLASSES = Layout({"class": "String", "probability": "Fractional", "age": "Integral"})


def capture(output: str, rows: int = 1, inference_id: str | None = None, event_id: str = "e") -> bytes:
    def side(mode: str, data: str) -> dict[str, str]:
        return {"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"}

    inputs = "\n".join(["40"] * rows)
    about = {"eventId": event_id, "inferenceTime": "2025-03-04T10:00:00Z"}
    if inference_id is not None:
        about["inferenceId"] = inference_id
    sides = {"endpointInput": side("INPUT", inputs), "endpointOutput": side("OUTPUT", output)}
    return json.dumps({"captureData": sides, "eventMetadata": about, "eventVersion": "0"}).encode()


def found(records: list[bytes], layout: Layout = LAYOUT, **attributes: object) -> list[Predictions]:
    frame = Frame.of(Subject("churn"), pa.array(records, pa.binary()), 2_000_000_000_000)
    return list(predictions(decode(frame, layout), layout, Attributes(**attributes)))


def test_the_inference_id_names_a_record_or_else_its_event_id():
    records = [capture("0.5", inference_id="a"), capture("0.5"), capture("0.5", inference_id="")]
    (one,) = found(records, inference="score")
    assert one.id.to_pylist() == ["a", "e", "e"]


def test_a_record_of_several_rows_is_one_prediction_of_as_many_values():
    records = [capture("0.1\n0.2", rows=2), capture("0.3"), b"{", capture("0.4\n0.5\n0.6", rows=3)]
    (one,) = found(records, inference="score")
    assert one.values.to_pylist() == [[0.1, 0.2], [0.3], [0.4, 0.5, 0.6]]
    assert one.record.tolist() == [0, 1, 3]
    assert one.probability.to_pylist() == [[None, None], [None], [None] * 3]


def test_an_output_may_be_meant_by_its_number():
    (one,) = found([capture("yes,0.9")] * 2, CLASSES, inference="0", probability="1")
    assert (one.values.to_pylist(), one.probability.to_pylist()) == ([["yes"]] * 2, [[0.9]] * 2)


def test_outputs_that_the_baseline_does_not_have_have_numbers_too():
    (one,) = found([capture("0.25")] * 2, Layout({"age": "Integral"}), inference="0")
    assert one.values.to_pylist() == [["0.25"]] * 2


def test_without_an_inference_attribute_the_probability_decides():
    (one,) = found(
        [capture("x,0.9"), capture("x,0.3")],
        CLASSES,
        probability="probability",
        threshold=0.4,
        positive="yes",
        negative="no",
    )
    assert one.values.to_pylist() == [["yes"], ["no"]]


def test_a_value_of_another_type_is_kept_as_text_and_costs_its_neighbours_nothing():
    parts = found([capture("0.5"), capture("broken"), capture("0.25")], inference="score")
    assert [part.values.to_pylist() for part in parts] == [[[0.5], [0.25]], [["broken"]]]


def test_a_column_that_is_not_there_gives_rows_without_a_prediction():
    (one,) = found([capture("0.5")], inference="nothing")
    assert one.values.to_pylist() == [[None]]
