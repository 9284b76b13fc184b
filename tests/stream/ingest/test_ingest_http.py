"""Requests as they come over the wire, from clients that are no AWS clients too."""

import asyncio.selector_events
import http.client
import json
import logging
import re
import resource
import socket
import threading
import time
import uuid

import pytest

from doors import S3
from schemas.errors import ConfigError
from stream.ingest import http as door_http
from stream.ingest.door import Door, DoorThread

TARGET = "Firehose_20150804.ListDeliveryStreams"
HEADERS = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.1"}


def send(door, body=b"{}", method="POST", path="/", **headers):
    """Status, headers and body of the answer; a header given as None is left out."""
    sent = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
    connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    return answer.status, answer.headers, raw


def error(door, *arguments, **members) -> str:
    status, headers, raw = send(door, *arguments, **members)
    told = json.loads(raw)
    assert headers["Content-Type"].startswith("application/x-amz-json-1.1")
    assert uuid.UUID(headers["x-amzn-RequestId"])
    assert set(told) == {"__type", "message"} and told["message"]
    return f"{status} {told['__type']}"


def connect(door) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), timeout=20)


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def head(length: int, *more: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: x", f"X-Amz-Target: {TARGET}", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def test_an_answer_has_the_headers_that_clients_look_for(door):
    status, headers, raw = send(door)
    assert (status, json.loads(raw)) == (200, {"DeliveryStreamNames": [], "HasMoreDeliveryStreams": False})
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert uuid.UUID(headers["x-amzn-RequestId"]) != uuid.UUID(send(door)[1]["x-amzn-RequestId"])
    assert "Date" in headers  # clients correct their clocks by it


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"method": "GET", "body": None}, "404 UnknownOperationException"),
        ({"method": "PUT"}, "404 UnknownOperationException"),
        ({"path": "/other"}, "404 UnknownOperationException"),
        ({"path": "/?Action=ListDeliveryStreams"}, "404 UnknownOperationException"),
        ({"X_Amz_Target": None}, "400 UnknownOperationException"),
        ({"X_Amz_Target": "Firehose_20150804.Nothing"}, "400 UnknownOperationException"),
        ({"X_Amz_Target": "ListDeliveryStreams"}, "400 UnknownOperationException"),
        ({"X_Amz_Target": "Kinesis_20131202.PutRecord"}, "400 UnknownOperationException"),
        ({"Content_Type": "text/plain"}, "400 SerializationException"),
        ({"Content_Type": None}, "400 SerializationException"),
        ({"Content_Encoding": "gzip"}, "400 SerializationException"),
        ({"body": b""}, "400 SerializationException"),
        ({"body": b"{"}, "400 SerializationException"),
        ({"body": b"[]"}, "400 SerializationException"),
        ({"body": b"5"}, "400 SerializationException"),
        ({"body": b'{"Limit": NaN}'}, "400 SerializationException"),
        ({"body": b'{"Limit": 1e999}'}, "400 SerializationException"),
        ({"body": b'{"Limit": ' + b"9" * 400 + b"}"}, "400 SerializationException"),
        ({"body": b'{"ExclusiveStartDeliveryStreamName": "\xff"}'}, "400 SerializationException"),
        ({"body": b'{"ExclusiveStartDeliveryStreamName": "\\ud800"}'}, "400 SerializationException"),
        ({"body": b"[" * 100_000}, "400 SerializationException"),
        ({"body": b'{"a":' * 100_000}, "400 SerializationException"),
    ],
)
def test_what_is_no_request_is_told_so(door, members, told):
    assert error(door, **members) == told
    assert send(door)[0] == 200


NO_PUTS = [
    ("{}", "Validation"),
    ('{"DeliveryStreamName": "plain"}', "Validation"),
    ('{"DeliveryStreamName": null, "Record": {"Data": ""}}', "Validation"),
    ('{"DeliveryStreamName": "plain", "Records": [], "Record": {}}', "Validation"),
    ('{"DeliveryStreamName": "plain", "Records": [{}], "Record": {"Data": null}}', "Validation"),
    ('{"DeliveryStreamName": "plain", "Records": [null], "Record": null}', "Validation"),
    ('{"DeliveryStreamName": "plain", "Records": {}, "Record": []}', "Serialization"),
    ('{"DeliveryStreamName": 5, "Records": [{"Data": ""}], "Record": {"Data": ""}}', "Serialization"),
    (
        '{"DeliveryStreamName": "plain", "Records": [{"Data": "YQ"}], "Record": {"Data": "YQ"}}',
        "Serialization",
    ),
    ('{"DeliveryStreamName": "plain", "Records": [{"Data": 1}], "Record": {"Data": 1}}', "Serialization"),
    ('{"DeliveryStreamName": "plain", "Records": ' + "[" * 100_000, "Serialization"),
    ("\x00\x01", "Serialization"),
    ('{"DeliveryStreamName": "\xff"}', "Serialization"),
]


