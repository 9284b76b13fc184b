"""Predictions of decoded captures: where they stand, which rows they are of, and the id they have."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

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


MIXED = Layout({"score": "Fractional", "age": "Integral", "city": "String", "share": "Fractional"})


def of_people(rows: list[str], event_id: str = "e") -> bytes:
    """A record of rows of age, city and share."""
    made = json.loads(capture("\n".join(["0.5"] * len(rows)), len(rows), event_id=event_id))
    made["captureData"]["endpointInput"]["data"] = "\n".join(rows)
    return json.dumps(made).encode()


def carried(records: list[bytes], *names: str) -> list[dict[str, list[list[str | None]]]]:
    parts = found(records, MIXED, inference="score", carried=names)
    return [{name: lists.to_pylist() for name, lists in part.carried.items()} for part in parts]


def test_columns_are_carried_as_text_a_value_each_row():
    records = [of_people(["40,rome,0.5", "41,,1e3"]), of_people(["42,oslo,2.0"])]
    assert carried(records, "city", "age", "share") == [
        {
            "city": [["rome", None], ["oslo"]],
            "age": [["40", "41"], ["42"]],
            "share": [["0.5", "1000"], ["2"]],
        }
    ]


def test_a_number_is_carried_as_the_same_text_whatever_stands_beside_it():
    """A stray value has a whole record read as text: there 2.0 and 1e3 are as good numbers as elsewhere."""
    alone = carried([of_people(["7,rome,2.0"])], "age", "share")
    strays = carried([of_people(["7,rome,2.0", "many,rome,none"])], "age", "share")
    assert alone == [{"age": [["7"]], "share": [["2"]]}]
    assert strays == [{"age": [["7", "many"]], "share": [["2", "none"]]}]


def test_a_column_that_is_not_there_is_carried_as_missing():
    assert carried([of_people(["40,rome,0.5"] * 2)], "nothing", "0") == [
        {"nothing": [[None, None]], "0": [[None, None]]}
    ]


def test_all_lists_have_the_type_of_text_even_where_nothing_is_in_them():
    for part in found([of_people([",,"])], MIXED, inference="score", carried=("age", "city", "no")):
        assert {lists.type for lists in part.carried.values()} == {pa.list_(pa.string())}


@pytest.mark.parametrize("names", [(), ("city",), ("age", "city", "id", "time", "carried age")])
def test_a_table_holds_all_of_it_but_the_subject(names):
    records = [of_people(["40,rome,0.5", "x,,1"], "a"), b"{", of_people(["42,oslo,2.0"], "b")]
    for part in found(records, MIXED, inference="score", probability="share", carried=names):
        table = part.to_table()
        expected = ["record", "id", "time", "values", "probability", *(f"carried {name}" for name in names)]
        assert table.column_names == expected
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.slice(0, 1))
            writer.write_table(table.slice(1))
        back = Predictions.from_table(pa.ipc.open_stream(sink.getvalue()).read_all(), part.subject)
        assert back.subject == part.subject
        assert (back.record.tolist(), back.time.tolist()) == (part.record.tolist(), part.time.tolist())
        assert back.to_table().equals(table)
        assert list(back.carried) == list(names)
        none = back.only(np.zeros(len(back), np.bool_))
        assert len(none) == 0 == len(Predictions.from_table(none.to_table(), part.subject))
        assert none.to_table().schema == table.schema
