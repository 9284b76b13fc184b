"""What a stream must be beyond its shape, and that each mistake of shape is told."""

import pytest
from botocore.exceptions import ClientError

from doors import BUCKET, ROLE, S3
from stream.ingest.defaults import filled
from stream.ingest.faults import Fault
from stream.ingest.model import input_of, operations
from stream.ingest.patterns import matches
from stream.ingest.rules import check
from stream.ingest.validate import _value, validate
from test_ingest_puts import MSK
from test_ingest_streams import HTTP, SEARCH

SCHEMA = {"RoleARN": ROLE, "DatabaseName": "d", "TableName": "t"}
CONVERSION = {
    "SchemaConfiguration": SCHEMA,
    "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
    "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
}
QUERY = {"MetadataExtractionQuery": "{k: .k}", "JsonParsingEngine": "JQ-1.6"}
PARTITIONED = {
    "Prefix": "k=!{partitionKeyFromQuery:k}/",
    "ErrorOutputPrefix": "e/!{firehose:error-output-type}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
}


def step(kind: str, **parameters: str) -> dict:
    listed = [{"ParameterName": n, "ParameterValue": v} for n, v in parameters.items()]
    return {"Type": kind, "Parameters": listed}


def processing(*steps: dict, enabled: bool = True) -> dict:
    return {"ProcessingConfiguration": {"Enabled": enabled, "Processors": list(steps)}}


def converted(**changes) -> dict:
    kept = {name: value for name, value in {**CONVERSION, **changes}.items() if value is not None}
    return {"DataFormatConversionConfiguration": kept}


EXTRACT = processing(step("MetadataExtraction", **QUERY))
LAMBDA = "arn:aws:lambda:us-east-1:0:function:f"


def hints(size: int | None = None, interval: int | None = None) -> dict:
    given = {"SizeInMBs": size, "IntervalInSeconds": interval}
    return {"BufferingHints": {name: value for name, value in given.items() if value is not None}}


FINE = [
    converted(),
    converted() | hints(64),
    converted(Enabled=False) | {"CompressionFormat": "GZIP"} | hints(1),
    PARTITIONED | EXTRACT,
    PARTITIONED | EXTRACT | hints(64, 1),
    PARTITIONED | {"Prefix": "!{partitionKeyFromLambda:k}/"} | processing(step("Lambda", LambdaArn=LAMBDA)),
    hints(1, 0),
    hints(128, 900),
    processing(*[step("AppendDelimiterToRecord")] * 5),
    processing(step("Lambda", LambdaArn=LAMBDA, NumberOfRetries="300")),
    processing(
        step("Decompression", CompressionFormat="GZIP"),
        step("CloudWatchLogProcessing", DataMessageExtraction="true"),
    ),
    {"S3BackupMode": "Enabled", "S3BackupConfiguration": S3 | hints(1, 60)},
    {"CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"}},
    {"CustomTimeZone": "Europe/Vienna"},
]
WRONG = [
    (converted() | {"CompressionFormat": "GZIP"} | hints(63), "UNCOMPRESSED"),
    (converted(InputFormatConfiguration=None) | hints(63), "at least 64"),
    (converted(InputFormatConfiguration=None, OutputFormatConfiguration=None), "one Deserializer"),
    (converted(OutputFormatConfiguration=None, SchemaConfiguration=None), "one Serializer"),
    (converted(SchemaConfiguration=None), "SchemaConfiguration is needed"),
    (converted(SchemaConfiguration={"RoleARN": ROLE}), "no DatabaseName, TableName"),
    (converted(InputFormatConfiguration={"Deserializer": {}}), "one Deserializer"),
    (
        converted(OutputFormatConfiguration={"Serializer": {"ParquetSerDe": {}, "OrcSerDe": {}}}),
        "one Serializer",
    ),
    (PARTITIONED | EXTRACT | {"Prefix": "plain/"}, "partition key"),
    ({k: v for k, v in PARTITIONED.items() if k != "ErrorOutputPrefix"} | EXTRACT, "ErrorOutputPrefix"),
    (PARTITIONED | EXTRACT | hints(63), "at least 64"),
    (PARTITIONED | EXTRACT | hints(64, 0), "must not be 0"),
    (PARTITIONED, "no MetadataExtraction"),
    (PARTITIONED | {"Prefix": "!{partitionKeyFromLambda:k}/"} | EXTRACT, "no Lambda processor"),
    (EXTRACT, "needs dynamic partitioning"),
    (processing(step("RecordDeAggregation", SubRecordType="JSON")), "needs dynamic partitioning"),
    (PARTITIONED | processing(step("MetadataExtraction", MetadataExtractionQuery="{}")), "JsonParsingEngine"),
    (
        PARTITIONED
        | processing(*EXTRACT["ProcessingConfiguration"]["Processors"], step("RecordDeAggregation")),
        "has no SubRecordType",
    ),
    (
        PARTITIONED
        | processing(
            *EXTRACT["ProcessingConfiguration"]["Processors"],
            step("RecordDeAggregation", SubRecordType="DELIMITED"),
        ),
        "needs a Delimiter",
    ),
    (processing(), "1 to 5 processors, not 0"),
    (processing(*[step("AppendDelimiterToRecord")] * 6), "not 6"),
    (processing(*[step("Lambda", LambdaArn=LAMBDA)] * 2), "only one Lambda"),
    (processing(step("Lambda")), "no LambdaArn"),
    (processing(step("Lambda", LambdaArn=LAMBDA, NumberOfRetries="301")), "from 0 to 300"),
    (processing(step("Lambda", LambdaArn=LAMBDA, NumberOfRetries="nan")), "from 0 to 300"),
    (processing(step("Lambda", LambdaArn=LAMBDA, BufferSizeInMBs="1")), "together"),
    (
        processing(step("Lambda", LambdaArn=LAMBDA, BufferSizeInMBs="0.1", BufferIntervalInSeconds="60")),
        "from 0.2 to 3",
    ),
    (processing(step("Decompression", CompressionFormat="ZIP")), "must be GZIP"),
    (processing(step("CloudWatchLogProcessing", DataMessageExtraction="true")), "needs a Decompression"),
    ({"S3BackupMode": "Enabled"}, "S3BackupConfiguration is needed"),
    ({"S3BackupMode": "Enabled", "S3BackupConfiguration": S3 | hints(1, 59)}, "from 60"),
    ({"EncryptionConfiguration": {}}, "either"),
    (
        {
            "EncryptionConfiguration": {
                "NoEncryptionConfig": "NoEncryption",
                "KMSEncryptionConfig": {"AWSKMSKeyARN": "arn:aws:kms:r:000000000000:key/k"},
            }
        },
        "either",
    ),
    ({"CloudWatchLoggingOptions": {"Enabled": True}}, "LogGroupName"),
    ({"CustomTimeZone": "Nowhere/Land"}, "not known"),
]


