"""The HTTP destination against a scripted server: what is sent, what counts as taken, what is tried again."""

import base64
import gzip
import json
import logging
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from schemas.records import Records
from sinks.http_answer import LARGEST
from sinks.http_endpoint import HttpEndpoint
from sinks.http_request import LARGEST_BODY, Endpoint, body, request_id, requests

ARN = "arn:aws:firehose:us-east-1:000000000000:deliverystream/hooks"
IDENTITY = f"{ARN}@1"
START = 1_767_323_045_123
DOWN = (503, {}, b'{"errorMessage": "busy"}')


def records(*data: bytes, first: int = 3) -> Records:
    numbers = np.arange(len(data))
    return Records(pa.array(data, pa.binary()), START + numbers, first + numbers)


def taken(request):
    """What a receiver that keeps all rules answers."""
    content = request.body
    if request.headers.get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    return 200, {}, json.dumps({"requestId": json.loads(content)["requestId"], "timestamp": START}).encode()


def answering(headers=None, **changes):
    """A 200 that breaks a rule."""

    def answer(request):
        status, _, text = taken(request)
        form = {**json.loads(text), **changes}
        form = {name: value for name, value in form.items() if value is not None}
        return status, headers or {}, json.dumps(form).encode()

    return answer


class Setup:
    def __init__(self, server, **options):
        self.waits: list[float] = []
        endpoint = {"retry": options.pop("retry", 300), "access_key": options.pop("access_key", "")}
        endpoint |= {"gzip": options.pop("gzip", False), "attributes": options.pop("attributes", {})}
        self.server = server
        self.sink = HttpEndpoint(
            Endpoint(url=server.url, **endpoint),
            ARN,
            IDENTITY,
            sleep=self.waits.append,
            now=lambda: START + 1000,
            uniform=lambda low, high: 1.0,
            **options,
        )

    def ids(self) -> list[str]:
        return [request.headers["X-Amz-Firehose-Request-Id"] for request in self.server.requests]


@pytest.fixture
def setup(scripted):
    return lambda *answers, **options: Setup(scripted(*answers), **options)


def test_a_request_has_the_documented_headers_and_body(setup):
    it = setup(taken, access_key="exämple key ", attributes={"env": "test", "city": "Zürich"})
    assert it.sink.deliver(records(b'{"id":1}\n', b"")) == []
    (request,) = it.server.requests
    sent = json.loads(request.body)
    assert (request.method, request.path) == ("POST", "/ingest?x=1")
    ours = {name: value for name, value in request.headers.items() if name.startswith("X-Amz")}
    assert ours == {
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Request-Id": sent["requestId"],
        "X-Amz-Firehose-Source-Arn": ARN,
        "X-Amz-Firehose-Access-Key": "exämple key ".encode().decode("latin-1"),  # byte for byte
        "X-Amz-Firehose-Common-Attributes": '{"commonAttributes":{"env":"test","city":"Z\\u00fcrich"}}',
    }
    assert request.headers["Content-Type"] == "application/json"
    assert "Content-Encoding" not in request.headers
    assert int(request.headers["Content-Length"]) == len(request.body)
    assert sent["timestamp"] == START + 1000 and [*sent] == ["requestId", "timestamp", "records"]
    assert sent["records"] == [{"data": "eyJpZCI6MX0K"}, {"data": ""}]


def test_without_a_key_or_attributes_their_headers_are_absent(setup):
    it = setup(taken)
    it.sink.deliver(records(b"a"))
    assert not {"X-Amz-Firehose-Access-Key", "X-Amz-Firehose-Common-Attributes"} & {
        *it.server.requests[0].headers
    }


def test_a_body_may_be_gzip(setup):
    it = setup(taken, gzip=True)
    assert it.sink.deliver(records(b"hello")) == []
    (request,) = it.server.requests
    assert request.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(request.body))["records"] == [{"data": "aGVsbG8="}]


def test_ten_thousand_and_one_records_make_two_requests(setup):
    it = setup(taken)
    assert it.sink.deliver(records(*[b"x"] * 10_001)) == []
    assert [len(json.loads(request.body)["records"]) for request in it.server.requests] == [10_000, 1]
    assert len(set(it.ids())) == 2 and (it.sink.attempts, it.sink.successes) == (2, 2)


