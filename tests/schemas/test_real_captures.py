"""Every file of real captures decodes, whole and with the values that are in it."""

import json
from pathlib import Path

import pytest

from making import WHEN_MS, decoded, reason, rows_of
from schemas import constraints, ground_truth
from schemas.decode import Decoded
from schemas.errors import BadRecord
from schemas.layout import Kind, Layout


def numbered(count: int, kind: Kind = "Fractional", **more: Kind) -> Layout:
    return Layout({f"_c{i}": kind for i in range(count)} | more)


ADULT = numbered(14, "Integral", predicted_label="Integral", score="Fractional")
SMALL = Layout(
    {"score": "Fractional", "age": "Integral", "income": "Fractional", "region": "String", "n": "Integral"}
)
LATER = WHEN_MS + 10**11  # after every capture in the files

FILES = [  # path, layout, records, rows, a row of which record, what it must hold
    (
        "data/captures/churn-endpoint-csv.jsonl",
        numbered(70),
        3,
        3,
        1,
        {"_c0": 0.3791300654411316, "_c1": 130.0, "_c69": 0.0},
    ),
    (
        "data/captures/dsoaws-csv-endpoint.jsonl",
        numbered(85),
        9,
        9,
        0,
        {"_c0": 4.0, "_c2": 1056736.0, "_c84": 0.0},
    ),
    (
        "data/captures/audio-endpoint-csv-multirow.jsonl",
        numbered(9),
        1,
        3,
        0,
        {"_c0": 0.0, "_c5": -309.9204, "_c8": 125.0},
    ),
    (
        "data/captures/adult-endpoint-json.jsonl",
        ADULT,
        2,
        3,
        1,
        {"_c2": 133937, "predicted_label": 1, "score": 0.9899773597717285},
    ),
    (
        "data/captures/adult-endpoint-jsonlines.jsonl",
        ADULT,
        2,
        3,
        1,
        {"_c13": 37, "predicted_label": 1, "score": 0.989977359771728},
    ),
    (
        "data/captures/adult-batch-jsonlines-merged-1record.json",
        ADULT,
        1,
        1,
        0,
        {"_c0": 28, "predicted_label": 1},
    ),
    ("data/captures/sdk-monitor/captured-data.jsonl", numbered(2), 2, 6, 1, {"_c0": 3.5, "_c1": 1.0}),
    (
        "data/pairs/adult-bias-monitor-endpoint/merged.jsonl",
        ADULT,
        1,
        334,
        0,
        {"_c2": 133937, "score": 0.9899773597717285},
    ),
    (
        "spec/examples/model-monitor/capture-endpoint-csv.jsonl",
        SMALL,
        4,
        5,
        0,
        {"score": 0.81, "region": "north", "n": 2},
    ),
    (
        "spec/examples/model-monitor/capture-endpoint-base64.jsonl",
        Layout({"score": "Fractional", "age": "Integral"}),
        1,
        1,
        0,
        {"score": 0.81, "age": 34},
    ),
    (
        "spec/examples/model-monitor/capture-endpoint-jsonlines.jsonl",
        numbered(4, predicted_label="Integral", score="Fractional"),
        2,
        3,
        0,
        {"_c1": 52.5, "predicted_label": 1, "score": 0.81},
    ),
    ("spec/examples/model-monitor/merged-endpoint.jsonl", SMALL, 1, 1, 0, {"score": 0.22, "region": "south"}),
    (
        "spec/examples/model-monitor/merged-batch.jsonl",
        numbered(4, predicted_label="Integral", score="Fractional"),
        1,
        1,
        0,
        {"_c0": 34.0, "score": 0.81},
    ),
]


def lines_of(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines() if line.strip()]


def row_count(found: Decoded) -> int:
    return sum(len(table) for table in found.tables)


@pytest.mark.parametrize(
    ("path", "layout", "records", "count", "record", "holds"),
    FILES,
    ids=[case[0].split("/", 1)[1] for case in FILES],
)
def test_a_real_capture_file_decodes_whole(shared, path, layout, records, count, record, holds):
    found = decoded(lines_of(shared / path), layout, LATER)
    assert found.bad == {}
    assert (len(found), row_count(found)) == (records, count)
    assert holds.items() <= rows_of(found, record)[0].items()


def test_no_capture_file_is_left_out(shared):
    holding = {
        str(path.relative_to(shared))
        for folder in ("data/captures", "data/pairs", "spec/examples/model-monitor")
        for path in (shared / folder).rglob("*.json*")
        if not path.name.endswith(".gz") and b'"captureData"' in path.read_bytes()
    }
    assert holding == {case[0] for case in FILES} | {"data/captures/sdk-monitor/capture.jsonl"}


