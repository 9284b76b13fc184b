"""What doctor says of labels: real files, and stand-ins for what lies in topics."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from kafka.errors import KafkaError

from made import HOUR, T0, capture, settings_for
from schemas.errors import TopicError
from schemas.frame import Frame, Subject, encode
from stream import source
from stream.doctor import labels as doctor
from stream.doctor import samples
from stream.doctor.finding import Finding
from stream.doctor.labels import check_labels, judge_ids, judge_payloads
from stream.doctor.samples import Sample, of_files, of_topic
from stream.kafka_settings import KafkaSettings
from stream.settings import Settings


def label(id_: str, data: str = "1") -> bytes:
    payload = {"data": data, "encoding": "CSV"}
    record = {"groundTruthData": payload, "eventMetadata": {"eventId": id_}, "eventVersion": "0"}
    return json.dumps(record).encode()


def captured(event_id: str, inference_id: str | None = None) -> bytes:
    record = json.loads(capture(T0, [(0.5, 30, "rome")], event_id))
    if inference_id:
        record["eventMetadata"]["inferenceId"] = inference_id
    return json.dumps(record).encode()


def sample(*records: bytes, source: str = "a.csv") -> Sample:
    return Sample([Frame.of(Subject(), pa.array(records, pa.binary()), 0, source=source)])


def write(path: Path, records: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(record + b"\n" for record in records))
    return path


@pytest.fixture
def settings(tmp_path):
    """Settings of captures e0 to e9 and of what lies under truth/."""
    write(tmp_path / "captures" / "a.jsonl", [captured(f"e{n}") for n in range(10)])
    (tmp_path / "truth").mkdir()
    about = {"labels": {"places": [str(tmp_path / "truth")]}, "quality": {"problem_type": "Regression",
             "inference_attribute": "score"}}  # fmt: skip
    return settings_for(tmp_path / "out", tmp_path / "captures", **about)


def said(settings: Settings) -> list[tuple[str, str]]:
    return [(each.level, each.what) for each in check_labels(settings)]


def test_without_labels_nothing_is_looked_at():
    assert [*check_labels(Settings())] == [Finding("ok", "labels", "none are to come")]


def test_labels_of_captures_are_ok(settings, tmp_path):
    write(tmp_path / "truth" / "a.csv", [b"id,label", b"e1,1", b"e5,0", b"other,1"])
    (tmp_path / "truth" / "b.jsonl.gz").write_bytes(gzip.compress(label("e2") + b"\n"))
    first, second = check_labels(settings)
    assert first == Finding("ok", "labels", f"{tmp_path / 'truth'}: 4 looked at")
    assert second == Finding("ok", "ids of labels in files", "3 of 4 are among 10 captures")


def test_a_place_without_files_of_labels_is_told(settings, tmp_path):
    (tmp_path / "truth" / "labels.parquet").write_bytes(b"PAR1")
    (found,) = check_labels(settings)
    assert (found.level, found.what) == ("warn", "labels")
    assert "no files of labels yet (*.jsonl, *.ndjson, *.csv" in found.text


def test_a_place_that_there_is_not_fails(settings, tmp_path):
    (tmp_path / "truth").rmdir()
    (found,) = check_labels(settings)
    assert found.level == "fail" and found.text == f"{tmp_path / 'truth'}: no such file or directory"


def test_a_file_that_cannot_be_read_fails(settings, tmp_path):
    (tmp_path / "truth" / "a.csv.gz").write_bytes(b"no gzip")
    (found,) = check_labels(settings)
    assert found.level == "fail" and "a.csv.gz: cannot be read" in found.text


def test_empty_files_are_told(settings, tmp_path):
    write(tmp_path / "truth" / "a.csv", [b"id,label"])
    (found,) = check_labels(settings)
    assert found.level == "warn" and "hold no records" in found.text


def test_captures_that_are_not_there_leave_ids_uncompared(settings, tmp_path):
    write(tmp_path / "truth" / "a.csv", [b"e1,1"])
    (tmp_path / "captures" / "a.jsonl").unlink()
    assert said(settings) == [("ok", "labels"), ("warn", "ids of labels in files")]


def test_labels_without_a_name_are_read_by_that_of_the_settings(settings, tmp_path):
    record = json.loads(label("e1"))
    record["groundTruthData"] = {"data": '{"late": 1, "by": 5}', "encoding": "JSON"}
    write(tmp_path / "truth" / "a.jsonl", [json.dumps(record).encode()])
    (found, _) = check_labels(settings)
    assert found.level == "fail" and "quality.ground_truth_attribute names it" in found.text
    named = settings.quality.model_copy(update={"ground_truth_attribute": "late"})
    for baseline in (settings.baseline, None):  # also where baselines cannot be read
        over = settings.model_copy(update={"quality": named, "baseline": baseline})
        assert said(over) == [("ok", "labels"), ("ok", "ids of labels in files")]


@pytest.mark.parametrize(
    ("records", "level", "text"),
    [
        ([label("a"), b"b,1"], "ok", "place: 2 looked at"),
        ([label("a"), b"{"], "warn", "1 of 2 are no labels that can be read, such as a.csv: not a ground"),
        ([captured("a"), captured("b")], "fail", "2 of 2 are no labels that can be read"),
        ([b"just text"], "fail", "not a line of id,label"),
        ([], "warn", "hold no records"),
    ],
)
def test_what_is_no_label_is_told_with_its_place(records, level, text):
    found = judge_payloads("place", sample(*records), [])
    assert found.level == level and text in found.text


@pytest.mark.parametrize(
    ("ids", "captures", "level", "text"),
    [
        (["i1", "x"], [("e1", "i1"), ("e2", None)], "ok", "1 of 2 are among 2 captures"),
        (["e2"], [("e1", "i1"), ("e2", None)], "ok", "1 of 1 are among 2 captures"),
        (["e1", "e2"], [("e1", "i1"), ("e2", "i2")], "warn", "2 of 2 join nothing: they are event ids"),
        (["E1 "], [("e1", None)], "warn", "they differ in case, spaces or quotes"),
        (
            ["7", "8"],
            [("e1", None)],
            "warn",
            "none of 2 is among 1 captures: a label is of '7', a capture is",
        ),
        ([], [("e1", None)], "ok", "not compared: there are no labels"),
        (["7"], [], "ok", "not compared: there are no captures"),
    ],
)
def test_ids_that_are_those_of_no_capture_are_told(ids, captures, level, text):
    found = judge_ids("files", sample(*map(label, ids)), sample(*(captured(*about) for about in captures)))
    assert found.level == level and text in found.text


def test_a_sample_has_the_oldest_and_the_newest_and_no_file_twice(tmp_path):
    for hour in range(6):
        write(tmp_path / f"2023/11/15/{hour:02d}/a.csv", [b"%d.%d,1" % (hour, n) for n in range(10)])
    files = source.find_labels([str(tmp_path)])
    found = of_files(files, 30)
    assert found.records.to_pylist()[::5] == [b"0.0,1", b"0.5,1", b"1.0,1", b"5.0,1", b"5.5,1", b"4.0,1"]
    assert len(found) == 30 and found.where(12).endswith("01/a.csv, line 3")
    assert sorted(of_files(files, 1000).records.to_pylist()) == sorted(
        b"%d.%d,1" % (hour, n) for hour in range(6) for n in range(10)
    )


class Consumer:
    """kafka-python's consumer of a topic in memory: messages by partition."""

    topics: dict[str, list[list[bytes]]] = {}  # noqa: RUF012

    def __init__(self, **options):
        assert options["bootstrap_servers"] and not options["allow_auto_create_topics"]
        self.at = {}

    def partitions_for_topic(self, topic):
        return set(range(len(self.topics[topic]))) if topic in self.topics else None

    def beginning_offsets(self, places):
        return dict.fromkeys(places, 0)

    def end_offsets(self, places):
        return {place: len(self.topics[place.topic][place.partition]) for place in places}

    def assign(self, places):
        self.at = dict.fromkeys(places, 0)

    def seek(self, place, offset):
        self.at[place] = offset

    def position(self, place):
        return self.at[place]

    def poll(self, timeout_ms, max_records):
        for place, offset in self.at.items():
            held = self.topics[place.topic][place.partition][offset : offset + 3]
            if held:
                self.at[place] += len(held)
                return {place: [Message(offset + i, value) for i, value in enumerate(held)]}
        return {}

    def close(self):
        pass