@pytest.mark.parametrize(
    "answer, code",
    [
        (DOWN, "DestinationException"),
        (lambda request: (201, *taken(request)[1:]), "DestinationException"),
        (lambda request: (202, *taken(request)[1:]), "DestinationException"),
        ((204, {"Content-Length": None}, b""), "DestinationException"),
        ((307, {"Location": "/elsewhere"}, b""), "DestinationException"),
        ((401, {}, b"{}"), "DestinationException"),
        (answering(requestId="another"), "InvalidResponseFromDestination"),
        (answering(requestId=None), "InvalidResponseFromDestination"),
        (answering(timestamp=None), "InvalidResponseFromDestination"),
        (answering(timestamp=str(START)), "InvalidResponseFromDestination"),
        (answering(errorMessage="x" * 8193), "InvalidResponseFromDestination"),
        (answering({"Content-Type": "text/plain"}), "InvalidResponseFromDestination"),
        (answering({"Content-Type": None}), "InvalidResponseFromDestination"),
        (answering({"Content-Encoding": "identity"}), "InvalidResponseFromDestination"),
        (answering({"Content-Length": None}), "InvalidResponseFromDestination"),
        ((200, {}, b"ok"), "InvalidResponseFromDestination"),
        ((200, {}, b""), "InvalidResponseFromDestination"),
        ((200, {}, b" " * (LARGEST + 1)), "ResponseTooLarge"),
        ("reset", "ConnectionReset"),
        ((200, {"Content-Length": "99"}, b"{}"), "RequestTimeout"),
    ],
)
def test_whatever_is_no_proper_200_is_sent_again_with_the_same_id(setup, answer, code):
    it = setup(answer, taken, timeout=0.3)
    assert it.sink.deliver(records(b"a")) == []
    assert len(it.server.requests) == 2 and len(set(it.ids())) == 1
    assert it.server.requests[0].path == it.server.requests[1].path
    assert (it.waits, it.sink.attempts, it.sink.successes) == ([2.0], 2, 1)
    failing = setup(answer, timeout=0.3, retry=0)
    (failed,) = failing.sink.deliver(records(b"a"))
    assert failed.code == f"HttpEndpoint.{code}" and len(failing.server.requests) == 1


def test_proper_200s_with_other_spellings_are_taken(setup):
    answer = answering({"Content-Type": "Application/JSON; charset=utf-8"}, errorMessage="", more=1)
    assert setup(answer, retry=0).sink.deliver(records(b"a")) == []


def test_a_slow_answer_is_not_waited_for_beyond_the_timeout(setup):
    go = threading.Event()
    it = setup(go, taken, timeout=0.1)
    assert it.sink.deliver(records(b"a")) == []
    go.set()
    assert it.waits == [2.0]


def test_an_answer_that_comes_drop_by_drop_is_not_waited_for_either(setup):
    (failed,) = setup("drip", timeout=0.1, retry=0).sink.deliver(records(b"a"))
    assert failed.code == "HttpEndpoint.RequestTimeout"


def test_nobody_there_is_a_failed_connection():
    sink = HttpEndpoint(Endpoint(url="http://127.0.0.1:9/", retry=0), ARN, IDENTITY)
    (failed,) = sink.deliver(records(b"a"))
    assert failed.code == "HttpEndpoint.ConnectionFailed"


def test_no_tls_is_a_failed_handshake(scripted):
    server = scripted(taken)
    sink = HttpEndpoint(Endpoint(url=server.url.replace("http:", "https:"), retry=0), ARN, IDENTITY)
    (failed,) = sink.deliver(records(b"a"))
    assert failed.code == "HttpEndpoint.SSLHandshakeFailure"


def test_after_the_retry_duration_every_record_goes_to_the_backup(setup):
    it = setup(DOWN, retry=300)
    put = pa.array([b"put a", b"put b"], pa.binary())
    failed = it.sink.deliver(records(b"a", b"b"), put)
    assert it.waits == [2, 4, 8, 16, 32, 64, 120]  # 120 more would be above 300
    first = failed[0]
    assert [one.raw for one in failed] == [b"put a", b"put b"]
    assert (first.kind, first.code) == ("http-endpoint-failed", "HttpEndpoint.DestinationException")
    assert first.message == '503: {"errorMessage": "busy"}'
    assert (first.attempts, first.arrived, first.sequence, first.ended) == (8, START, 3, START + 1000)
    assert [*first.more] == ["subsequenceNumber", "dataId"] and first.more["subsequenceNumber"] == 0
    assert first.more["dataId"].startswith("49") and first.more["dataId"].endswith("003.0")


def test_one_failed_request_does_not_hold_up_the_next(setup):
    it = setup(DOWN, taken, retry=0)
    failed = it.sink.deliver(records(*[b"x"] * 10_001))
    assert [one.sequence for one in failed] == list(range(3, 10_003))


def test_413_is_not_tried_again_and_is_lost_and_said_so(setup, caplog):
    it = setup((413, {}, b""))
    with caplog.at_level(logging.ERROR):
        assert it.sink.deliver(records(b"a", b"b")) == []
    assert (len(it.server.requests), it.waits, it.sink.lost) == (1, [], 2)
    assert "lost" in caplog.text