def test_a_request_of_three_rows_pairs_each_prediction_with_its_inputs(shared):
    found = decoded(lines_of(shared / "data/captures/audio-endpoint-csv-multirow.jsonl"), numbered(9), LATER)
    assert [(row["_c0"], row["_c5"]) for row in rows_of(found, 0)] == [
        (0.0, -309.9204),
        (4.0, -381.4066),
        (4.0, -374.81824),
    ]
    assert found.tables[0].row.tolist() == [0, 1, 2]


def test_a_real_baseline_without_the_prediction_keeps_the_prediction_beside_it(shared):
    """The endpoint's own constraints know its eight inputs only."""
    rules = constraints.parse((shared / "data/captures/audio-endpoint-constraints.json").read_bytes()).rules
    layout = Layout({name: rule.kind for name, rule in rules.items()})
    found = decoded(lines_of(shared / "data/captures/audio-endpoint-csv-multirow.jsonl"), layout, LATER)
    assert found.tables[0].beside == {"output_0"}
    assert rows_of(found, 0)[1] == {
        "_c0": 0.009054508,
        "_c1": 259.22135127179826,
        "_c2": 25.53445721534249,
        "_c3": 1482.5636948456722,
        "_c4": -381.4066,
        "_c5": 103.938866,
        "_c6": 35.128147,
        "_c7": 170.45454545454547,
        "output_0": "4.0",
    }


def test_a_missing_cell_of_a_real_capture_is_missing(shared):
    lines = lines_of(shared / "spec/examples/model-monitor/capture-endpoint-csv.jsonl")
    found = decoded(lines, SMALL, LATER)
    assert "n" not in rows_of(found, 1)[0]
    assert found.inference_id.to_pylist() == [None, "order-000017", "order-000018", None]
    assert found.event_id[0].as_py() == "c963cfe0-afae-4a3b-b909-6a04e7d80068"


def test_the_template_time_of_the_sdk_fixture_is_refused_as_it_is(shared):
    lines = lines_of(shared / "data/captures/sdk-monitor/capture.jsonl")
    found = decoded(lines, numbered(8), LATER)
    assert len(found.bad) == len(lines) == 44
    assert {error.code for error in found.bad.values()} == {"time"}
    assert reason(lines[0], numbered(8)) == ("time", "inferenceTime '{%s}' is not an ISO 8601 time")


def test_the_sdk_fixture_decodes_once_its_time_is_filled_in(shared):
    lines = lines_of(shared / "data/captures/sdk-monitor/capture.jsonl")
    found = decoded([line.replace(b"{%s}", b"2019-11-24T07:30:50Z") for line in lines], numbered(8), LATER)
    assert (found.bad, row_count(found)) == ({}, 44)
    assert rows_of(found, 0)[0] == dict(
        zip([f"_c{i}" for i in range(8)], [0.302709460258, 9, 45, 45, 42, 7, 5, 0], strict=True)
    )


GROUND_TRUTH = [
    ("data/captures/churn-batch-ground-truth.jsonl", 334, "0"),
    ("data/captures/sdk-monitor/actuals.jsonl", 44, "1"),
    ("spec/examples/model-monitor/ground-truth.jsonl", 2, "1"),
]


@pytest.mark.parametrize(("path", "count", "first"), GROUND_TRUTH)
def test_a_ground_truth_file_is_read_as_labels_and_refused_as_captures(shared, path, count, first):
    lines = lines_of(shared / path)
    labels = [ground_truth.parse(line) for line in lines]
    assert (len(labels), labels[0].ground_truth_data.data) == (count, first)
    assert labels[0].event_metadata.event_id == json.loads(lines[0])["eventMetadata"]["eventId"]
    found = decoded(lines, arrived=LATER)
    assert sorted(found.bad) == list(range(count))
    assert {(error.code, str(error)) for error in found.bad.values()} == {
        ("schema", "a ground-truth record where a capture was expected: it holds a label and no captureData")
    }


def test_a_merged_record_is_a_capture_and_holds_a_label_too(shared):
    line = (shared / "spec/examples/model-monitor/merged-endpoint.jsonl").read_bytes().strip()
    assert ground_truth.parse(line).ground_truth_data.data == "1"


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[1]", b'{"groundTruthData": {"data": 1}}', b'{"a": "\xff"}', b'{"x":' + b"[" * 100_000],
)
def test_what_is_no_label_is_refused(line):
    with pytest.raises(BadRecord, match="not a ground-truth record") as caught:
        ground_truth.parse(line)
    assert caught.value.code == "schema"
