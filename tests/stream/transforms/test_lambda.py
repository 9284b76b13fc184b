"""Records through Lambda: what each answer means, what is tried again, and what a failed record carries."""

import base64
import json
from collections.abc import Callable

import pytest

from putting import ARN, START, STREAM, put
from schemas.errors import InvokeFailed
from stream.transforms.lambda_event import LIMIT, Stream
from stream.transforms.transform import Transformed, transform

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:enrich:$LATEST"

Answer = Callable[[dict], object]


def processing(**parameters: str) -> dict:
    given = {"LambdaArn": FUNCTION, **parameters}
    items = [{"ParameterName": name, "ParameterValue": value} for name, value in given.items()]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": items}]}


class Function:
    """Plays back answers, the last for ever, and keeps the events that it got and the waits between."""

    def __init__(self, *answers: Answer | Exception | bytes) -> None:
        self.answers, self.events, self.waits = list(answers), [], []

    def __call__(self, request: bytes) -> bytes:
        self.events.append(json.loads(request))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps(answer(self.events[-1])).encode()

    def run(self, *data: bytes, stream: Stream = STREAM, **parameters: str) -> Transformed:
        numbers = iter(range(10_000))
        return transform(
            put(*data),
            processing(**parameters),
            stream,
            self,
            sleep=self.waits.append,
            now=lambda: START + 60_000,
            new_id=lambda: f"invocation-{next(numbers)}",
        )


def ok(item: dict, data: bytes = b"", **more: object) -> dict:
    return {"recordId": item["recordId"], "result": "Ok", "data": base64.b64encode(data).decode(), **more}


def upper(event: dict) -> dict:
    return {"records": [ok(item, base64.b64decode(item["data"]).upper()) for item in event["records"]]}


def results(*changes: dict) -> Answer:
    """An answer in which the n-th record is Ok but for the n-th change."""
    return lambda event: {
        "records": [ok(item, b"new") | change for item, change in zip(event["records"], changes, strict=True)]
    }


def codes(result: Transformed) -> list[tuple[bytes, str, int]]:
    return [(failed.raw, failed.code, failed.attempts) for failed in result.failed]


def test_the_event_is_that_of_direct_put(shared):
    function = Function(upper)
    function.run(b'{"id":1}\n', b"")
    (event,) = function.events
    documented = json.loads((shared / "spec/examples/lambda.event.direct_put.json").read_text())
    assert [*event] == [*documented]
    assert [[*item] for item in event["records"]] == [[*item] for item in documented["records"]]
    assert len(event["records"][0]["recordId"]) == len(documented["records"][0]["recordId"])
    without_ids = [{**item, "recordId": ""} for item in event["records"]]
    assert without_ids == [{**item, "recordId": ""} for item in documented["records"]]
    assert (event["deliveryStreamArn"], event["region"]) == (ARN, "us-east-1")


def test_the_event_of_a_stream_that_reads_kafka_has_its_own_names(shared):
    function = Function(lambda event: {"records": [ok(item) for item in event["records"]]})
    function.run(b"x", stream=Stream(ARN, "a", kafka="arn:aws:kafka:cluster"))
    documented = json.loads((shared / "spec/examples/lambda.event.kafka.json").read_text())
    assert [*function.events[0]] == [*documented]
    assert [*function.events[0]["records"][0]] == [*documented["records"][0]]
    metadata = function.events[0]["records"][0]["mskRecordMetadata"]
    assert [*metadata] == [*documented["records"][0]["mskRecordMetadata"]]


def test_in_a_stream_that_reads_kafka_the_answer_has_its_names_too():
    def answer(event: dict) -> dict:
        (item,) = event["records"]
        return {"records": [{"recordId": item["recordId"], "result": "Ok", "kafkaRecordValue": "eA=="}]}

    assert Function(answer).run(b"y", stream=Stream(ARN, "a", kafka="k")).records.data.to_pylist() == [b"x"]


def test_ok_replaces_dropped_leaves_and_processing_failed_fails():
    function = Function(results({}, {"result": "Dropped"}, {"result": "ProcessingFailed"}, {}))
    result = function.run(b"a", b"b", b"c", b"d")
    assert result.records.data.to_pylist() == [b"new", b"new"]
    assert (result.origin.tolist(), result.records.sequence.tolist()) == ([0, 3], [1, 4])
    assert result.records.arrived.tolist() == [START, START + 3]
    assert (result.dropped, result.partition_keys) == (1, None)
    assert codes(result) == [(b"c", "Lambda.ProcessingFailedStatus", 1)]
    assert len(function.events) == 1


def test_a_failed_record_carries_what_was_put_and_the_function():
    (failed,) = Function(results({"result": "ProcessingFailed"})).run(b"\xff raw").failed
    assert (failed.kind, failed.raw, failed.more) == (
        "processing-failed",
        b"\xff raw",
        {"lambdaARN": FUNCTION},
    )
    assert (failed.arrived, failed.sequence, failed.ended) == (START, 1, START + 60_000)


@pytest.mark.parametrize(
    "change, code",
    [
        ({"data": "%%%"}, "Lambda.JsonProcessingException"),
        ({"data": "YQ"}, "Lambda.JsonProcessingException"),
        ({"data": "é"}, "Lambda.JsonProcessingException"),
        ({"data": None}, "Lambda.InvalidReturnFormat"),
        ({"data": {"a": 1}}, "Lambda.InvalidReturnFormat"),
        ({"recordId": "unknown"}, "Lambda.MissingRecordId"),
        ({"recordId": None}, "Lambda.MissingRecordId"),
    ],
)
def test_a_fault_in_the_answer_for_one_record_fails_that_one_at_once(change, code):
    function = Function(results({}, change, {}))
    result = function.run(b"a", b"b", b"c")
    assert codes(result) == [(b"b", code, 1)]
    assert result.origin.tolist() == [0, 2]
    assert function.waits == []


