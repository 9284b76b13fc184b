"""Batch-transform captures: outputs with ids, manifests with and without their twin, and JSON documents."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SourceError
from schemas.frame import Subject
from stream import source, transform
from stream.log import Position

HOUR = "2025/03/04/09"
ID = "a0187b4d-5120-4e8f-b327-26d0356a4152"


def records(path: Path) -> list[dict[str, Any]]:
    """What is read of one file, as the documents that it became."""
    (file,) = source.find([str(path)], Subject("job"))
    frames = [frame for chunk in source.read(file, Position(), 0) for frame in chunk.frames]
    return [json.loads(record) for frame in frames for record in frame.data.to_pylist()]


def lines(path: Path) -> list[int]:
    (file,) = source.find([str(path)], Subject("job"))
    return [
        int(n) for chunk in source.read(file, Position(), 0) for frame in chunk.frames for n in frame.line
    ]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(record: dict[str, Any]) -> dict[str, str]:
    """The data of each side of a record."""
    return {side: payload["data"] for side, payload in record["captureData"].items()}


class Job:
    """A batch transform's objects and manifests in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifests = {side: root / "capture" / side / HOUR / "3f2a.json" for side in ("input", "output")}

    def side(self, side: str, uri: bool = False, **objects: str) -> Path:
        """Write one side: its objects, by name, and the manifest that names them."""
        place = self.root / f"transform-{side}"
        for name, content in objects.items():
            write(place / name, gzip.compress(content.encode()) if name.endswith(".gz") else content)
        prefix = f"{place.as_uri() if uri else place}/"
        return write(self.manifests[side], json.dumps([{"prefix": prefix}, *objects], indent=2))


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


def test_csv_output_with_ids_of_the_specification(shared):
    path = shared / "spec/examples/model-monitor/batch-output-with-inference-id.csv.out"
    first, second = records(path)
    assert first == {
        "captureData": {"batchTransformOutput": {"data": "0.81", "encoding": "CSV"}},
        "eventMetadata": {"eventId": ID, "inferenceTime": "2025-03-04T09:30:00Z"},
        "eventVersion": "0",
    }
    assert texts(second) == {"batchTransformOutput": "0.22"}


