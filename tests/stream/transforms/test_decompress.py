"""CloudWatch Logs records: what is in them, and what is no such record or would be too much."""

import base64
import gzip
import json

import pyarrow as pa
import pytest

from stream.transforms.decompress import decompress, gunzip


def envelope(*messages: str, kind: str = "DATA_MESSAGE") -> bytes:
    events = [{"id": str(i), "timestamp": 1, "message": text} for i, text in enumerate(messages)]
    return json.dumps({"messageType": kind, "owner": "0", "logEvents": events}).encode()


def unpacked(*records: bytes, extract: bool, **limits: int) -> tuple[list[bytes], dict[int, str]]:
    data, reasons = decompress(pa.array(records, pa.binary()), extract, **limits)
    return data.to_pylist(), reasons


def test_the_messages_of_an_envelope_become_lines_of_one_record():
    assert unpacked(gzip.compress(envelope("first", "")), extract=True) == ([b"first\n\n"], {})


def test_without_extraction_the_envelope_goes_on_unchanged_with_no_newline():
    assert unpacked(gzip.compress(envelope("é")), extract=False) == ([envelope("é")], {})


def test_a_control_message_becomes_an_empty_record():
    control = gzip.compress(envelope("CWL CONTROL MESSAGE", kind="CONTROL_MESSAGE"))
    assert unpacked(control, extract=True) == ([b""], {})


def test_all_members_of_a_gzip_record_are_read():
    packed = gzip.compress(envelope("a")) + gzip.compress(envelope("b", "c"))
    assert unpacked(packed, extract=True) == ([b"a\nb\nc\n"], {})
    assert unpacked(packed, extract=False) == ([envelope("a") + envelope("b", "c")], {})


def test_the_documented_record_gives_the_documented_lines(shared):
    case = json.loads((shared / "spec/examples/cloudwatch_logs.record.json").read_text())
    record = base64.b64decode(case["record_data_base64"])
    assert unpacked(record, extract=True)[0] == [case["after_message_extraction"].encode()]
    assert json.loads(unpacked(record, extract=False)[0][0]) == case["envelope"]


@pytest.mark.parametrize(
    "record, reason",
    [
        (b"not gzip", "not gzip data"),
        (b"", "empty"),
        (b"\0\0", "empty"),
        (gzip.compress(b"x" * 1000)[:-9], "cut off"),
        (gzip.compress(b"x" * 1000)[:-8] + b"12345678", "damaged"),
        (gzip.compress(envelope("a")) + b"rubbish", "not gzip data"),
        (gzip.compress(b'{"a": 1}'), "not a CloudWatch Logs envelope"),
        (gzip.compress(b""), "no CloudWatch Logs envelope"),
        (gzip.compress(b"[" * 100_000), "not a CloudWatch Logs envelope"),
        (gzip.compress(b'{"messageType": "DATA_MESSAGE", "logEvents": [{}]}'), "message"),
    ],
)
def test_what_is_no_such_record_fails_with_the_reason_and_the_others_go_on(record, reason):
    good = gzip.compress(envelope("good"))
    data, reasons = unpacked(good, record, good, extract=True)
    assert data == [b"good\n", b"", b"good\n"]
    assert [*reasons] == [1] and reason in reasons[1]


def test_a_record_that_unpacks_to_too_much_fails_by_itself():
    bomb = gzip.compress(bytes(10_000_000))
    data, reasons = unpacked(bomb, gzip.compress(b"small"), extract=False, limit=1_000_000)
    assert data == [b"", b"small"] and "above 1000000 bytes" in reasons[0]


def test_many_records_that_unpack_to_much_fail_where_memory_would_run_out():
    large = gzip.compress(bytes(400))
    data, reasons = unpacked(large, large, large, gzip.compress(b"small"), extract=False, batch_limit=1000)
    assert (list(map(len, data)), [*reasons]) == ([400, 400, 0, 5], [2])


def test_members_of_any_number_and_size_are_read_whole():
    texts = [envelope(str(n) * (n % 7) * 1000) for n in range(200)]
    packed = b"\0".join(gzip.compress(text, n % 10) for n, text in enumerate(texts)) + b"\0\0"
    assert gunzip(packed) == b"".join(texts)


def test_a_limit_counts_over_all_members():
    members = gzip.compress(bytes(600)) * 2
    assert len(gunzip(members, 1200)) == 1200
    with pytest.raises(ValueError, match="above 1199 bytes"):
        gunzip(members, 1199)