@pytest.mark.parametrize("config", FINE)
def test_a_destination_that_is_fine(config):
    check("ExtendedS3", S3 | config, "loopback")


@pytest.mark.parametrize(
    ("config", "reason"), WRONG, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_destination_that_breaks_a_rule(config, reason):
    with pytest.raises(Fault, match=reason) as error:
        check("ExtendedS3", S3 | config, "loopback")
    assert error.value.name == "InvalidArgumentException"


def test_what_is_created_and_read_back_is_still_fine():
    for config in FINE:
        whole = filled("ExtendedS3", S3 | config, "000000000000", "us-east-1")
        check("ExtendedS3", whole, "loopback")
        assert filled("ExtendedS3", whole, "000000000000", "us-east-1") == whole


def test_buffers_that_become_columns_are_large_by_default():
    sizes = [
        filled("ExtendedS3", S3 | config, "0", "r")["BufferingHints"]["SizeInMBs"]
        for config in (converted(), PARTITIONED, PARTITIONED | converted(), converted(Enabled=False))
    ]
    assert sizes == [128, 64, 128, 5]


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.com/x", ("loopback", "always", "never")),
        ("http://127.0.0.1:8080/x", ("loopback", "always")),
        ("http://[::1]:8080/x", ("loopback", "always")),
        ("http://localhost/x", ("loopback", "always")),
        ("http://example.com/x", ("always",)),
        ("http://127.0.0.1@example.com/x", ("always",)),
        ("https:///nowhere", ()),
        ("http://[::1/x", ()),
        ("https://host:port/x", ()),
    ],
)
def test_http_is_allowed_as_the_setting_says(url, allowed):
    http = {**HTTP, "EndpointConfiguration": {"Url": url}}
    search = {**SEARCH, "ClusterEndpoint": url}
    for setting in ("loopback", "always", "never"):
        for kind, config in (("HttpEndpoint", http), ("Amazonopensearchservice", search)):
            if setting in allowed:
                check(kind, config, setting)
            else:
                with pytest.raises(Fault):
                    check(kind, config, setting)


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("Amazonopensearchservice", {"DomainARN": "arn"}, "Exactly one"),
        ("Amazonopensearchservice", {"TypeName": "t"}, "TypeName"),
        ("Amazonopensearchservice", {"S3Configuration": S3 | hints(1, 0)}, "from 60"),
        ("HttpEndpoint", {"SecretsManagerConfiguration": {"Enabled": True}}, "not offered"),
        (
            "HttpEndpoint",
            {
                "RequestConfiguration": {
                    "CommonAttributes": [{"AttributeName": "a", "AttributeValue": ""}] * 2
                }
            },
            "unique",
        ),
    ],
)
def test_rules_of_other_destinations(kind, change, reason):
    config = {"HttpEndpoint": HTTP, "Amazonopensearchservice": SEARCH}[kind]
    with pytest.raises(Fault, match=reason):
        check(kind, {**config, **change}, "loopback")


