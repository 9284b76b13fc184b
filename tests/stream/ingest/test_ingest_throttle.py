"""Quotas: what is over them is refused the way clients know, and let through when time has passed."""

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from doors import S3
from stream.ingest.throttle import Bucket, Rates, Throttle
from test_ingest_puts import batch


def make(client) -> None:
    client.create_delivery_stream(DeliveryStreamName="plain", S3DestinationConfiguration=S3)


def put(client, *sizes: int) -> list[str]:
    """What became of each record."""
    answer = client.put_record_batch(DeliveryStreamName="plain", Records=batch(*sizes))
    entries = answer["RequestResponses"]
    assert answer["FailedPutCount"] == sum("ErrorCode" in entry for entry in entries)
    assert all(("RecordId" in e) != ("ErrorCode" in e) for e in entries)
    return [entry.get("ErrorMessage", "stored") for entry in entries]


@given(
    rate=st.integers(1, 1_000),
    takes=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 1_500)), max_size=30),
)
def test_a_bucket_gives_no_more_than_its_rate_and_one_burst(rate, takes):
    bucket, now, given_out = Bucket(rate, 0), 0, 0
    for passed, tokens in takes:
        now += passed
        given_out += tokens if bucket.take(tokens, now) else 0
    assert given_out <= rate * (1 + now / 1_000) + 1e-6


def test_a_clock_that_is_set_back_neither_gives_nor_takes():
    bucket = Bucket(10, 5_000)
    assert bucket.take(10, 5_000)
    assert not bucket.take(1, 1_000)
    assert bucket.take(1, 1_100)


def test_a_request_that_is_not_taken_costs_nothing_else():
    throttle = Throttle(Rates(records=10, requests=1))
    assert throttle.admit("s", [1] * 4, 0) == 4
    assert throttle.admit("s", [1] * 4, 0) == 0  # for want of requests, so these records are still free
    assert throttle.admit("s", [1] * 20, 1_000) == 10
    assert throttle.admit("other", [1], 1_000) == 1


def test_a_throttle_without_quotas_admits_all():
    assert Throttle(Rates()).admit("s", [10**9] * 500, 0) == 500


def test_records_over_the_rate_fail_one_by_one_and_the_first_are_stored(open_door):
    door = open_door(quota={"records_per_second": 50})
    client = door.client()
    make(client)
    assert put(client, *[1] * 60) == ["stored"] * 50 + ["Slow down."] * 10
    assert put(client, 1, 1) == ["Slow down."] * 2
    door.clock.pass_seconds(0.5)
    assert put(client, *[1] * 26) == ["stored"] * 25 + ["Slow down."]
    door.clock.pass_seconds(60)  # the burst is one second, however long nothing came
    assert put(client, *[1] * 51) == ["stored"] * 50 + ["Slow down."]
    assert len(door.stored("plain")) == 125
    counted = door.door.metrics.snapshot()
    assert counted["plain", "ThrottledRecords"].total == 14
    assert counted["plain", "IncomingRecords"].total == 125


def test_bytes_over_the_rate_fail_one_by_one(open_door):
    door = open_door(quota={"mebibytes_per_second": 1})
    client = door.client()
    make(client)
    assert put(client, 1_000_000, 48_576, 1, 0) == ["stored", "stored", "Slow down.", "Slow down."]
    door.clock.pass_seconds(1)
    assert put(client, 1_000_000) == ["stored"]


def test_a_single_put_over_the_rate_is_tried_three_times_by_boto3_and_then_raised(open_door):
    door = open_door(quota={"requests_per_second": 1})
    client = door.client()
    make(client)
    client.put_record(DeliveryStreamName="plain", Record={"Data": b"1"})
    with pytest.raises(client.exceptions.ServiceUnavailableException, match="Slow down") as error:
        client.put_record(DeliveryStreamName="plain", Record={"Data": b"2"})
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert door.door.metrics.snapshot()["plain", "ThrottledRecords"].total == 3
    assert door.stored("plain") == [b"1"]


def test_a_client_that_tries_again_gets_through_when_time_passes(open_door):
    door = open_door(quota={"requests_per_second": 1})
    client = door.client()
    make(client)
    client.meta.events.register("needs-retry.firehose.PutRecord", lambda **_: door.clock.pass_seconds(0.5))
    for n in range(3):
        client.put_record(DeliveryStreamName="plain", Record={"Data": b"%d" % n})
    assert door.stored("plain") == [b"0", b"1", b"2"]


def test_calls_that_are_no_puts_have_a_rate_of_their_own(open_door):
    door = open_door(quota={"control_per_second": 5})
    client = door.client(tries=1)
    for _ in range(5):
        client.list_delivery_streams()
    with pytest.raises(ClientError) as error:
        client.list_delivery_streams()
    assert error.value.response["Error"]["Code"] == "ThrottlingException"
    door.clock.pass_seconds(1)
    client.list_delivery_streams()