def test_json_lines_output_with_ids_of_the_specification(shared):
    (record,) = records(shared / "spec/examples/model-monitor/batch-output-with-inference-id.jsonl")
    assert record["eventMetadata"] == {
        "eventId": "6977a41b-730b-4d9c-94a6-7f00f335c357",
        "inferenceTime": "2025-03-04T09:30:00Z",
    }
    assert json.loads(texts(record)["batchTransformOutput"]) == {
        "SageMakerOutput": {"predicted_label": 1, "score": 0.81},
        "features": [34, 52.5, 1, 2],
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ids_and_times_are_taken_from_csv_output_and_nothing_else_is(tmp_path, end):
    rows = [f'0.8,"a,b",{ID},2025-03-04T09:30:00Z', "0.9,x,not-an-id,2025", f"1,{ID}", ""]
    found = records(write(tmp_path / "x.csv.out", end.join(rows)))
    assert [texts(record)["batchTransformOutput"] for record in found] == ['0.8,"a,b"', rows[1], rows[2]]
    assert [record["eventMetadata"] for record in found] == [
        {"eventId": ID, "inferenceTime": "2025-03-04T09:30:00Z"},
        {"eventId": "x.csv.out:2"},
        {"eventId": "x.csv.out:3"},
    ]


def test_ids_of_lines_without_one_are_unique_in_a_large_file(tmp_path):
    found = records(
        write(tmp_path / "x.csv.out", "\n" + f"1,{'x' * 998}\n" * 9_000)
    )  # 9 MB are several blocks
    ids = [record["eventMetadata"]["eventId"] for record in found]
    assert ids == [f"x.csv.out:{n}" for n in range(2, 9_002)]


def test_json_output_keeps_its_digits(tmp_path):
    text = f'{{"SageMakerInferenceId": "{ID}", "x": 12345678901234567890123, "y": 1.10, "z": 1e2}}\n'
    (record,) = records(write(tmp_path / "x.json.out", text))
    assert texts(record)["batchTransformOutput"] == '{"x":12345678901234567890123,"y":1.10,"z":1e2}'
    assert record["eventMetadata"] == {"eventId": ID}  # its time is that of its arrival


def test_captures_and_bare_outputs_may_stand_in_one_file(tmp_path):
    capture = '{"captureData": {"endpointInput": {}}, "note": "\\"SageMakerInferenceId\\""}'
    bare = f'{{"SageMakerInferenceId": "{ID}", "score": 1}}'
    first, second = records(write(tmp_path / "x.jsonl", f"{capture}\n{bare}\n"))
    assert first == json.loads(capture)
    assert texts(second) == {"batchTransformOutput": '{"score":1}'}


def test_output_that_is_no_text_is_kept_byte_by_byte(tmp_path):
    (record,) = records(write(tmp_path / "x.csv.out", b"0.5,\xff\xfe\n"))
    payload = record["captureData"]["batchTransformOutput"]
    assert payload["encoding"] == "BASE64"
    assert base64.b64decode(payload["data"]) == b"0.5,\xff\xfe"


@pytest.mark.parametrize("uri", [False, True])
def test_each_output_line_comes_beside_its_input_line(job, uri):
    job.side("input", uri, **{"a.csv": "1,x\n2,y\n", "b.csv": "3,z\n"})
    path = job.side(
        "output", uri, **{"a.csv.out": "0.1\r\n\n0.2", "b.csv.out": f"0.3,{ID},2025-03-04T09:30:00Z\n"}
    )
    found = records(path)
    assert [texts(record) for record in found] == [
        {"endpointInput": "1,x", "endpointOutput": "0.1"},
        {"endpointInput": "2,y", "endpointOutput": "0.2"},
        {"endpointInput": "3,z", "endpointOutput": "0.3"},
    ]
    assert [record["eventMetadata"] for record in found] == [
        {"eventId": "a.csv.out:1", "inferenceTime": "2025-03-04T09:00:00Z"},  # the hour of its folder
        {"eventId": "a.csv.out:2", "inferenceTime": "2025-03-04T09:00:00Z"},
        {"eventId": ID, "inferenceTime": "2025-03-04T09:30:00Z"},
    ]
    assert records(job.manifests["input"]) == []  # read with its output, not twice


def test_json_lines_objects_and_compressed_ones_are_read(job):
    job.side("input", **{"a.jsonl.gz": '{"age": 1}\n{"age": 2}\n'})
    path = job.side("output", **{"a.jsonl.gz.out": '{"score": 0.1}\n{"score": 0.2}\n'})
    assert [texts(record) for record in records(path)] == [
        {"endpointInput": '{"age": 1}', "endpointOutput": '{"score": 0.1}'},
        {"endpointInput": '{"age": 2}', "endpointOutput": '{"score": 0.2}'},
    ]
    assert records(path)[0]["captureData"]["endpointInput"]["encoding"] == "JSON"


def test_input_alone_and_output_alone_are_records_of_one_side(job):
    path = job.side("input", **{"a.csv": "1,x\n"})
    assert [texts(record) for record in records(path)] == [{"endpointInput": "1,x"}]
    path.unlink()
    path = job.side("output", **{"a.csv.out": "0.1\n"})
    assert [texts(record) for record in records(path)] == [{"endpointOutput": "0.1"}]


def test_an_input_object_without_an_output_object_is_not_lost(job):
    job.side("input", **{"a.csv": "1\n", "failed.csv": "2\n3\n"})
    path = job.side("output", **{"a.csv.out": "0.1\n", "new.csv.out": "0.2\n"})
    assert [texts(record) for record in records(path)] == [
        {"endpointInput": "1", "endpointOutput": "0.1"},
        {"endpointOutput": "0.2"},
        {"endpointInput": "2"},
        {"endpointInput": "3"},
    ]


def test_output_that_the_transform_joined_to_its_input_holds_both(job):
    job.side("input", **{"a.jsonl": '{"age": 1}\n'})
    joined = '{"SageMakerOutput": {"score": 0.1}, "age": 1}'
    path = job.side("output", **{"a.jsonl.out": joined})
    assert [texts(record) for record in records(path)] == [{"batchTransformOutput": joined}]


def test_an_object_of_another_length_than_its_input_is_refused_whole(job):
    job.side("input", **{"a.csv": "1\n2\n3\n"})
    path = job.side("output", **{"a.csv.out": "0.1\n0.2\n"})
    with pytest.raises(SourceError, match=r"3f2a\.json: a\.csv\.out has 2 lines and its input 3"):
        records(path)


def test_an_object_that_is_not_there_is_named(job):
    path = job.side("output", **{"a.csv.out": "0.1\n"})
    (job.root / "transform-output/a.csv.out").unlink()
    with pytest.raises(
        SourceError, match=r"output/2025/03/04/09/3f2a\.json: names .*/a\.csv\.out, which is not there"
    ):
        records(path)


@pytest.mark.parametrize("content", ["{", "5", "[]", '[{"prefix": "x"', '{"prefix": "x"}', '["a", "b"]'])
def test_a_twin_that_is_no_manifest_is_named(job, content):
    path = job.side("output", **{"a.csv.out": "0.1\n"})
    write(job.manifests["input"], content)
    with pytest.raises(SourceError, match=r"input/2025/03/04/09/3f2a\.json: not a manifest"):
        records(path)


def test_a_manifest_of_no_objects_holds_nothing(job):
    assert records(job.side("output")) == []


def test_only_the_last_input_of_a_path_is_the_side(tmp_path):
    job = Job(tmp_path / "input" / "output" / "jobs")
    job.side("input", **{"a.csv": "1\n"})
    path = job.side("output", **{"a.csv.out": "0.1\n"})
    assert [texts(record) for record in records(path)] == [{"endpointInput": "1", "endpointOutput": "0.1"}]


def test_a_manifest_belongs_to_the_default_subject_and_to_its_hour(job):
    job.side("input", **{"a.csv": "1\n"})
    job.side("output", **{"a.csv.out": "0.1\n"})
    found = source.find([str(job.root / "capture")], Subject("job"))
    assert [(file.subject, file.hour) for file in found] == [(Subject("job"), HOUR)] * 2


def test_manifests_of_the_specification_are_recognised(shared, tmp_path):
    """Their objects lie in a bucket that does not exist: what is asked for is told by a reader of our own."""
    asked: list[str] = []

    def read(place: str) -> bytes | None:
        asked.append(place)
        return b"1\n" if place.startswith("s3://") else None

    for side in ("input", "output"):
        text = (shared / f"spec/examples/model-monitor/capture-batch-manifest-{side}.json").read_bytes()
        found, _ = transform.document(f"b/{side}/{HOUR}/x.json", text, read)
        assert len(found) == 2
    assert asked == [
        f"b/output/{HOUR}/x.json",
        "s3://example-bucket/transform-input/part_0.jsonl",
        "s3://example-bucket/transform-input/part_1.jsonl",
        "s3://example-bucket/transform-output/part_0.jsonl.out",
        "s3://example-bucket/transform-output/part_1.jsonl.out",
        f"b/input/{HOUR}/x.json",
    ]


def test_a_pretty_printed_record_is_one_record(tmp_path):
    record = {"captureData": {"endpointInput": {"data": "1,2", "encoding": "CSV"}}, "eventVersion": "0"}
    path = write(tmp_path / "a.json", json.dumps(record, indent=4))
    assert (records(path), lines(path)) == ([record], [1])
    both = write(tmp_path / "b.json", json.dumps([record, record], indent=4))
    assert records(both) == [record, record]


def test_the_merged_record_of_a_real_batch_transform_is_read(shared):
    (record,) = records(shared / "data/captures/adult-batch-jsonlines-merged-1record.json")
    assert record["captureData"].keys() >= {"batchTransformOutput"}


def test_lines_in_a_file_called_json_are_lines_and_a_bad_one_is_alone(tmp_path):
    path = write(tmp_path / "a.json", '\n{"n": 1}\n{"n": \n\nnonsense\n{"n": 4}')
    (file,) = source.find([str(path)], Subject())
    (frame,) = (frame for chunk in source.read(file, Position(), 0) for frame in chunk.frames)
    assert frame.data.to_pylist() == [b'{"n": 1}', b'{"n": ', b"nonsense", b'{"n": 4}']
    assert frame.line.tolist() == [2, 3, 5, 6]


@pytest.mark.parametrize(
    "text", ['{\n  "captureData": {\n    "endpointInput": {}\n', '[\n  {\n    "n": 1\n  }', "nonsense"]
)
def test_a_document_that_is_cut_off_is_one_record_to_be_refused(tmp_path, text):
    path = write(tmp_path / "a.json", text)
    (file,) = source.find([str(path)], Subject())
    (frame,) = (frame for chunk in source.read(file, Position(), 0) for frame in chunk.frames)
    assert (frame.data.to_pylist(), frame.line.tolist()) == ([text.encode()], [1])


def test_a_damaged_compressed_document_is_named(tmp_path):
    path = write(tmp_path / "a.json.gz", gzip.compress(b"[]" * 99)[:-9])
    with pytest.raises(SourceError, match=r"a\.json\.gz: cannot be read: the compressed data is cut off"):
        records(path)