def test_an_id_that_comes_twice_fails_its_record():
    def answer(event: dict) -> dict:
        first, second = event["records"]
        return {"records": [ok(first), ok(second), ok(first)]}

    result = Function(answer).run(b"a", b"b")
    assert (codes(result), result.origin.tolist()) == ([(b"a", "Lambda.DuplicatedRecordId", 1)], [1])


@pytest.mark.parametrize(
    "answer, code",
    [
        (b"not json", "Lambda.JsonProcessingException"),
        (b"", "Lambda.JsonProcessingException"),
        (b'"\xff"', "Lambda.JsonProcessingException"),
        (b"[" * 100_000, "Lambda.JsonProcessingException"),
        (b"null", "Lambda.MissingRecordId"),
        (b'{"records": 3}', "Lambda.MissingRecordId"),
        (b'{"records": [3]}', "Lambda.MissingRecordId"),
        (results({}, {"result": "OK"}), "Lambda.InvalidReturnFormat"),
        (results({"result": ["Ok"]}, {}), "Lambda.InvalidReturnFormat"),
    ],
)
def test_a_malformed_answer_fails_all_and_is_not_asked_for_again(answer, code):
    function = Function(answer)
    assert codes(function.run(b"a", b"b")) == [(b"a", code, 1), (b"b", code, 1)]
    assert len(function.events) == 1


@pytest.mark.parametrize(
    "code", ["FunctionError", "InvokeLimitExceeded", "FunctionTimedOut", "ResourceNotFound"]
)
def test_a_call_that_fails_is_made_four_times_with_the_same_record_ids(code):
    function = Function(InvokeFailed(f"Lambda.{code}", "why"))
    result = function.run(b"a", b"b")
    assert codes(result) == [(b"a", f"Lambda.{code}", 4), (b"b", f"Lambda.{code}", 4)]
    assert {failed.message for failed in result.failed} == {"why"}
    assert function.waits == [1, 2, 4]
    assert len({event["invocationId"] for event in function.events}) == 4
    assert all(event["records"] == function.events[0]["records"] for event in function.events)


def test_a_call_that_fails_and_then_succeeds_loses_nothing():
    throttled = InvokeFailed("Lambda.InvokeLimitExceeded", "too many")
    result = Function(throttled, throttled, upper).run(b"a")
    assert (result.records.data.to_pylist(), result.failed) == ([b"A"], [])


def test_a_fault_after_retries_says_how_many_attempts_there_were():
    function = Function(InvokeFailed("Lambda.FunctionError", ""), lambda event: {"records": []})
    assert codes(function.run(b"a")) == [(b"a", "Lambda.MissingRecordId", 2)]


def test_retries_are_as_configured():
    function = Function(InvokeFailed("Lambda.FunctionError", "no"))
    assert codes(function.run(b"a", NumberOfRetries="0")) == [(b"a", "Lambda.FunctionError", 1)]
    assert function.waits == []


def test_a_response_above_six_mb_counts_as_a_failed_call():
    function = Function(b" " * (LIMIT + 1), upper)
    assert function.run(b"a").records.data.to_pylist() == [b"A"]
    assert len(function.events) == 2


def test_records_are_sent_by_buffer_size_in_order_and_come_back_in_order():
    function = Function(upper)
    data = [bytes([97 + i]) * 100_000 for i in range(20)]
    result = function.run(*data, BufferSizeInMBs="0.2", BufferIntervalInSeconds="60")
    assert [len(event["records"]) for event in function.events] == [2] * 10
    assert result.records.data.to_pylist() == [value.upper() for value in data]
    assert result.records.sequence.tolist() == list(range(1, 21))


def test_many_small_records_never_make_a_request_above_six_mb():
    sizes = []

    def invoke(request: bytes) -> bytes:
        sizes.append(len(request))
        return json.dumps(upper(json.loads(request))).encode()

    result = transform(put(*[b"x"] * 50_000), processing(), STREAM, invoke)
    assert len(result.records) == 50_000 and len(sizes) > 1 and max(sizes) <= LIMIT


def test_a_record_too_large_for_a_request_fails_by_itself_unsent():
    function = Function(upper)
    result = function.run(b"a", bytes(5_000_000), b"b")
    assert [(code, attempts) for _, code, attempts in codes(result)] == [("Lambda.FunctionError", 1)]
    assert result.records.data.to_pylist() == [b"A", b"B"]


def test_partition_keys_come_along_for_the_records_that_go_on():
    keys = {"metadata": {"partitionKeys": {"endpoint": "credit", "n": 1}}}
    function = Function(
        results(keys, {"result": "Dropped"}, {"metadata": None}, {"metadata": {"partitionKeys": 3}})
    )
    assert function.run(b"a", b"b", b"c", b"d").partition_keys == [{"endpoint": "credit", "n": 1}, {}, {}]


def test_record_ids_are_the_same_when_the_same_records_come_again():
    first, again, other = Function(upper), Function(upper), Function(upper)
    for function, identity in ((first, "a"), (again, "a"), (other, "b")):
        function.run(b"a", b"b", stream=Stream(ARN, identity))
    ids = [[item["recordId"] for item in f.events[0]["records"]] for f in (first, again, other)]
    assert ids[0] == ids[1] and not {*ids[0]} & {*ids[2]} and len({*ids[0]}) == 2


def test_to_be_stopped_while_waiting_is_no_failure_of_a_record():
    class Stopped(Exception):
        pass

    def sleep(seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        transform(
            put(b"a"), processing(), STREAM, Function(InvokeFailed("Lambda.FunctionError", "")), sleep=sleep
        )
