"""Objects of a range: what is in them, where they lie, and that the same range gives the same objects."""

import base64
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.failed import Failed
from schemas.records import Records
from sinks.local_bucket import LocalBuckets
from stream.firehose import plan
from stream.firehose.naming import Stream
from stream.firehose.objects import Source, objects

ARRIVED = 1_767_323_045_000  # 2026-01-02T03:04:05Z
STREAM = Stream("cap", "arn:aws:firehose:us-east-1:000000000000:deliverystream/cap", "1", "2026-01-01")
SOURCE = Source(first=100, sealed=ARRIVED + 60_000)
BUCKET = {"RoleARN": "arn:aws:iam::000000000000:role/r", "BucketARN": "arn:aws:s3:::lake"}
DELIMITED = {"Type": "AppendDelimiterToRecord", "Parameters": []}
PARTITIONED = BUCKET | {
    "Prefix": "m=!{partitionKeyFromQuery:model}/dt=!{timestamp:yyyy-MM-dd}/",
    "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "ProcessingConfiguration": {
        "Enabled": True,
        "Processors": [
            {
                "Type": "MetadataExtraction",
                "Parameters": [
                    {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{model: .model}"},
                    {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
                ],
            },
            DELIMITED,
        ],
    },
}
CONVERTED = {
    "DataFormatConversionConfiguration": {
        "SchemaConfiguration": {"RoleARN": BUCKET["RoleARN"], "DatabaseName": "d", "TableName": "t"},
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
    }
}
TABLES = {"d": {"t": [{"Name": "model", "Type": "string"}, {"Name": "n", "Type": "int"}]}}


def records(*data, seconds=None):
    arrived = np.array(seconds or range(len(data)), np.int64) * 1_000 + ARRIVED
    return Records(pa.array(data, pa.binary()), arrived, np.arange(len(data)) + 100)


def made(found, document, failed=(), source=SOURCE, kind="data", **options):
    return objects(found, failed, STREAM, plan.of(document, STREAM, tables=TABLES, **options), source, kind)


def body(found):
    return bytes(found.body)


def key(found):
    """The key without its UUID."""
    prefix, name = found.key.rsplit("/", 1) if "/" in found.key else ("", found.key)
    return f"{prefix}/{name[:25]}{Path(name).suffix}".lstrip("/")


def test_records_are_one_object_with_nothing_between_them():
    (one,) = made(records(b"a", b"", b"b\n", seconds=[3, 1, 2]), BUCKET)
    assert (key(one), body(one)) == ("2026/01/02/03/cap-1-2026-01-02-03-04-06", b"ab\n")
    assert (one.content_type, one.content_encoding) == ("application/octet-stream", None)
    assert (one.kind, one.records) == ("data", 3)


def test_a_delimiter_stands_between_records_and_the_extension_may_be_given():
    processing = {"ProcessingConfiguration": {"Enabled": True, "Processors": [DELIMITED]}}
    more = {"CompressionFormat": "GZIP", "FileExtension": ".jsonl.gz", "CustomTimeZone": "Asia/Tokyo"}
    (one,) = made(records(b"a", b"b"), BUCKET | processing | more)
    assert gzip.decompress(body(one)) == b"a\nb"
    assert one.key.startswith("2026/01/02/12/cap-1-2026-01-02-12-04-05-") and one.key.endswith(".jsonl.gz")
    assert one.content_encoding == "gzip"
    off = {"ProcessingConfiguration": {"Processors": [DELIMITED]}}
    assert body(made(records(b"a", b"b"), BUCKET | off)[0]) == b"ab"


def test_nothing_makes_no_object():
    assert (
        made(records(), BUCKET) == made(records(), PARTITIONED) == made(records(), BUCKET | CONVERTED) == []
    )


def test_each_partition_is_an_object_and_what_has_no_key_is_an_error_record():
    found = made(
        records(b'{"model":"a"}', b'{"model":""}', b'{"model":"b/c"}', b'{"model":"a"}'), PARTITIONED
    )
    assert [(key(one), body(one)) for one in found[:2]] == [
        ("m=a/dt=2026-01-02/cap-1-2026-01-02-03-04-05", b'{"model":"a"}\n{"model":"a"}'),
        ("m=b/c/dt=2026-01-02/cap-1-2026-01-02-03-04-07", b'{"model":"b/c"}'),
    ]
    (bad,) = found[2:]
    assert key(bad) == "bad/processing-failed/cap-1-2026-01-02-03-04-06"
    assert (bad.kind, bad.records) == ("processing-failed", 1)
    line = json.loads(body(bad))
    assert line["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"
    assert base64.b64decode(line["rawData"]) == b'{"model":""}'
    assert (line["arrivalTimestamp"], line["attemptEndingTimestamp"]) == (ARRIVED + 1_000, SOURCE.sealed)


def test_converted_records_are_rows_and_a_bad_one_is_one_error_line():
    data = records(b'{"model":"a","n":1}', b'{"n":"x"}', b'{"n":3}\n{"n":4}', seconds=[9, 0, 5])
    good, bad = made(data, BUCKET | CONVERTED)
    assert key(good) == "2026/01/02/03/cap-1-2026-01-02-03-04-10.parquet"
    assert (good.records, good.content_encoding) == (2, None)
    rows = pyarrow.parquet.read_table(io.BytesIO(body(good))).to_pylist()
    assert [row["n"] for row in rows] == [1, 3, 4]
    line = json.loads(body(bad))
    assert key(bad) == "format-conversion-failed/2026/01/02/03/cap-1-2026-01-02-03-04-05"
    assert line["dataCatalogTable"]["tableName"] == "t" and line["sequenceNumber"].endswith("101")
    assert line["lastErrorCode"] == "DataFormatConversion.MalformedData"


def test_partitions_may_be_converted_and_one_of_bad_records_only_has_no_object():
    data = records(b'{"model":"a","n":1}', b'{"model":"b","n":[]}', b'{"model":"a","n":2}')
    good, bad = made(data, PARTITIONED | CONVERTED)
    assert good.key.startswith("m=a/") and good.key.endswith(".parquet") and good.records == 2
    assert (bad.kind, bad.records) == ("format-conversion-failed", 1)


def test_what_failed_before_is_in_the_error_objects_with_the_bytes_as_they_were_put():
    put = records(b"first", b"second", b"third")
    changed = put.take(np.array([0, 2]))
    changed = Records(
        pa.array([b'{"model":"a"}', b'{"model":null}'], pa.binary()), changed.arrived, changed.sequence
    )
    before = Failed(
        "processing-failed", b"second", ARRIVED + 1_000, 101, "Lambda.X", "no", 4, 1, {"lambdaARN": "l"}
    )
    source = Source(100, SOURCE.sealed, put, np.array([0, 2]))
    _, bad = made(changed, PARTITIONED, [before], source)
    lines = [json.loads(line) for line in body(bad).splitlines()]
    assert [base64.b64decode(line["rawData"]) for line in lines] == [b"second", b"third"]
    assert [line["errorCode"] for line in lines] == [
        "Lambda.X",
        "DynamicPartitioning.MetadataExtractionFailed",
    ]


def test_keys_that_lambda_gave_partition_too():
    document = PARTITIONED | {
        "Prefix": "z=!{partitionKeyFromLambda:zone}/",
        "ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "Lambda"}]},
    }
    source = Source(100, SOURCE.sealed, lambda_keys=[{"zone": "eu"}, None, {"zone": "us"}])
    found = made(records(b"1", b"2", b"3"), document, source=source)
    assert [(one.key.split("/")[0], body(one)) for one in found[:2]] == [("z=eu", b"1"), ("z=us", b"3")]
    assert found[2].records == 1


def test_a_backup_is_the_records_as_they_came_under_keys_of_its_own():
    backup = BUCKET | {"Prefix": "raw/", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}}
    (one,) = made(records(b"a", b"b"), backup, backup=True, kind="backup")
    (other,) = made(records(b"a", b"b"), backup | {"BufferingHints": None})
    assert body(one) == body(other) == b"ab" and one.kind == "backup" and one.key != other.key


DOCUMENTS = {
    "plain": BUCKET,
    "gzip": BUCKET | {"CompressionFormat": "GZIP"},
    "zip": BUCKET | {"CompressionFormat": "ZIP"},
    "snappy": BUCKET | {"CompressionFormat": "Snappy"},
    "random": PARTITIONED | {"Prefix": "!{firehose:random-string}/m=!{partitionKeyFromQuery:model}/"},
    "partitioned": PARTITIONED,
    "parquet": BUCKET | CONVERTED,
}
lines = st.lists(
    st.sampled_from([b'{"model":"a","n":1}', b'{"model":"b","n":"x"}', b"bad", b"{}", b'{"model":7}'])
)


@settings(max_examples=30)
@given(lines, st.sampled_from(list(DOCUMENTS)))
def test_the_same_range_gives_the_same_objects_and_no_record_is_lost(data, name):
    once = made(records(*data), DOCUMENTS[name])
    assert once == made(records(*data), DOCUMENTS[name])
    assert len({one.key for one in once}) == len(once)
    assert sum(one.records for one in once) == len(data)
    later = made(records(*data), DOCUMENTS[name], source=Source(101, SOURCE.sealed))
    assert not {one.key for one in once} & {one.key for one in later}


@given(st.lists(st.binary(max_size=8), min_size=1), st.booleans())
def test_a_body_is_its_records_one_after_the_other(data, delimited):
    processing = {"Enabled": delimited, "Processors": [DELIMITED]}
    (one,) = made(records(*data), BUCKET | {"ProcessingConfiguration": processing})
    assert body(one) == (b"\n" if delimited else b"").join(data)


@pytest.mark.parametrize(
    "trick", ["../../../out", "/etc", "..", "~", "x" * 400, "!{timestamp:yyyy}", "%2E%2E", "."]
)
def test_no_partition_key_leaves_the_bucket_on_a_disk(tmp_path, trick):
    found = made(records(json.dumps({"model": trick}).encode()), PARTITIONED)
    assert found[0].key.startswith(f"m={trick}/dt=2026-01-02/")
    LocalBuckets(tmp_path / "root").put("lake", found[0].key, found[0].body)
    (written,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert written.resolve().is_relative_to(tmp_path / "root" / "lake")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (BUCKET | {"CompressionFormat": "SNAPPY"}, "CompressionFormat"),
        (BUCKET | CONVERTED | {"CompressionFormat": "GZIP"}, "UNCOMPRESSED"),
        (BUCKET | CONVERTED | {"BufferingHints": {"SizeInMBs": 5}}, "SizeInMBs"),
        (BUCKET | {"DataFormatConversionConfiguration": {}}, "InputFormatConfiguration"),
        (PARTITIONED | {"BufferingHints": {"IntervalInSeconds": 0}}, "IntervalInSeconds"),
        (PARTITIONED | {"Prefix": "!{partitionKeyFromQuery:other}/"}, "does not make: other"),
        (PARTITIONED | {"ProcessingConfiguration": None}, "MetadataExtraction"),
        (BUCKET | {"Prefix": "!{timestamp:yyyy}"}, "ErrorOutputPrefix"),
        (BUCKET | {"FileExtension": "gz"}, "FileExtension"),
        (BUCKET | {"FileExtension": ".GZ"}, "FileExtension"),
        (BUCKET | {"CustomTimeZone": "Nowhere"}, "CustomTimeZone"),
        (BUCKET | {"BucketARN": "lake"}, "BucketARN"),
    ],
)
def test_what_the_service_refuses_at_create_is_refused(document, why):
    with pytest.raises(ValueError, match=why):
        plan.of(document, STREAM, tables=TABLES)


def test_a_configuration_that_is_not_enabled_asks_for_nothing():
    off = {"DataFormatConversionConfiguration": {"Enabled": False}, "CompressionFormat": "GZIP"}
    found = plan.of(BUCKET | off | {"DynamicPartitioningConfiguration": {"Enabled": False}}, STREAM)
    assert (found.conversion, found.partitions, found.extension, found.sse) == (None, None, ".gz", None)
    kms = {"EncryptionConfiguration": {"KMSEncryptionConfig": {"AWSKMSKeyARN": "arn:aws:kms:::key/k"}}}
    assert plan.of(BUCKET | kms, STREAM).sse == "arn:aws:kms:::key/k"
