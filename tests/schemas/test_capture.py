"""Reading one capture record: what is accepted, and what is refused under which code."""

import json

import pyarrow as pa
import pytest

from making import capture, payload
from schemas.capture import parse, parse_many
from schemas.errors import BadRecord


def refused(line: bytes) -> tuple[str, str]:
    with pytest.raises(BadRecord) as caught:
        parse(line)
    return caught.value.code, str(caught.value)


def without(key: str) -> bytes:
    document = json.loads(capture())
    del document[key]
    return json.dumps(document).encode()


def test_keys_in_any_order_and_unknown_keys_are_let_through():
    document = json.loads(capture("1,2", new={"deep": [1]}))
    reversed_keys = json.dumps(dict(reversed(document.items()))).encode()
    assert parse(reversed_keys) == parse(capture("1,2"))


def test_a_record_keeps_ids_and_attributes():
    about = {
        "eventId": "e",
        "inferenceId": "i",
        "customAttributes": ["a=1"],
        "inferenceTime": "2025-03-04T10:02:11Z",
    }
    record = parse(capture(eventMetadata=about))
    assert (record.event_metadata.event_id, record.event_metadata.inference_id) == ("e", "i")
    assert record.event_metadata.custom_attributes == ["a=1"]


def test_a_content_type_may_be_null():
    side = {"data": "1", "encoding": "CSV", "observedContentType": None}
    given = parse(capture(side)).capture_data.endpoint_input
    assert given is not None and given.data == "1"


@pytest.mark.parametrize("length", range(1, len(capture()), 7))
def test_a_truncated_record_is_refused_as_json(length):
    assert refused(capture()[:length])[0] == "json"


@pytest.mark.parametrize("line", [b"", b" ", b"\x00", b"{'a': 1}", b"NaN", b'{"a": 1,}', b"\xff\xfe{\x00"])
def test_what_is_not_json_is_refused_as_json(line):
    assert refused(line)[0] == "json"


@pytest.mark.parametrize("version", ["1", "", 0, None, ["0"]])
def test_another_event_version_is_refused_as_version(version):
    code, message = refused(capture(eventVersion=version))
    assert code == "version" and "$.eventVersion" in message


def test_a_record_without_a_version_is_refused_as_version():
    assert refused(without("eventVersion")) == ("version", "Object missing required field `eventVersion`")


@pytest.mark.parametrize("key", ["captureData", "eventMetadata"])
def test_a_missing_part_is_refused_as_schema_and_named(key):
    assert refused(without(key)) == ("schema", f"Object missing required field `{key}`")


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'"text"',
        b"null",
        capture(payload("1", "PARQUET")),
        capture({"data": 1, "encoding": "CSV"}),
        capture({"encoding": "CSV"}),
        capture(eventMetadata={}),
        capture(eventMetadata={"eventId": 1}),
        capture(captureData=None),
        capture(captureData=[]),
    ],
)
def test_json_of_another_shape_is_refused_as_schema(line):
    assert refused(line)[0] == "schema"


def test_invalid_utf8_is_refused_as_utf8():
    assert (
        refused(capture("caf\udce9").replace("\udce9".encode("utf-8", "surrogatepass"), b"\xe9"))[0] == "utf8"
    )


@pytest.mark.parametrize("escape", [rb"\ud800", rb"\udc00", rb"\ud800\u0041", rb"\ud800x"])
def test_a_lone_surrogate_is_refused(escape):
    assert refused(capture("XX").replace(b"XX", escape))[0] == "json"


def test_a_surrogate_pair_is_one_character():
    given = parse(capture("XX").replace(b"XX", rb"\ud83d\ude00")).capture_data.endpoint_input
    assert given is not None and given.data == "😀"


def test_endless_nesting_is_refused_and_not_a_crash():
    deep = capture()[:-1] + b', "x": ' + b"[" * 100_000
    assert refused(deep) == ("json", "nested too deeply")


def test_records_are_read_each_by_itself():
    """Two records in one place and none in the next are not one each, however the lines add up."""
    record = capture()
    lines = [record + b"\n" + record, b"", record[:40], record[40:], record]
    kept, bad = parse_many(pa.array(lines, pa.binary()))
    assert sorted(bad) == [0, 1, 2, 3]
    assert [item is None for item in kept] == [True, True, True, True, False]
    assert (bad[0].code, bad[1].code, bad[2].code) == ("json", "json", "json")