def test_413_may_be_kept(setup):
    it = setup((413, {}, b""), keep_413=True)
    assert [one.raw for one in it.sink.deliver(records(b"a"))] == [b"a"]
    assert (len(it.server.requests), it.sink.lost) == (1, 0)


def test_the_endpoint_may_change_between_attempts(scripted, setup):
    it, other = setup(DOWN), scripted(taken)

    def move(seconds):
        it.sink.endpoint = Endpoint(url=other.url, access_key="new")

    it.sink._sleep = move
    assert it.sink.deliver(records(b"a")) == []
    assert other.requests[0].headers["X-Amz-Firehose-Access-Key"] == "new"
    assert other.requests[0].headers["X-Amz-Firehose-Request-Id"] == it.ids()[0]


def test_the_same_records_have_the_same_id_after_a_restart_and_others_have_others():
    batch = records(b"a", b"b")
    assert request_id(IDENTITY, batch) == request_id(IDENTITY, records(b"a", b"b"))
    others = [
        request_id("another", batch),
        request_id(IDENTITY, records(b"a", b"b", first=4)),
        request_id(IDENTITY, records(b"a", b"b", b"c")),
    ]
    assert len({request_id(IDENTITY, batch), *others}) == 4


def test_a_record_too_long_for_a_request_goes_to_the_backup_and_the_others_are_sent(setup):
    it = setup(taken)
    (failed,) = it.sink.deliver(records(b"a", bytes(1_024_003), bytes(1_024_000)))
    assert (failed.sequence, failed.code) == (4, "HttpEndpoint.RecordTooLarge")
    sent = json.loads(it.server.requests[0].body)["records"]
    assert [len(item["data"]) for item in sent] == [4, 1_365_336]


def test_neither_payload_nor_key_is_logged_or_printed(setup, caplog):
    echo = (500, {}, b"bad key s3cret")
    it = setup(echo, retry=5, access_key="s3cret")
    with caplog.at_level(logging.DEBUG):
        (failed,) = it.sink.deliver(records(b"p4yload"))
    everything = repr([record.__dict__ for record in caplog.records]) + repr(it.sink.endpoint)
    assert "s3cret" not in everything + failed.message
    assert "p4yload" not in everything and base64.b64encode(b"p4yload").decode() not in everything


def test_nothing_is_posted_for_no_records(setup):
    it = setup(taken)
    assert (it.sink.deliver(records()), it.server.requests) == ([], [])


@given(
    st.lists(st.binary(max_size=50), max_size=60),
    st.integers(1, 12),
    st.integers(300, 900),
)
def test_requests_hold_every_record_once_in_order_and_within_the_limits(data, most, largest):
    batch = records(*data)
    runs = list(requests(batch, most, largest))
    assert [row for run in runs for row in range(run.start, run.stop)] == list(range(len(data)))
    for run in runs:
        part = batch.take(np.arange(run.start, run.stop))
        assert 1 <= len(part) <= most
        assert len(body("x" * 36, START, part)) <= largest


def test_a_buffer_of_64_mib_makes_two_requests_within_the_limit():
    batch = records(*[bytes(1_000_000)] * 64)
    sizes = [sum(1_333_336 + 12 for _ in range(run.start, run.stop)) for run in requests(batch)]
    assert len(sizes) == 2 and max(sizes) <= LARGEST_BODY


def test_the_documented_configuration_is_read(shared):
    document = json.loads((shared / "spec/examples/create.http-endpoint.json").read_text())
    endpoint = Endpoint.of(document["HttpEndpointDestinationConfiguration"])
    assert endpoint == Endpoint(
        url="https://collector.local/ingest",
        access_key="example-access-key",
        attributes={"env": "test"},
        gzip=True,
        retry=300,
    )


@pytest.mark.parametrize(
    "url", ["http://host/", "https://host:8443/", "ftp://host", "https://", "https://host:x/", "host"]
)
def test_only_https_on_443_is_taken_unless_local(url):
    with pytest.raises(ConfigError, match="Url"):
        Endpoint.of({"EndpointConfiguration": {"Url": url}})


def test_local_endpoints_may_be_any_http_and_a_key_that_no_header_can_carry_is_refused_unseen():
    local = {"EndpointConfiguration": {"Url": "http://127.0.0.1:8080/x"}}
    assert Endpoint.of(local, local=True).retry == 300
    local["EndpointConfiguration"]["AccessKey"] = "s3cret\nX-Other: 1"
    with pytest.raises(ConfigError) as caught:
        Endpoint.of(local, local=True)
    assert "s3cret" not in str(caught.value)
