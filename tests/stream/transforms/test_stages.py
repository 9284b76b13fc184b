"""The stages together, in their order, and what stays known of where each record came from."""

import base64
import gzip
import json

import numpy as np

from putting import START, STREAM, put
from stream.transforms.transform import transform


def processing(**processors: dict[str, str]) -> dict:
    return {
        "Enabled": True,
        "Processors": [
            {
                "Type": kind,
                "Parameters": [{"ParameterName": k, "ParameterValue": v} for k, v in given.items()],
            }
            for kind, given in processors.items()
        ],
    }


def echo(request: bytes) -> bytes:
    records = json.loads(request)["records"]
    return json.dumps({"records": [{**record, "result": "Ok"} for record in records]}).encode()


def logs(*messages: str) -> bytes:
    events = [{"message": message} for message in messages]
    return gzip.compress(json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}).encode())


ALL = processing(  # listed backwards: the order is AWS's, not the list's
    Lambda={"LambdaArn": "f"},
    RecordDeAggregation={"SubRecordType": "JSON"},
    CloudWatchLogProcessing={"DataMessageExtraction": "true"},
    Decompression={"CompressionFormat": "GZIP"},
)


def test_without_processing_records_go_through_as_they_are():
    records = put(b"a", b"", b"\xff")
    for document in (None, {}, {"Enabled": False, "Processors": ALL["Processors"]}):
        result = transform(records, document, STREAM, None)
        assert result.records.data.equals(records.data)
        assert result.origin.tolist() == [0, 1, 2]
        assert (result.partition_keys, result.failed, result.dropped) == (None, [], 0)


def test_all_stages_run_in_order_and_sub_records_know_their_record():
    records = put(logs('{"a": 1}{"a": 2}'), b"not gzip", logs('{"b": 1}', '{"b": 2}'), first=10)
    result = transform(records, ALL, STREAM, echo, now=lambda: START + 5)
    assert result.records.data.to_pylist() == [b'{"a": 1}', b'{"a": 2}', b'{"b": 1}', b'{"b": 2}']
    assert result.origin.tolist() == [0, 0, 2, 2]
    assert result.records.sequence.tolist() == [10, 10, 12, 12]
    assert result.records.arrived.tolist() == [START, START, START + 2, START + 2]
    (failed,) = result.failed
    assert (failed.kind, failed.raw, failed.code) == (
        "decompression-failed",
        b"not gzip",
        "Decompression failed.",
    )
    assert (failed.attempts, failed.arrived, failed.ended, failed.more) == (1, START + 1, START + 5, {})


def test_each_sub_record_has_an_id_of_its_own_and_fails_with_the_whole_record():
    events = []

    def fail_all(request: bytes) -> bytes:
        events.append(json.loads(request)["records"])
        return b'{"records": []}'

    raw = logs('{"a": 1}{"a": 2}')
    result = transform(put(raw), ALL, STREAM, fail_all)
    assert len({item["recordId"] for item in events[0]}) == 2
    assert [base64.b64decode(item["data"]) for item in events[0]] == [b'{"a": 1}', b'{"a": 2}']
    assert [failed.raw for failed in result.failed] == [raw, raw]


def test_decompression_alone_leaves_envelopes():
    document = processing(Decompression={"CompressionFormat": "GZIP"})
    envelope = gzip.decompress(logs("x"))
    assert transform(put(logs("x")), document, STREAM, None).records.data.to_pylist() == [envelope]


def test_a_record_with_nothing_to_take_apart_is_counted():
    document = processing(RecordDeAggregation={"SubRecordType": "DELIMITED", "Delimiter": "fA=="})
    result = transform(put(b"|", b"a|b", b""), document, STREAM, None)
    assert (result.records.data.to_pylist(), result.dropped) == ([b"a", b"b"], 2)


def test_when_every_record_fails_or_there_is_none_the_result_is_empty():
    for records in (put(b"x", b"y"), put()):
        result = transform(records, ALL, STREAM, echo)
        assert len(result.records) == len(result.origin) == 0
        assert result.records.sequence.dtype == np.int64
        assert len(result.failed) == len(records)
