"""Records put through a door, against a stand-in for AWS's client."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from schemas.errors import BrokerError, ConfigError
from sending.sent import Clock, frame
from stream.sending.http_target import HttpTarget


class Client:
    """Takes puts; each of `troubles` is what happens to one: an error, or the places that fail."""

    def __init__(self, *troubles) -> None:
        self.troubles, self.puts = list(troubles), []

    def put_record_batch(self, DeliveryStreamName, Records):
        assert DeliveryStreamName == "s" and len(Records) <= 500
        assert sum(len(record["Data"]) for record in Records) <= 4 << 20
        trouble = self.troubles.pop(0) if self.troubles else ()
        if isinstance(trouble, Exception):
            raise trouble
        taken = [record["Data"] for i, record in enumerate(Records) if i not in trouble]
        self.puts.append(taken)
        answers = [
            {"ErrorCode": "ServiceUnavailableException"} if i in trouble else {"RecordId": "1"}
            for i in range(len(Records))
        ]
        return {"FailedPutCount": len(trouble), "RequestResponses": answers}

    def describe_delivery_stream(self, DeliveryStreamName):
        assert DeliveryStreamName == "s"
        if self.troubles:
            raise self.troubles.pop(0)

    def close(self):
        pass


def refusal(code: str, status: int = 400, **headers: str) -> ClientError:
    about = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": about}, "PutRecordBatch"
    )


def going():
    return False


def put(client: Client, *records: bytes, timeout: float = 60, stopped=going) -> tuple[HttpTarget, Clock]:
    clock = Clock()
    target = HttpTarget(client, "s", timeout, clock=clock, sleep=clock.sleep)
    target.send(frame(*records), stopped)
    return target, clock


def test_records_go_in_order_and_within_the_limits_of_a_put():
    records = [b"%d" % i for i in range(1200)]
    client = Client()
    target, clock = put(client, *records)
    assert [len(taken) for taken in client.puts] == [500, 500, 200]
    assert [record for taken in client.puts for record in taken] == records
    assert target.told.acknowledged == 1200 and target.told.messages == 3 and clock.now == 100
    client = Client()
    put(client, *[b"x" * 1_000_000] * 9)
    assert [len(taken) for taken in client.puts] == [4, 4, 1]


def test_only_records_that_failed_are_put_again():
    client = Client({1, 2}, {0})
    target, clock = put(client, b"a", b"b", b"c")
    assert client.puts == [[b"a"], [b"c"], [b"b"]]
    assert target.told.acknowledged == 3 and target.told.nbytes == 3
    assert clock.now > 100


def test_a_record_that_a_stream_cannot_take_is_left_out():
    target, _ = put(Client(), b"a", b"x" * 1_024_001, b"c")
    assert (target.told.acknowledged, target.told.refused) == (2, 1)
    assert target.told.first_refused.startswith("a.jsonl, line 1: 1,024,001 bytes")


@pytest.mark.parametrize(
    "trouble",
    [
        refusal("ServiceUnavailableException", 503),
        refusal("ThrottlingException"),
        refusal("Odd", 502),
        EndpointConnectionError(endpoint_url="http://x"),
    ],
)
def test_what_passes_is_waited_for(trouble):
    client = Client(trouble, trouble)
    target, clock = put(client, b"a")
    assert target.told.acknowledged == 1 and 100.1 < clock.now < 101


def test_a_door_that_names_a_time_is_asked_again_after_it():
    _, clock = put(Client(refusal("ThrottlingException", 429, **{"retry-after": "7"})), b"a")
    assert 107 <= clock.now < 108


def test_a_door_that_takes_nothing_is_given_up_after_the_timeout():
    client = Client(*[refusal("ServiceUnavailableException", 503)] * 1000)
    with pytest.raises(BrokerError, match="nothing was taken for 60 s"):
        put(client, b"a")
    assert len(client.troubles) > 950  # waits get longer


@pytest.mark.parametrize(
    ("code", "error"),
    [("ResourceNotFoundException", ConfigError), ("AccessDeniedException", BrokerError)],
)
def test_what_does_not_pass_is_told_at_once(code, error):
    client = Client(*[refusal(code)] * 9)
    with pytest.raises(error, match="s: "):
        put(client, b"a")
    assert len(client.troubles) == 8


def test_being_stopped_ends_the_tries():
    looks = iter([False, False, False] + [True] * 99)
    target, clock = put(Client(*[refusal("SlowDown")] * 99), b"a", stopped=lambda: next(looks))
    assert target.told.acknowledged == 0 and clock.now < 105


def test_looking_finds_a_stream_that_is_not_there_and_leaves_other_troubles_to_the_puts():
    with pytest.raises(ConfigError, match="s: no such delivery stream"):
        HttpTarget(Client(refusal("ResourceNotFoundException")), "s", 1).look()
    for trouble in (refusal("AccessDeniedException"), EndpointConnectionError(endpoint_url="http://x")):
        HttpTarget(Client(trouble), "s", 1).look()
    HttpTarget(Client(), "s", 1).look()
