"""Which processors a stream can be created with, and how they are shown."""

import json

import pytest

from stream.transforms.processors import canonical, check

LAMBDA = {"LambdaArn": "arn:aws:lambda:us-east-1:000000000000:function:enrich"}
JQ = {"MetadataExtractionQuery": "{a:.a}", "JsonParsingEngine": "JQ-1.6"}


def processor(kind: str, **parameters: str) -> dict:
    items = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Type": kind, "Parameters": items}


def processing(*processors: dict, enabled: bool = True) -> dict:
    return {"Enabled": enabled, "Processors": list(processors)}


@pytest.mark.parametrize(
    "document, partitioning",
    [
        (None, False),
        ({"Enabled": False}, False),
        ({"Enabled": False, "Processors": []}, False),
        (processing(processor("Lambda", **LAMBDA)), False),
        (processing(processor("Lambda", **LAMBDA, NumberOfRetries="300")), False),
        (
            processing(processor("Lambda", **LAMBDA, BufferSizeInMBs="0.2", BufferIntervalInSeconds="0")),
            False,
        ),
        (processing({"Type": "AppendDelimiterToRecord"}), False),
        (processing(processor("Decompression", CompressionFormat="GZIP")), False),
        (
            processing(
                processor("CloudWatchLogProcessing", DataMessageExtraction="True"),
                processor("Decompression", CompressionFormat="GZIP"),
            ),
            False,
        ),
        (processing(processor("MetadataExtraction", **JQ)), True),
        (processing(processor("RecordDeAggregation", SubRecordType="JSON")), True),
        (processing(processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter="fA==")), True),
    ],
)
def test_these_are_taken(document, partitioning):
    check(document, partitioning=partitioning)


@pytest.mark.parametrize(
    "document, reason",
    [
        (processing(), "1 to 5 processors, 0"),
        ({"Enabled": True}, "1 to 5 processors, 0"),
        (processing(*[{"Type": "AppendDelimiterToRecord"}] * 6), "1 to 5 processors, 6"),
        (processing(*[processor("Lambda", **LAMBDA)] * 2), "only one Lambda"),
        (processing(*[processor("Lambda", **LAMBDA)] * 2, enabled=False), "only one Lambda"),
        (processing({"Type": "Uppercase"}), "no processor type 'Uppercase'"),
        (processing(processor("Lambda")), "needs the parameter LambdaArn"),
        (processing(processor("Lambda", **LAMBDA, Speed="9")), "no parameter 'Speed'"),
        (processing(processor("Lambda", **LAMBDA, NumberOfRetries="301")), "from 0 to 300, not '301'"),
        (processing(processor("Lambda", **LAMBDA, NumberOfRetries="-1")), "from 0 to 300"),
        (processing(processor("Lambda", **LAMBDA, NumberOfRetries="1.5")), "whole number"),
        (processing(processor("Lambda", **LAMBDA, BufferSizeInMBs="1")), "go together"),
        (
            processing(processor("Lambda", **LAMBDA, BufferSizeInMBs="3.1", BufferIntervalInSeconds="60")),
            "from 0.2 to 3",
        ),
        (
            processing(processor("Lambda", **LAMBDA, BufferSizeInMBs="1", BufferIntervalInSeconds="901")),
            "from 0 to 900",
        ),
        (processing(processor("Lambda", LambdaArn=" ")), "text of 1 to 5120"),
        (processing(processor("Decompression", CompressionFormat="ZIP")), "must be GZIP"),
        (
            processing(processor("CloudWatchLogProcessing", DataMessageExtraction="true")),
            "needs a Decompression",
        ),
        (
            processing(processor("RecordDeAggregation", SubRecordType="JSON", Delimiter="fA==")),
            "only with it",
        ),
        (processing(processor("RecordDeAggregation", SubRecordType="DELIMITED")), "Delimiter goes with"),
        (
            processing(processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter="|")),
            "base64 of at least one byte",
        ),
        (processing(processor("MetadataExtraction", **(JQ | {"JsonParsingEngine": "JQ-2"}))), "JQ-1.6"),
    ],
)
def test_these_are_refused_with_the_reason(document, reason):
    with pytest.raises(ValueError, match=reason):
        check(document, partitioning=True)


@pytest.mark.parametrize("kind, parameters", [("RecordDeAggregation", {}), ("MetadataExtraction", JQ)])
def test_some_need_dynamic_partitioning(kind, parameters):
    with pytest.raises(ValueError, match=f"{kind} needs dynamic partitioning"):
        check(processing(processor(kind, **parameters)), partitioning=False)


def test_a_lambda_is_shown_with_its_defaults_in_aws_order():
    shown = canonical(processing(processor("Lambda", NumberOfRetries="5", **LAMBDA)), "role")
    assert [tuple(item.values()) for item in shown["Processors"][0]["Parameters"]] == [
        ("LambdaArn", LAMBDA["LambdaArn"]),
        ("NumberOfRetries", "5"),
        ("RoleArn", "role"),
        ("BufferSizeInMBs", "1"),
        ("BufferIntervalInSeconds", "60"),
    ]


def test_message_extraction_is_shown_in_lower_case_and_processing_off_by_default():
    given = {"Processors": [processor("CloudWatchLogProcessing", DataMessageExtraction="TRUE")]}
    assert canonical(given) == {
        "Enabled": False,
        "Processors": [processor("CloudWatchLogProcessing", DataMessageExtraction="true")],
    }
    assert canonical(processing({"Type": "AppendDelimiterToRecord"}))["Processors"] == [
        {"Type": "AppendDelimiterToRecord"}
    ]


def test_the_documented_configuration_is_taken_and_shown_as_it_is(shared):
    path = shared / "spec/examples/create.lambda-and-backup.json"
    given = json.loads(path.read_text())["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"]
    check(given, partitioning=False)
    assert canonical(given, "another role") == given