@pytest.mark.parametrize("operation", ["PutRecord", "PutRecordBatch"])
@pytest.mark.parametrize(("body", "told"), NO_PUTS)
def test_puts_that_are_none_store_nothing(door, plain, operation, body, told):
    target = f"Firehose_20150804.{operation}"
    assert error(door, body.encode("latin-1"), X_Amz_Target=target) == f"400 {told}Exception"
    assert door.stored("plain") == []


def test_members_that_nobody_knows_are_passed_over(door, plain):
    body = b'{"DeliveryStreamName": "plain", "New": {}, "Records": [{"Data": "YQ==", "More": 1}]}'
    status, _, raw = send(door, body, X_Amz_Target="Firehose_20150804.PutRecordBatch")
    assert (status, json.loads(raw)["FailedPutCount"]) == (200, 0)
    assert door.stored("plain") == [b"a"]


def test_a_body_over_the_limit_is_refused_and_one_below_is_read(door, plain):
    filler = b'{"DeliveryStreamName": "plain", "Record": {"Data": "YQ=="}, "Filler": "'
    fits = filler + b"x" * (door_http.MAX_BODY - len(filler) - 2) + b'"}'
    assert send(door, fits, X_Amz_Target="Firehose_20150804.PutRecord")[0] == 200
    assert error(door, fits + b" ") == "413 RequestEntityTooLargeException"
    chunks = iter([bytes(2**20)] * 9)
    assert error(door, chunks) == "413 RequestEntityTooLargeException"
    assert send(door)[0] == 200


@pytest.mark.parametrize("length", [None, str(100 * 2**20)], ids=["chunked", "told"])
def test_a_hundred_megabytes_are_not_kept_in_memory(door, length):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert error(door, (bytes(2**18) for _ in range(400)), Content_Length=length).startswith("413")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB
    assert send(door)[0] == 200


def test_bodies_of_all_requests_together_have_a_bound(open_door, monkeypatch):
    monkeypatch.setattr(door_http, "_MAX_BODIES", 1_500)
    door = open_door()
    waiting = connect(door)
    waiting.sendall(head(1_000))
    time.sleep(0.2)
    assert error(door, b"{" + b" " * 998 + b"}") == "500 ServiceUnavailableException"
    waiting.sendall(b"{" + b" " * 998 + b"}")
    assert waiting.recv(100).startswith(b"HTTP/1.1 200")
    waiting.close()
    assert send(door, b"{" + b" " * 998 + b"}")[0] == 200


def test_clients_that_send_slowly_or_nothing_are_let_go(open_door):
    door = open_door(request_timeout="500ms")
    silent, half_head, half_body = connect(door), connect(door), connect(door)
    half_head.sendall(b"POST / HTTP/1.1\r\nHost:")
    half_body.sendall(head(100) + b'{"a"')
    assert b"408 " in (told := received(half_body)) and b"RequestTimeoutException" in told
    assert received(half_head) == received(silent) == b""
    for connection in (silent, half_head, half_body):
        connection.close()
    assert send(door)[0] == 200


def test_a_client_that_goes_away_in_the_middle_does_no_harm(door, plain):
    for sent in (b"", b"POST", head(1_000) + b"{"):
        connection = connect(door)
        connection.sendall(sent)
        connection.close()
    assert send(door)[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["tls", "nonsense", "negative", "ambiguous", "long"],
)
def test_what_is_no_http_is_answered_in_the_form_of_the_api_and_closed(door, sent, caplog):
    connection = connect(door)
    connection.sendall(sent)
    answer = received(connection)
    connection.close()
    assert re.match(rb"HTTP/1\.[01] 4\d\d ", answer)
    assert b'"__type":"SerializationException"' in answer
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert send(door)[0] == 200


def test_a_connection_serves_one_request_after_the_other_also_when_they_come_at_once(door):
    connection = connect(door)
    connection.sendall((head(2) + b"{}") * 3 + head(2, "Connection: close") + b"{}")
    answers = received(connection)
    connection.close()
    assert answers.count(b"HTTP/1.1 200 OK") == 4


def test_a_client_that_waits_for_leave_gets_it(door):
    connection = connect(door)
    connection.sendall(head(2, "Expect: 100-continue", "Connection: close"))
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(b"{}")
    assert received(connection).startswith(b"HTTP/1.1 200")
    connection.close()
    connection = connect(door)
    connection.sendall(head(10**9, "Expect: 100-continue"))
    assert connection.recv(100).startswith(b"HTTP/1.1 413")
    connection.close()