def test_what_the_evaluator_of_prefixes_refuses_is_an_invalid_argument():
    unknown = {**PARTITIONED, "Prefix": "!{partitionKeyFromQuery:k}/!{nowhere:k}/"}
    with pytest.raises(Fault, match="nowhere") as error:
        check("ExtendedS3", S3 | unknown | EXTRACT, "loopback")
    assert error.value.name == "InvalidArgumentException"
    with pytest.raises(Fault, match="other"):  # a key that the query does not make
        check(
            "ExtendedS3",
            S3 | {**PARTITIONED, "Prefix": "!{partitionKeyFromQuery:other}/"} | EXTRACT,
            "loopback",
        )


CREATE = [
    ({}, "not 0"),
    ({"S3DestinationConfiguration": S3, "ExtendedS3DestinationConfiguration": S3}, "not 2"),
    (
        {"S3DestinationConfiguration": S3, "DeliveryStreamType": "MSKAsSource"},
        "MSKSourceConfiguration is needed",
    ),
    ({"S3DestinationConfiguration": S3, "DeliveryStreamType": "KinesisStreamAsSource"}, "not offered"),
    ({"S3DestinationConfiguration": S3, "DeliveryStreamType": "DatabaseAsSource"}, "not offered"),
    ({"ElasticsearchDestinationConfiguration": SEARCH}, "offered are S3Destination.*Amazonopensearch"),
    (
        {
            "AmazonOpenSearchServerlessDestinationConfiguration": {
                "RoleARN": ROLE,
                "IndexName": "i",
                "S3Configuration": S3,
            }
        },
        "not offered",
    ),
    (
        {
            "SplunkDestinationConfiguration": {
                "HECEndpoint": "https://h",
                "HECEndpointType": "Raw",
                "S3Configuration": S3,
            }
        },
        "not offered",
    ),
    (
        {
            "S3DestinationConfiguration": S3,
            "DeliveryStreamEncryptionConfigurationInput": {"KeyType": "CUSTOMER_MANAGED_CMK"},
        },
        "KeyARN",
    ),
    (
        {
            "S3DestinationConfiguration": S3,
            "DeliveryStreamEncryptionConfigurationInput": {
                "KeyType": "AWS_OWNED_CMK",
                "KeyARN": "arn:aws:kms:us-east-1:000000000000:key/k",
            },
        },
        "KeyARN",
    ),
]


@pytest.mark.parametrize(("request_", "reason"), CREATE)
def test_a_stream_that_is_refused_when_it_is_created(client, request_, reason):
    with pytest.raises(client.exceptions.InvalidArgumentException, match=reason):
        client.create_delivery_stream(DeliveryStreamName="s", **request_)
    assert client.list_delivery_streams()["DeliveryStreamNames"] == []


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"CompressionFormat": "SNAPPY"}, "compressionFormat.*enum value set"),
        ({"BufferingHints": {"IntervalInSeconds": 901}}, "less than or equal to 900"),
        ({"BufferingHints": {"SizeInMBs": 129}}, "less than or equal to 128"),
        ({"Prefix": "x" * 1_025}, "length less than or equal to 1024"),
        ({"BucketARN": "arn:aws:s3:::not/a/bucket"}, "bucketARN.*regular expression"),
        ({"FileExtension": "jsonl"}, "fileExtension"),
        ({"RoleARN": "nobody"}, "roleARN"),
    ],
)
def test_shapes_that_boto3_lets_through_are_refused(client, config, told):
    with pytest.raises(ClientError, match=told) as error:
        client.create_delivery_stream(DeliveryStreamName="s", ExtendedS3DestinationConfiguration=S3 | config)
    assert error.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("kind", "size"), [("HttpEndpoint", 64), ("Amazonopensearchservice", 100), ("ExtendedS3", 128)]
)
def test_buffers_have_a_largest_size_of_each_destination(client, kind, size):
    config = {"HttpEndpoint": HTTP, "Amazonopensearchservice": SEARCH, "ExtendedS3": S3}[kind]
    for given, fits in ((size, True), (size + 1, False)):
        request = {f"{kind}DestinationConfiguration": config | hints(given)}
        if fits:
            client.create_delivery_stream(DeliveryStreamName="s", **request)
        else:
            with pytest.raises(ClientError, match="ValidationException"):
                client.create_delivery_stream(DeliveryStreamName="t", **request)


