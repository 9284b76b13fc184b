"""Making, describing, changing and deleting streams with unmodified boto3."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from doors import BUCKET, NOW, ROLE, S3, a_stream
from schemas.errors import ConfigError
from stream.ingest.describe import describe
from test_ingest_puts import MSK, failure

DESTINATION = "destinationId-000000000001"
HTTP = {
    "EndpointConfiguration": {"Url": "https://collector.local/in", "Name": "c", "AccessKey": "secret-key"},
    "S3Configuration": S3,
}
SEARCH = {
    "RoleARN": ROLE,
    "ClusterEndpoint": "https://search.local:9200",
    "IndexName": "alerts",
    "S3Configuration": S3,
}


def make(client, name="plain", **members) -> str:
    members = members or {"ExtendedS3DestinationConfiguration": S3}
    return client.create_delivery_stream(DeliveryStreamName=name, **members)["DeliveryStreamARN"]


def told(client, name="plain") -> dict:
    return client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]


def destination(client, kind="ExtendedS3", name="plain") -> dict:
    return told(client, name)["Destinations"][0][f"{kind}DestinationDescription"]


def change(client, version="1", name="plain", at=DESTINATION, kind="ExtendedS3", **members):
    update = {f"{kind}DestinationUpdate": members}
    return client.update_destination(
        DeliveryStreamName=name, CurrentDeliveryStreamVersionId=version, DestinationId=at, **update
    )


@pytest.mark.parametrize("form", ["S3", "ExtendedS3"])
def test_a_minimal_stream_is_described_as_the_specification_has_it(client, shared, form):
    example = json.loads((shared / "spec" / "examples" / "describe.minimal-s3.json").read_text())
    arn = make(client, **{f"{form}DestinationConfiguration": S3})
    expected = example["DeliveryStreamDescription"]
    assert arn == expected["DeliveryStreamARN"]
    assert expected.pop("CreateTimestamp") * 1_000 == NOW
    found = told(client)
    assert found.pop("CreateTimestamp") == datetime.fromtimestamp(NOW / 1_000, UTC)
    assert found == expected


def test_every_example_of_the_specification_can_be_created(client, shared):
    examples = sorted((shared / "spec" / "examples").glob("create.*.json"))
    assert len(examples) == 7
    for path in examples:
        request = json.loads(path.read_text())
        client.create_delivery_stream(**request)
        described = told(client, request["DeliveryStreamName"])
        assert described["DeliveryStreamStatus"] == "ACTIVE"
        assert "example-access-key" not in str(described)


def test_a_destination_http_has_its_defaults_and_never_tells_its_key(client):
    make(client, HttpEndpointDestinationConfiguration=HTTP)
    found = destination(client, "HttpEndpoint")
    assert found["EndpointConfiguration"] == {"Url": "https://collector.local/in", "Name": "c"}
    assert found["BufferingHints"] == {"SizeInMBs": 5, "IntervalInSeconds": 60}
    assert found["RetryOptions"] == {"DurationInSeconds": 300}
    assert found["RequestConfiguration"] == {"ContentEncoding": "NONE"}
    assert found["S3BackupMode"] == "FailedDataOnly"
    assert found["S3DestinationDescription"]["BufferingHints"] == {"SizeInMBs": 5, "IntervalInSeconds": 300}
    assert "S3Configuration" not in found


def test_a_destination_opensearch_has_its_defaults(client):
    make(client, AmazonopensearchserviceDestinationConfiguration=SEARCH)
    found = destination(client, "Amazonopensearchservice")
    assert found["IndexRotationPeriod"] == "OneDay"
    assert found["BufferingHints"] == {"SizeInMBs": 5, "IntervalInSeconds": 300}
    assert (found["RetryOptions"], found["S3BackupMode"]) == (
        {"DurationInSeconds": 300},
        "FailedDocumentsOnly",
    )
    assert found["DocumentIdOptions"] == {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"}


def test_an_empty_prefix_is_told_and_an_omitted_one_is_not(client):
    make(client, "empty", ExtendedS3DestinationConfiguration={**S3, "Prefix": ""})
    make(client, "omitted")
    assert destination(client, name="empty")["Prefix"] == ""
    assert "Prefix" not in destination(client, name="omitted")


@pytest.mark.parametrize(
    ("given", "other"), [("SizeInMBs", "IntervalInSeconds"), ("IntervalInSeconds", "SizeInMBs")]
)
def test_one_buffering_hint_alone_is_completed(client, given, other):
    make(client, ExtendedS3DestinationConfiguration={**S3, "BufferingHints": {given: 100}})
    default = {"SizeInMBs": 5, "IntervalInSeconds": 300}[other]
    assert destination(client)["BufferingHints"] == {given: 100, other: default}


def test_parameters_of_a_lambda_come_back_in_their_order_with_defaults(client):
    given = [
        {"ParameterName": "BufferIntervalInSeconds", "ParameterValue": "30"},
        {"ParameterName": "BufferSizeInMBs", "ParameterValue": "2"},
        {"ParameterName": "LambdaArn", "ParameterValue": "arn:aws:lambda:us-east-1:0:function:f"},
    ]
    steps = [
        {"Type": "Lambda", "Parameters": given},
        {"Type": "AppendDelimiterToRecord", "Parameters": given[:1]},
    ]
    config = {**S3, "ProcessingConfiguration": {"Enabled": True, "Processors": steps}}
    make(client, ExtendedS3DestinationConfiguration=config)
    called, appended = destination(client)["ProcessingConfiguration"]["Processors"]
    assert [(p["ParameterName"], p["ParameterValue"]) for p in called["Parameters"]] == [
        ("LambdaArn", "arn:aws:lambda:us-east-1:0:function:f"),
        ("NumberOfRetries", "3"),
        ("RoleArn", ROLE),
        ("BufferSizeInMBs", "2"),
        ("BufferIntervalInSeconds", "30"),
    ]
    assert appended == {"Type": "AppendDelimiterToRecord", "Parameters": []}


def test_a_kafka_source_is_described_and_has_no_encryption(client):
    source = {**MSK, "ReadFromTimestamp": datetime(2026, 1, 1, tzinfo=UTC)}
    make(
        client,
        DeliveryStreamType="MSKAsSource",
        MSKSourceConfiguration=source,
        ExtendedS3DestinationConfiguration=S3,
    )
    found = told(client)
    assert "DeliveryStreamEncryptionConfiguration" not in found
    described = found["Source"]["MSKSourceDescription"]
    assert described.pop("DeliveryStartTimestamp") == datetime.fromtimestamp(NOW / 1_000, UTC)
    assert described == source


def test_a_throughput_hint_is_told_and_a_source_that_does_not_apply_is_not(client):
    hint = {"ThroughputHintInMBs": 5}
    make(client, "hinted", DirectPutSourceConfiguration=hint, S3DestinationConfiguration=S3)
    make(client, "other", MSKSourceConfiguration=MSK, S3DestinationConfiguration=S3)
    assert told(client, "hinted")["Source"] == {"DirectPutSourceDescription": hint}
    assert "Source" not in told(client, "other")


def test_a_name_can_be_used_once_and_again_after_its_stream_is_gone(client):
    make(client)
    with pytest.raises(client.exceptions.ResourceInUseException, match="already exists"):
        make(client)
    client.delete_delivery_stream(DeliveryStreamName="plain", AllowForceDelete=True)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        told(client)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.delete_delivery_stream(DeliveryStreamName="plain")
    make(client)
    assert told(client)["VersionId"] == "1"


def test_what_waits_in_a_stream_is_thrown_away_with_it(door, client, plain):
    client.put_record(DeliveryStreamName=plain, Record={"Data": b"x"})
    client.delete_delivery_stream(DeliveryStreamName=plain)
    make(client)
    assert (door.stored(plain), door.queue.waiting(plain)) == ([], 0)


def test_the_life_of_a_stream_that_takes_its_time(open_door):
    door = open_door(creation_delay="30s")
    client = door.client()
    in_use, missing = client.exceptions.ResourceInUseException, client.exceptions.ResourceNotFoundException
    make(client)
    tags = {"DeliveryStreamName": "plain", "Tags": [{"Key": "k"}]}
    assert told(client)["DeliveryStreamStatus"] == "CREATING"
    client.tag_delivery_stream(**tags)
    for call in (change, lambda c: c.delete_delivery_stream(DeliveryStreamName="plain"), make):
        with pytest.raises(in_use):
            call(client)
    door.clock.pass_seconds(30)
    assert told(client)["DeliveryStreamStatus"] == "ACTIVE"
    client.delete_delivery_stream(DeliveryStreamName="plain")
    client.delete_delivery_stream(DeliveryStreamName="plain")  # to say it again does no harm
    assert told(client)["DeliveryStreamStatus"] == "DELETING"
    assert client.list_delivery_streams()["DeliveryStreamNames"] == ["plain"]
    for call in (change, make, lambda c: c.tag_delivery_stream(**tags)):
        with pytest.raises(in_use):
            call(client)
    door.clock.pass_seconds(30)
    with pytest.raises(missing):
        told(client)
    assert client.list_delivery_streams()["DeliveryStreamNames"] == []
    make(client)


def test_streams_are_listed_by_name_page_by_page(client):
    names = [f"s{n:02}" for n in range(12)]
    for name in reversed(names):
        make(client, name)
    make(
        client,
        "kafka",
        DeliveryStreamType="MSKAsSource",
        MSKSourceConfiguration=MSK,
        S3DestinationConfiguration=S3,
    )
    page = client.list_delivery_streams()
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (["kafka", *names[:9]], True)
    page = client.list_delivery_streams(ExclusiveStartDeliveryStreamName="s08", Limit=3)
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (names[9:], False)
    page = client.list_delivery_streams(ExclusiveStartDeliveryStreamName="s085", Limit=2)  # need not exist
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (names[9:11], True)
    assert client.list_delivery_streams(DeliveryStreamType="MSKAsSource")["DeliveryStreamNames"] == ["kafka"]
    assert failure(client.list_delivery_streams, Limit=10_001) == "400 ValidationException"


def test_there_are_no_more_streams_than_the_quota(open_door):
    client = open_door(quota={"streams": 2}).client(tries=1)
    make(client, "a")
    make(client, "b")
    with pytest.raises(client.exceptions.LimitExceededException):
        make(client, "c")
    client.delete_delivery_stream(DeliveryStreamName="a")
    make(client, "c")


def test_definitions_outlive_the_door(open_door, door, client):
    make(client, "kept", ExtendedS3DestinationConfiguration=S3, Tags=[{"Key": "team", "Value": "x"}])
    change(client, name="kept", Prefix="p/")
    before = told(client, "kept")
    door.close()
    door.close = lambda: None
    again = open_door().client()
    assert told(again, "kept") == before
    assert again.list_tags_for_delivery_stream(DeliveryStreamName="kept")["Tags"] == [
        {"Key": "team", "Value": "x"}
    ]


def test_an_update_merges_and_counts_the_version(door, client, shared):
    request = json.loads((shared / "spec" / "examples" / "update_destination.json").read_text())
    config = {**S3, "Prefix": "p/", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}}
    make(client, "capture-raw", ExtendedS3DestinationConfiguration=config)
    door.clock.pass_seconds(10)
    client.update_destination(**request)
    found = told(client, "capture-raw")
    assert found["VersionId"] == "2"
    assert found["LastUpdateTimestamp"] == datetime.fromtimestamp(door.clock.now / 1_000, UTC)
    assert destination(client, name="capture-raw")["BufferingHints"] == {
        "SizeInMBs": 10,
        "IntervalInSeconds": 120,
    }
    assert destination(client, name="capture-raw")["Prefix"] == "p/"
    with pytest.raises(client.exceptions.ConcurrentModificationException):
        client.update_destination(**request)
    change(client, "2", "capture-raw", BufferingHints={"SizeInMBs": 20})
    assert destination(client, name="capture-raw")["BufferingHints"] == {
        "SizeInMBs": 20,
        "IntervalInSeconds": 120,
    }


def test_an_update_that_changes_nothing_leaves_the_version(client):
    make(client)
    change(client, CompressionFormat="UNCOMPRESSED")
    change(client)
    found = told(client)
    assert found["VersionId"] == "1"
    assert "LastUpdateTimestamp" not in found


def test_an_update_of_the_old_form_changes_the_same_destination(client):
    make(client)
    change(client, kind="S3", CompressionFormat="GZIP")
    assert destination(client)["CompressionFormat"] == "GZIP"
    assert destination(client, "S3")["CompressionFormat"] == "GZIP"


def test_the_version_is_looked_at_before_the_destination(client):
    make(client)
    with pytest.raises(client.exceptions.ConcurrentModificationException):
        change(client, version="2", at="other")
    with pytest.raises(client.exceptions.InvalidArgumentException, match="Destination other not found"):
        change(client, at="other")


def test_encryption_of_objects_stays_until_it_is_said_that_there_is_none(client):
    key = {"KMSEncryptionConfig": {"AWSKMSKeyARN": "arn:aws:kms:us-east-1:000000000000:key/k"}}
    make(client, ExtendedS3DestinationConfiguration={**S3, "EncryptionConfiguration": key})
    change(client, Prefix="p/")
    assert destination(client)["EncryptionConfiguration"] == key
    none = {"NoEncryptionConfig": "NoEncryption"}
    change(client, "2", EncryptionConfiguration=none)
    assert destination(client)["EncryptionConfiguration"] == none


def test_processing_is_replaced_whole_and_keeps_whether_it_is_enabled(client):
    append = [{"Type": "AppendDelimiterToRecord", "Parameters": []}]
    config = {**S3, "ProcessingConfiguration": {"Enabled": True, "Processors": append}}
    make(client, ExtendedS3DestinationConfiguration=config)
    change(client, ProcessingConfiguration={"Processors": append * 2})
    assert destination(client)["ProcessingConfiguration"] == {"Enabled": True, "Processors": append * 2}
    change(client, "2", ProcessingConfiguration={"Enabled": False})
    assert destination(client)["ProcessingConfiguration"] == {"Enabled": False, "Processors": []}


def test_a_backup_can_be_turned_on_and_not_off(client):
    make(client)
    change(client, S3BackupMode="Enabled", S3BackupUpdate={**S3, "Prefix": "backup/"})
    assert destination(client)["S3BackupDescription"]["Prefix"] == "backup/"
    change(client, "2", S3BackupUpdate={"BufferingHints": {"SizeInMBs": 7}})
    found = destination(client)["S3BackupDescription"]
    assert (found["Prefix"], found["BufferingHints"]["SizeInMBs"]) == ("backup/", 7)
    with pytest.raises(client.exceptions.InvalidArgumentException, match="disabled"):
        change(client, "3", S3BackupMode="Disabled")


@pytest.mark.parametrize(
    ("kind", "config", "other"),
    [
        ("Amazonopensearchservice", SEARCH, "ExtendedS3"),
        ("HttpEndpoint", HTTP, "ExtendedS3"),
        ("ExtendedS3", S3, "HttpEndpoint"),
    ],
)
def test_a_destination_does_not_become_one_of_another_kind(client, kind, config, other):
    make(client, **{f"{kind}DestinationConfiguration": config})
    with pytest.raises(client.exceptions.InvalidArgumentException, match="cannot become"):
        change(client, kind=other)


def test_an_opensearch_destination_moves_and_so_does_its_backup(client):
    kind = "Amazonopensearchservice"
    make(client, AmazonopensearchserviceDestinationConfiguration=SEARCH)
    change(client, kind=kind, DomainARN="arn:aws:es:us-east-1:000000000000:domain/alerts")
    assert "ClusterEndpoint" not in destination(client, kind)
    change(client, "2", kind=kind, S3Update={"BucketARN": BUCKET + "2"})
    assert destination(client, kind)["S3DestinationDescription"]["BucketARN"] == BUCKET + "2"
    assert destination(client, kind)["S3DestinationDescription"]["RoleARN"] == ROLE


def test_an_update_needs_exactly_one_destination(client):
    make(client)
    request = {
        "DeliveryStreamName": "plain",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": DESTINATION,
    }
    with pytest.raises(client.exceptions.InvalidArgumentException, match="not 0"):
        client.update_destination(**request)
    with pytest.raises(client.exceptions.InvalidArgumentException, match="not 2"):
        client.update_destination(**request, S3DestinationUpdate={}, ExtendedS3DestinationUpdate={})


def test_tags_are_kept_by_key_and_listed_page_by_page(door):
    client = door.client(tries=1)
    make(client, Tags=[{"Key": "k00", "Value": "first"}], ExtendedS3DestinationConfiguration=S3)
    tags = [{"Key": f"k{n:02}", "Value": str(n)} for n in range(50)]
    client.tag_delivery_stream(DeliveryStreamName="plain", Tags=tags)
    page = client.list_tags_for_delivery_stream(DeliveryStreamName="plain")
    assert (page["Tags"], page["HasMoreTags"]) == (tags, False)
    page = client.list_tags_for_delivery_stream(
        DeliveryStreamName="plain", ExclusiveStartTagKey="k09", Limit=2
    )
    assert (page["Tags"], page["HasMoreTags"]) == (tags[10:12], True)
    with pytest.raises(client.exceptions.LimitExceededException):
        client.tag_delivery_stream(DeliveryStreamName="plain", Tags=[{"Key": "k50"}])
    client.untag_delivery_stream(DeliveryStreamName="plain", TagKeys=["k00", "unknown"])
    client.tag_delivery_stream(DeliveryStreamName="plain", Tags=[{"Key": "größe ٣"}])
    listed = client.list_tags_for_delivery_stream(DeliveryStreamName="plain")["Tags"]
    assert listed == [{"Key": "größe ٣", "Value": ""}, *tags[1:]]


@pytest.mark.parametrize(
    "tags", [[{"Key": "aws:x"}], [{"Key": "a!"}], [{"Key": "k", "Value": "*"}], [{"Key": "k"}] * 51]
)
def test_tags_that_are_none(client, tags):
    make(client)
    call = client.tag_delivery_stream
    assert failure(call, DeliveryStreamName="plain", Tags=tags) == "400 ValidationException"


def test_encryption_is_started_changed_and_stopped(client):
    key = {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": "arn:aws:kms:us-east-1:000000000000:key/k"}
    make(client)
    member = "DeliveryStreamEncryptionConfiguration"
    client.start_delivery_stream_encryption(DeliveryStreamName="plain")
    assert told(client)[member] == {"Status": "ENABLED", "KeyType": "AWS_OWNED_CMK"}
    client.start_delivery_stream_encryption(
        DeliveryStreamName="plain", DeliveryStreamEncryptionConfigurationInput=key
    )
    assert told(client)[member] == {"Status": "ENABLED", **key}
    client.stop_delivery_stream_encryption(DeliveryStreamName="plain")
    assert told(client)[member]["Status"] == "DISABLED"
    make(client, "born", S3DestinationConfiguration=S3, DeliveryStreamEncryptionConfigurationInput=key)
    assert told(client, "born")[member] == {"Status": "ENABLED", **key}


def test_encryption_takes_its_time_where_creation_does(open_door):
    door = open_door(creation_delay="5s")
    client = door.client()
    make(client)
    door.clock.pass_seconds(5)
    seen = []
    for call in (client.start_delivery_stream_encryption, client.stop_delivery_stream_encryption):
        call(DeliveryStreamName="plain")
        seen.append(told(client)["DeliveryStreamEncryptionConfiguration"]["Status"])
        with pytest.raises(client.exceptions.ResourceInUseException):
            call(DeliveryStreamName="plain")
        door.clock.pass_seconds(5)
        seen.append(told(client)["DeliveryStreamEncryptionConfiguration"]["Status"])
    assert seen == ["ENABLING", "ENABLED", "DISABLING", "DISABLED"]


def test_encryption_is_changed_25_times_a_day(door):
    client = door.client(tries=1)
    make(client)
    calls = [client.start_delivery_stream_encryption, client.stop_delivery_stream_encryption]
    for n in range(25):
        calls[n % 2](DeliveryStreamName="plain")
        door.clock.pass_seconds(60)
    with pytest.raises(client.exceptions.LimitExceededException):
        calls[0](DeliveryStreamName="plain")
    door.clock.pass_seconds(86_400 - 25 * 60 + 60)
    calls[0](DeliveryStreamName="plain")


def test_a_stream_is_encrypted_only_where_records_are_put_into_it(client):
    kafka = {
        "DeliveryStreamType": "MSKAsSource",
        "MSKSourceConfiguration": MSK,
        "S3DestinationConfiguration": S3,
    }
    own = {"KeyType": "AWS_OWNED_CMK"}
    with pytest.raises(client.exceptions.InvalidArgumentException, match="DirectPut"):
        make(client, **kafka, DeliveryStreamEncryptionConfigurationInput=own)
    make(client, **kafka)
    with pytest.raises(client.exceptions.InvalidArgumentException, match="DirectPut"):
        client.start_delivery_stream_encryption(DeliveryStreamName="plain")


def test_what_is_described_of_a_stream_that_was_deleted_is_that():
    gone = msgspec.structs.replace(a_stream("a"), gone_from=NOW + 5)
    assert describe(gone, NOW)["DeliveryStreamStatus"] == "DELETING"
    assert (gone.gone(NOW), gone.gone(NOW + 5)) == (False, True)


def test_a_stream_that_could_not_be_delivered_is_neither_made_nor_changed(open_door):
    def check(stream):
        if stream.destination.get("Prefix") == "nowhere/":
            raise ConfigError("nobody can write there")

    client = open_door(deliverable=check).client()
    with pytest.raises(client.exceptions.InvalidArgumentException, match="nobody can write there"):
        make(client, ExtendedS3DestinationConfiguration={**S3, "Prefix": "nowhere/"})
    make(client)
    with pytest.raises(client.exceptions.InvalidArgumentException):
        change(client, Prefix="nowhere/")
    assert told(client)["VersionId"] == "1"