class Message:
    timestamp = T0 + HOUR

    def __init__(self, offset, value):
        self.offset, self.value = offset, value


@pytest.fixture
def topics(monkeypatch):
    found: dict[str, list[list[bytes]]] = {}
    monkeypatch.setattr(samples, "KafkaConsumer", type("C", (Consumer,), {"topics": found}))
    return found


def test_both_ends_of_partitions_are_read(topics, monkeypatch):
    monkeypatch.setattr(samples, "_MESSAGES", 4)
    topics["t"] = [[b"%d,1" % n for n in range(20)], [encode(sample(b"x,1", b"y,1").frames[0])], []]
    found = of_topic(KafkaSettings(), "t", 1000, 5)
    wanted = [b"%d,1" % n for n in (*range(4), *range(16, 20))]
    assert sorted(found.records.to_pylist()) == sorted([*wanted, b"x,1", b"y,1"])
    places = {found.where(index) for index in range(len(found))}
    assert {"t, partition 0, offset 17", "a.csv"} <= places


def test_a_topic_that_there_is_not_is_told(topics):
    with pytest.raises(TopicError, match="there is no such topic"):
        of_topic(KafkaSettings(), "t", 1000, 5)


def on_kafka(**more) -> Settings:
    return Settings.model_validate({"kafka": {"app": "x", "labels": "x-labels"}, **more})


def test_labels_and_captures_in_topics_are_compared(topics):
    topics["x-labels"] = [[label("e1"), b"e2,0\ne3,1"], [b"broken"]]
    topics["x-captures"] = [[captured("e1")], [captured("e3"), captured("e4")]]
    first, second = check_labels(on_kafka())
    assert first.level == "warn" and "topic x-labels: 1 of 4 are no labels" in first.text
    assert "x-labels, partition 1, offset 0" in first.text
    assert second == Finding("ok", "ids of labels in topics", "2 of 3 are among 3 captures")


def test_a_topic_without_labels_is_ok(topics):
    topics["x-labels"], topics["x-captures"] = [[]], [[]]
    (found,) = check_labels(on_kafka())
    assert found == Finding("ok", "labels", "topic x-labels: holds none yet")


def test_a_topic_of_labels_that_is_missing_is_not_ok(topics):
    (found,) = check_labels(on_kafka())
    said = "topic x-labels: not looked at: there is no such topic"
    assert found == Finding("warn", "labels", said)


def test_topics_that_cannot_be_looked_at_are_told(monkeypatch):
    def nobody(*_):
        raise KafkaError("nobody there")

    monkeypatch.setattr(doctor, "of_topic", nobody)
    (found,) = check_labels(on_kafka())
    assert found.level == "warn" and "topic x-labels: not looked at: " in found.text
