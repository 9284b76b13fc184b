"""Putting records with unmodified boto3: every limit at, below and above its edge, and what a client sees."""

import asyncio
import json

import pytest
from botocore.exceptions import ClientError

from doors import ROLE, S3, a_stream
from schemas.errors import SinkBusy
from stream.ingest.faults import Fault
from stream.ingest.puts import MAX_BATCH, MAX_RECORD

MSK = {
    "MSKClusterARN": "arn:aws:kafka:us-east-1:000000000000:cluster/local/1",
    "TopicName": "capture",
    "AuthenticationConfiguration": {"RoleARN": ROLE, "Connectivity": "PRIVATE"},
}
DECOMPRESS = {
    "Enabled": True,
    "Processors": [
        {
            "Type": "Decompression",
            "Parameters": [{"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}],
        }
    ],
}


def failure(call, *arguments, **members) -> str:
    """Status and name of the error that a call ends in."""
    with pytest.raises(ClientError) as error:
        call(*arguments, **members)
    response = error.value.response
    return f"{response['ResponseMetadata']['HTTPStatusCode']} {response['Error']['Code']}"


def batch(*sizes: int) -> list[dict[str, bytes]]:
    return [{"Data": bytes(size)} for size in sizes]


def test_what_is_put_is_stored_byte_for_byte_and_acknowledged_with_an_id_of_its_own(door, client, plain):
    data = [b"", b"\x00\xff\n", "größe".encode(), bytes(range(256)) * 40]
    one = client.put_record(DeliveryStreamName=plain, Record={"Data": data[1]})
    many = client.put_record_batch(DeliveryStreamName=plain, Records=[{"Data": d} for d in data])
    assert one["Encrypted"] is False
    assert (many["FailedPutCount"], many["Encrypted"]) == (0, False)
    ids = [one["RecordId"], *(entry["RecordId"] for entry in many["RequestResponses"])]
    assert len(set(ids)) == 5
    assert door.stored(plain) == [data[1], *data]
    assert door.queue.read(plain, 0, 1).arrived[0] == door.clock.now


def test_the_limit_cases_of_the_specification(door, client, plain, shared):
    cases = json.loads((shared / "spec" / "examples" / "put_limits_cases.json").read_text())["cases"]
    tried = 0
    for case in cases:
        if case.get("stream") or case.get("over_rate") or case.get("records") == 0:
            continue  # tests of their own
        tried += 1
        if case["op"] == "PutRecord":
            call, given = client.put_record, {"Record": {"Data": bytes(case["data_bytes"])}}
        elif "each_bytes" in case:
            call, given = client.put_record_batch, {"Records": batch(*[1] * case["records"])}
        else:
            call, given = client.put_record_batch, {"Records": batch(*[MAX_RECORD] * 4)}
            given["Records"] += batch(case["total_bytes"] - 4 * MAX_RECORD)
        if case["expect"] == "200":
            assert call(DeliveryStreamName=plain, **given)["ResponseMetadata"]["HTTPStatusCode"] == 200
        else:
            assert failure(call, DeliveryStreamName=plain, **given) == case["expect"]
    assert tried == 7
    assert MAX_BATCH == 4_194_304


@pytest.mark.parametrize("size", [MAX_RECORD - 1, MAX_RECORD])
def test_one_record_up_to_the_limit_is_taken(door, client, plain, size):
    client.put_record(DeliveryStreamName=plain, Record={"Data": bytes(size)})
    assert [len(record) for record in door.stored(plain)] == [size]


def test_one_record_too_large_fails_all_others_of_its_batch(door, client, plain):
    records = batch(1, MAX_RECORD + 1, 1)
    with pytest.raises(
        ClientError, match=r"'records\.2\.member\.data' failed to satisfy constraint: Member"
    ) as error:
        client.put_record_batch(DeliveryStreamName=plain, Records=records)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert door.stored(plain) == []


@pytest.mark.parametrize(
    ("name", "taken"),
    [("a" * 64, True), ("a" * 65, False), ("A.b_c-9", True), ("no spaces", False), ("ümlaut", False)],
)
def test_names_of_streams(client, name, taken):
    if taken:
        client.create_delivery_stream(DeliveryStreamName=name, S3DestinationConfiguration=S3)
        client.put_record(DeliveryStreamName=name, Record={"Data": b"x"})
        return
    assert (
        failure(client.put_record, DeliveryStreamName=name, Record={"Data": b"x"})
        == "400 ValidationException"
    )
    assert (
        failure(client.put_record_batch, DeliveryStreamName=name, Records=batch(1))
        == "400 ValidationException"
    )


def test_a_stream_that_is_not_there_is_told_by_an_exception_of_that_name(client):
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="nope under account 000000000000"):
        client.put_record(DeliveryStreamName="nope", Record={"Data": b"x"})
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_record_batch(DeliveryStreamName="nope", Records=batch(1))


def test_a_batch_too_large_is_told_before_its_stream_is_looked_for(client):
    records = batch(*[MAX_RECORD] * 4, MAX_BATCH - 4 * MAX_RECORD + 1)
    with pytest.raises(client.exceptions.InvalidArgumentException, match="4 MB"):
        client.put_record_batch(DeliveryStreamName="nope", Records=records)


def test_a_stream_takes_no_records_before_it_is_active(open_door):
    door = open_door(creation_delay="20s")
    client = door.client()
    client.create_delivery_stream(DeliveryStreamName="slow", S3DestinationConfiguration=S3)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_record(DeliveryStreamName="slow", Record={"Data": b"x"})
    door.clock.pass_seconds(20)
    client.put_record(DeliveryStreamName="slow", Record={"Data": b"x"})
    client.delete_delivery_stream(DeliveryStreamName="slow")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_record(DeliveryStreamName="slow", Record={"Data": b"x"})


def test_a_stream_with_another_source_takes_none_whatever_its_state(open_door):
    client = open_door(creation_delay="20s").client()
    client.create_delivery_stream(
        DeliveryStreamName="k",
        DeliveryStreamType="MSKAsSource",
        MSKSourceConfiguration=MSK,
        ExtendedS3DestinationConfiguration=S3,
    )
    with pytest.raises(client.exceptions.InvalidArgumentException, match="MSKAsSource"):
        client.put_record(DeliveryStreamName="k", Record={"Data": b"x"})


def test_a_stream_that_decompresses_takes_records_of_cloudwatch_logs_only(open_door):
    door = open_door()
    client = door.client()
    config = {**S3, "ProcessingConfiguration": DECOMPRESS}
    client.create_delivery_stream(DeliveryStreamName="logs", ExtendedS3DestinationConfiguration=config)
    with pytest.raises(client.exceptions.InvalidSourceException) as error:
        client.put_record(DeliveryStreamName="logs", Record={"Data": b"x"})
    assert error.value.response["code"]
    with pytest.raises(client.exceptions.InvalidSourceException):
        client.put_record_batch(DeliveryStreamName="logs", Records=batch(1))


def test_a_setting_lets_anyone_put_into_it(open_door):
    client = open_door(accept_compressed=True).client()
    config = {**S3, "ProcessingConfiguration": DECOMPRESS}
    client.create_delivery_stream(DeliveryStreamName="logs", ExtendedS3DestinationConfiguration=config)
    client.put_record(DeliveryStreamName="logs", Record={"Data": b"x"})


def test_puts_say_whether_the_stream_is_encrypted(client, plain):
    client.start_delivery_stream_encryption(DeliveryStreamName=plain)
    assert client.put_record(DeliveryStreamName=plain, Record={"Data": b"x"})["Encrypted"] is True
    assert client.put_record_batch(DeliveryStreamName=plain, Records=batch(1))["Encrypted"] is True


class Refusing:
    """An intake that stores nothing."""

    def __init__(self, queue):
        self._queue = queue

    def __getattr__(self, name):
        return getattr(self._queue, name)

    async def append(self, stream, records, arrived):
        raise SinkBusy("the queue is full")


def test_a_queue_that_takes_nothing_fails_a_batch_by_its_entries_and_a_single_put_as_a_whole(open_door):
    door = open_door(intake=Refusing)
    client = door.client(tries=1)
    client.create_delivery_stream(DeliveryStreamName="plain", S3DestinationConfiguration=S3)
    answer = client.put_record_batch(DeliveryStreamName="plain", Records=batch(1, 1))
    assert answer["FailedPutCount"] == 2
    assert {entry["ErrorCode"] for entry in answer["RequestResponses"]} == {"ServiceUnavailableException"}
    put = {"DeliveryStreamName": "plain", "Record": {"Data": b"x"}}
    assert failure(client.put_record, **put) == "500 ServiceUnavailableException"


def test_a_queue_filled_by_puts_refuses_and_takes_again_after_delivery(open_door):
    door = open_door(max_waiting_bytes=100_000)
    client = door.client(tries=1)
    client.create_delivery_stream(DeliveryStreamName="plain", S3DestinationConfiguration=S3)
    taken = [
        client.put_record_batch(DeliveryStreamName="plain", Records=batch(30_000))["FailedPutCount"]
        for _ in range(5)
    ]
    assert taken == [0, 0, 0, 1, 1]
    assert len(door.stored("plain")) == 3
    door.queue.commit("plain", int(door.queue.read("plain", 0, 2**30).sequence[-1]))
    assert client.put_record_batch(DeliveryStreamName="plain", Records=batch(30_000))["FailedPutCount"] == 0


def test_a_stream_deleted_while_a_put_is_under_way_acknowledges_nothing(door, client, plain):
    async def gone() -> Fault:
        queue = door.queue
        await queue.drop(plain)
        queue._streams = {plain: a_stream(plain)}  # as it was when the put found it
        puts = door.door._api._puts
        body = b'{"DeliveryStreamName":"plain","Record":{"Data":"eA=="}}'
        with pytest.raises(Fault) as error:
            await puts.record(body, "000000000000")
        return error.value

    assert asyncio.run(gone()).name == "ResourceNotFoundException"