def test_every_mistake_of_shape_is_counted_and_data_is_never_told():
    request = {"DeliveryStreamName": "a b", "Records": [{"Data": "c2VjcmV0" * 200_000}, {}, None]}
    with pytest.raises(Fault) as error:
        validate(input_of("PutRecordBatch"), request)
    message = str(error.value)
    assert message.startswith(
        "4 validation errors detected: Value 'a b' at 'deliveryStreamName' failed to satisfy"
    )
    assert "'records.1.member.data'" in message and "'records.3.member'" in message
    assert "Value at 'records.2.member.data' failed to satisfy constraint: Member must not be null" in message
    assert "secret" not in message and "c2Vj" not in message


NO_BASE64 = ("a", "YQ", "Y Q==", "_-==", "YQ==YQ==", "ö")


@pytest.mark.parametrize(
    "request_",
    [
        {"DeliveryStreamName": 5},
        {"DeliveryStreamName": ["a"]},
        {"DeliveryStreamName": "a", "Records": {}},
        {"DeliveryStreamName": "a", "Records": [5]},
        {"DeliveryStreamName": "a", "Records": [{"Data": 5}]},
        *({"DeliveryStreamName": "a", "Records": [{"Data": data}]} for data in NO_BASE64),
        [],
        "text",
        None,
    ],
)
def test_wrong_types_and_what_is_no_base64_cannot_be_read(request_):
    with pytest.raises(Fault) as error:
        validate(input_of("PutRecordBatch"), request_)
    assert error.value.name == "SerializationException"


@pytest.mark.parametrize(
    ("limit", "name"),
    [(v, "Serialization") for v in (True, "1", 1.5)] + [(v, "Validation") for v in (0, 10_001)],
)
def test_numbers(limit, name):
    with pytest.raises(Fault) as error:
        validate(input_of("ListDeliveryStreams"), {"Limit": limit})
    assert error.value.name == f"{name}Exception"
    assert validate(input_of("ListDeliveryStreams"), {"Limit": 10.0, "Other": 1}) == {"Limit": 10}


def test_times_are_numbers_or_text():
    shape = input_of("CreateDeliveryStream").members["MSKSourceConfiguration"].members["ReadFromTimestamp"]
    assert [
        _value(shape, text, "", []) for text in (5, 5.5, "1970-01-01T00:00:05Z", "1970-01-01T00:00:05")
    ] == [
        5,
        5.5,
        5,
        5,
    ]
    with pytest.raises(Fault, match="must be a time"):
        _value(shape, "yesterday", "at", [])


def test_patterns_hold_for_the_whole_value_and_know_more_than_ascii():
    tag = r"^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$"
    assert all(matches(tag, text) for text in ("", "größe 1", "ключ", "鍵", "٣", "a@b%"))
    assert not any(matches(tag, text) for text in ("aws:x", "a!", "a\n", "☃"))
    assert not matches(r"\d+", "٣")
    topic = r"[a-zA-Z0-9\\._\\-]+"
    assert matches(topic, "a.b_c-d") and not matches(topic, "a b")


def test_all_patterns_of_the_model_can_be_read():
    seen = set()

    def walk(shape, above=()):
        if shape.name in above:
            return
        if "pattern" in shape.metadata:
            matches(shape.metadata["pattern"], "x")
            seen.add(shape.metadata["pattern"])
        if shape.type_name == "structure":
            for member in shape.members.values():
                walk(member, (*above, shape.name))
        elif shape.type_name == "list":
            walk(shape.member, (*above, shape.name))

    for operation in operations():
        walk(input_of(operation))
    assert len(seen) > 20
    assert len(operations()) == 12


def test_a_kafka_stream_with_its_source_is_taken(client):
    client.create_delivery_stream(
        DeliveryStreamName="k",
        DeliveryStreamType="MSKAsSource",
        MSKSourceConfiguration=MSK,
        S3DestinationConfiguration={**S3, "BucketARN": BUCKET},
    )