def test_headers_and_body_leave_in_one_write(door, client, plain, monkeypatch):
    writes: list[bytes] = []
    transport = asyncio.selector_events._SelectorSocketTransport
    write, writelines = transport.write, transport.writelines
    monkeypatch.setattr(
        transport, "write", lambda self, data: (writes.append(bytes(data)), write(self, data))[1]
    )

    def refuse(self, parts):
        parts = list(parts)
        writes.extend([b"apart"] * len(parts))
        writelines(self, parts)

    monkeypatch.setattr(transport, "writelines", refuse)
    client.put_record(DeliveryStreamName=plain, Record={"Data": b"x"})
    client.put_record_batch(DeliveryStreamName=plain, Records=[{"Data": b"x"}] * 500)
    client.describe_delivery_stream(DeliveryStreamName=plain)
    assert error(door, b"{") == "400 SerializationException"
    answers = [data for data in writes if len(data) > 1]  # single bytes wake event loops
    assert len(answers) == 4
    for answer in answers:
        headers, _, body = answer.partition(b"\r\n\r\n")
        assert headers.startswith(b"HTTP/1.1 ")
        assert int(re.search(rb"Content-Length: (\d+)", headers)[1]) == len(body) > 0
    assert len(answers[1]) > 20_000


def test_every_control_call_leaves_a_line_and_no_line_tells_what_was_put(door, client, caplog):
    caplog.set_level(logging.DEBUG, logger="stream")
    access = {"Url": "https://h/x", "AccessKey": "very-secret"}
    http_destination = {"EndpointConfiguration": access, "S3Configuration": S3}
    client.create_delivery_stream(
        DeliveryStreamName="s", HttpEndpointDestinationConfiguration=http_destination
    )
    with pytest.raises(client.exceptions.ResourceInUseException):
        client.create_delivery_stream(DeliveryStreamName="s", S3DestinationConfiguration=S3)
    client.put_record(DeliveryStreamName="s", Record={"Data": b"very-secret"})
    client.delete_delivery_stream(DeliveryStreamName="s")
    error(
        door,
        b"{",
        X_Amz_Target="Firehose_20150804.New\tLine=forged",
        Authorization="Credential=a=b/20260101/r/s/aws4_request",
    )
    lines = [vars(record) for record in caplog.records if record.message == "control call"]
    assert [(line["operation"], line["stream"], line["key"], line["result"]) for line in lines] == [
        ("CreateDeliveryStream", "s", "test", "ok"),
        ("CreateDeliveryStream", "s", "test", "ResourceInUseException"),
        ("DeleteDeliveryStream", "s", "test", "ok"),
        ("?", "", "?", "UnknownOperationException"),
    ]
    assert {line["address"] for line in lines} == {"127.0.0.1"}
    assert "very-secret" not in str([vars(record) for record in caplog.records])
    assert "dmVyeS1zZWNyZXQ" not in str([vars(record) for record in caplog.records])


def test_a_fault_of_the_server_is_told_as_one_and_logged(door, caplog, monkeypatch):
    def broken(*_):
        raise KeyError("oh")

    monkeypatch.setattr(door.door._api._control, "_reads", {"ListDeliveryStreams": broken})
    assert error(door) == "500 InternalFailure"
    assert "request failed" in caplog.messages


def test_an_address_that_is_taken_is_a_mistake_of_configuration(door):
    settings = door.settings.model_copy(update={"port": door.port})
    second = DoorThread(Door(settings, door.queue, door.clock))
    with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{door.port}"):
        second.start()


def test_a_door_that_closes_answers_what_is_under_way(open_door):
    door = open_door()
    door.client().create_delivery_stream(DeliveryStreamName="plain", S3DestinationConfiguration=S3)
    acknowledged, stopped = [], threading.Event()

    def put() -> None:
        while not stopped.is_set():
            body = b'{"DeliveryStreamName": "plain", "Records": [{"Data": "YQ=="}]}'
            try:
                acknowledged.append(send(door, body, X_Amz_Target="Firehose_20150804.PutRecordBatch")[0])
            except OSError:
                return

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 20:
        time.sleep(0.01)
    door.thread.stop()
    stopped.set()
    for thread in threads:
        thread.join()
    assert set(acknowledged) == {200}
    assert len(door.stored("plain")) >= len(acknowledged)
    door.thread.stop = lambda: None


def test_a_door_that_closes_still_reads_a_request_that_has_begun(open_door):
    door = open_door()
    connection = connect(door)
    connection.sendall(head(2) + b"{")
    time.sleep(0.1)
    closing = threading.Thread(target=door.thread.stop)
    closing.start()
    time.sleep(0.1)
    connection.sendall(b"}")
    answer = received(connection)
    connection.close()
    closing.join()
    assert answer.startswith(b"HTTP/1.1 200") and b"Connection: close" in answer
    door.thread.stop = lambda: None
