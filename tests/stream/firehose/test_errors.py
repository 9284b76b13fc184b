"""Error records: the fields of each kind, in the order of captured and documented ones."""

import base64
import json

import pytest

from schemas.failed import Failed
from schemas.record_ids import sequence_texts
from stream.firehose.errors import by_kind, lines

RAW = b'{"id":"oops"}'
TIMES = {
    "attemptsMade": 1,
    "arrivalTimestamp": 1_767_323_045_123,
    "attemptEndingTimestamp": 1_767_323_046_000,
}
(NUMBER,) = sequence_texts("", [3])
TABLE = {"catalogId": "000000000000", "databaseName": "capture", "tableName": "inference"}
CASES = [
    (
        "processing-failed",
        {"lambdaARN": "arn:aws:lambda:us-east-1:000000000000:function:enrich"},
        "rawData errorCode errorMessage attemptsMade arrivalTimestamp attemptEndingTimestamp lambdaARN",
    ),
    (
        "processing-failed",
        {},
        "rawData errorCode errorMessage attemptsMade arrivalTimestamp attemptEndingTimestamp",
    ),
    (
        "decompression-failed",
        {},
        "rawData errorCode errorMessage attemptsMade arrivalTimestamp attemptEndingTimestamp",
    ),
    (
        "format-conversion-failed",
        {"dataCatalogTable": TABLE},
        "attemptsMade arrivalTimestamp lastErrorCode lastErrorMessage attemptEndingTimestamp rawData "
        "sequenceNumber subSequenceNumber dataCatalogTable",
    ),
    (
        "AmazonOpenSearchService-failed",
        {"esTypeName": "", "esIndexName": "alerts", "esDocumentId": f"{NUMBER}.0"},
        "attemptsMade arrivalTimestamp errorCode errorMessage attemptEndingTimestamp esDocumentId "
        "esIndexName esTypeName rawData",
    ),
    (
        "http-endpoint-failed",
        {},
        "attemptsMade arrivalTimestamp errorCode errorMessage attemptEndingTimestamp rawData "
        "subsequenceNumber dataId",
    ),
    (
        "http-endpoint-failed",
        {"dataId": "given"},
        "attemptsMade arrivalTimestamp errorCode errorMessage attemptEndingTimestamp rawData "
        "subsequenceNumber dataId",
    ),
]


def failed(kind="processing-failed", sequence=3, **more):
    arrived, ended = TIMES["arrivalTimestamp"], TIMES["attemptEndingTimestamp"]
    return Failed(kind, RAW, arrived, sequence, "Some.Code", 'said "why"', 1, ended, more)


@pytest.mark.parametrize(("kind", "more", "fields"), CASES)
def test_each_kind_has_its_fields_in_their_order(kind, more, fields):
    (line,) = lines([failed(kind, **more)]).decode().splitlines()
    document = json.loads(line)
    assert list(document) == fields.split()
    assert document.items() >= (TIMES | more).items()
    assert base64.b64decode(document["rawData"]) == RAW
    code, message = [name for name in document if name.lower().endswith(("errorcode", "errormessage"))]
    assert (document[code], document[message]) == ("Some.Code", 'said "why"')
    if kind == "format-conversion-failed":
        assert (document["sequenceNumber"], document["subSequenceNumber"]) == (NUMBER, 0)
    if kind == "http-endpoint-failed":
        assert document["dataId"] == more.get("dataId", f"{NUMBER}.0")


def test_a_field_that_no_kind_knows_stands_at_the_end():
    assert list(json.loads(lines([failed(note="seen")])))[-1] == "note"


def test_kinds_are_apart_and_each_is_in_the_order_of_the_stream():
    mixed = [failed(sequence=9), failed("http-endpoint-failed", 4), failed(sequence=2)]
    expected = [("processing-failed", [2, 9]), ("http-endpoint-failed", [4])]
    for given in (mixed, mixed[::-1]):
        assert [(kind, [one.sequence for one in group]) for kind, group in by_kind(given).items()] == expected


def test_every_line_is_one_record_and_ends():
    text = lines([failed(sequence=n) for n in range(3)])
    assert text.endswith(b"}\n") and len(text.splitlines()) == 3
