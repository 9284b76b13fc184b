"""Dead letters: every record with its reason, in a form that gives the very bytes back."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from schemas.frame import Subject
from sinks.dead_letters import DeadLetter, write
from sinks.objects import Objects


def letter(record: bytes = b"{}", code: str = "json", line: int = 7) -> DeadLetter:
    return DeadLetter(
        code=code,
        reason="Input data was truncated",
        subject=Subject("churn"),
        partition=0,
        offset=3,
        source="captures/a.jsonl",
        line=line,
        arrived=1_500,
        event_time=1_000,
        record=record,
    )


def rows(directory) -> list[dict]:
    return [json.loads(line) for path in directory.iterdir() for line in path.read_text().splitlines()]


def test_a_letter_has_reason_place_and_times(tmp_path):
    write(Objects.at(tmp_path), [letter(b'{"captureData": {')], 0, 12)
    assert [path.name for path in tmp_path.iterdir()] == ["00000-00000000000000000012.jsonl"]
    assert rows(tmp_path) == [
        {
            "code": "json",
            "reason": "Input data was truncated",
            "subject": {"endpoint": "churn", "variant": "AllTraffic", "model": None},
            "source": "captures/a.jsonl",
            "line": 7,
            "partition": 0,
            "offset": 3,
            "arrived": "1970-01-01T00:00:01.500Z",
            "event_time": "1970-01-01T00:00:01Z",
            "record": '{"captureData": {',
        }
    ]


def test_a_binary_record_is_kept_in_base64(tmp_path):
    write(Objects.at(tmp_path), [letter(b"\xff\x00half \xc3"), letter("Zürich\n".encode())], 0, 1)
    binary, text = rows(tmp_path)
    assert base64.b64decode(binary["record_base64"]) == b"\xff\x00half \xc3"
    assert "record" not in binary
    assert text["record"] == "Zürich\n"


@given(st.binary(max_size=60))
def test_every_record_can_be_put_back(record):
    row = json.loads(json.dumps(letter(record).row()))
    kept = row["record"].encode() if "record" in row else base64.b64decode(row["record_base64"])
    assert kept == record


def test_the_same_range_written_twice_is_the_same_object(tmp_path):
    objects = Objects.at(tmp_path)
    letters = [letter(line=n) for n in range(5)]
    write(objects, letters, 0, 1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write(objects, letters, 0, 1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_where_there_is_no_letter_there_is_no_object(tmp_path):
    write(Objects.at(tmp_path), [], 0, 1)
    assert not list(tmp_path.iterdir())
