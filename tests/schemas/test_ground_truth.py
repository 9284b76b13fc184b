"""Ground truth as it comes: records and CSV, read in columns, one by one where they are not alike."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ground_truth import parse, read, values

texts = st.text(max_size=12)
ids = st.text(min_size=1, max_size=40)


def record(id_: str, data: str, encoding: str = "CSV", **json_form) -> bytes:
    document = {
        "groundTruthData": {"data": data, "encoding": encoding},
        "eventMetadata": {"eventId": id_},
        "eventVersion": "0",
    }
    return json.dumps(document, **json_form).encode()


@given(st.lists(st.tuples(ids, texts, st.sampled_from(["CSV", "JSON"]), st.booleans())))
def test_records_read_in_columns_are_those_read_one_by_one(found):
    lines = [record(id_, data, encoding, ensure_ascii=ascii_) for id_, data, encoding, ascii_ in found]
    labels = read(pa.array(lines, pa.binary()))
    assert labels.bad == {}
    one_by_one = [parse(line) for line in lines]
    assert labels.id.to_pylist() == [one.event_metadata.event_id for one in one_by_one]
    assert [text[1:] for text in labels.text.to_pylist()] == [
        one.ground_truth_data.data for one in one_by_one
    ]


@given(st.lists(st.tuples(ids, texts), min_size=1), st.integers(0, 99))
def test_one_bad_record_costs_no_other(found, place):
    lines = [record(*one) for one in found]
    at = place % len(lines)
    lines[at] = lines[at][:-9]
    labels = read(pa.array(lines, pa.binary()))
    assert list(labels.bad) == [at]
    assert labels.record.tolist() == [n for n in range(len(lines)) if n != at]
    assert labels.id.to_pylist() == [id_ for n, (id_, _) in enumerate(found) if n != at]


def test_lines_of_csv_and_records_may_be_mixed():
    lines = [b'"a,b",1', record("c", "0"), b"d,1,0", b" e,2 ", b"f,", b"g"]
    labels = read(pa.array(lines, pa.binary()))
    assert labels.id.to_pylist() == ["a,b", "c", "d", "e", "f"]
    assert values(labels.text).to_pylist() == [["1"], ["0"], ["1", "0"], ["2"], [None]]
    assert (list(labels.bad), labels.bad[5].code) == ([5], "csv")


@pytest.mark.parametrize(
    ("payload", "label"),
    [
        ("C1\n", ["1"]),
        ("C1\r\n0", ["1", "0"]),
        ('C"a,b"', ["a,b"]),
        ("C1,2", None),
        ("J1.5", ["1.5"]),
        ('J"yes"', ["yes"]),
        ('J{"label": 1}', ["1"]),
        ('J{"label": 1}\n{"label": 0}', ["1", "0"]),
        ('J[{"label": 1}, {"label": null}]', ["1", None]),
        ("J[1, 0]", ["1", "0"]),
        ('J{"label": 1, "weight": 2}', ["1"]),
        ('J{"other": 1, "weight": 2}', None),
        ("J{", None),
        ("J[[1]]", None),
    ],
)
def test_the_label_of_each_row_is_read_from_a_payload(payload, label):
    assert values(pa.array([payload, "C7"]), ["label"]).to_pylist() == [label, ["7"]]


def test_other_encodings_and_labels_without_an_id_are_bad():
    labels = read(pa.array([record("a", "MQ==", "BASE64"), record("", "1"), record("b", "1")], pa.binary()))
    assert {at: error.code for at, error in labels.bad.items()} == {0: "encoding", 1: "schema"}
    assert labels.id.to_pylist() == ["b"]
