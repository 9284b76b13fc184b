"""The OpenSearch destination against a scripted cluster: only what failed is sent again, with its id."""

import json
import threading

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ConfigError
from schemas.records import Records
from sinks.bulk import document
from sinks.cluster import Access, Cluster, connect
from sinks.opensearch import OpenSearchSink

IDENTITY = "arn:aws:firehose:us-east-1:000000000000:deliverystream/drift-alerts@1"
START = 1_767_311_999_999  # 2026-01-01T23:59:59.999Z
MAPPING = {"type": "mapper_parsing_exception", "reason": "failed to parse field [id]"}


def records(*data: bytes, first: int = 1) -> Records:
    numbers = np.arange(len(data))
    return Records(pa.array(data, pa.binary()), START + numbers, first + numbers)


def sent(request) -> list[tuple[dict, bytes]]:
    """Actions and documents of a bulk request."""
    assert request.body.endswith(b"\n")
    texts = request.body.split(b"\n")[:-1]
    return [(json.loads(action), text) for action, text in zip(texts[::2], texts[1::2], strict=True)]


def stored(request):
    return statuses()(request)


def statuses(*given: int | tuple[int, object]):
    """A cluster's answer with these statuses, the others 201."""

    def answer(request):
        items = []
        for place, (action, _) in enumerate(sent(request)):
            ((operation, about),) = action.items()
            outcome = given[place] if place < len(given) else 201
            status, error = outcome if isinstance(outcome, tuple) else (outcome, None)
            items.append({operation: {**about, "status": status} | ({"error": error} if error else {})})
        answer = {"took": 7, "errors": any(given), "items": items}
        return 200, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(answer).encode()

    return answer


class Setup:
    """A sink whose clock moves when it sleeps."""

    def __init__(self, server, largest_body=10 << 20, access=None, timeout=5.0, **fields):
        self.server, self.waits, self.time = server, [], 0.0
        cluster = Cluster(**{"url": server.url.partition("/ingest")[0], "index": "alerts", **fields})
        self.sink = OpenSearchSink(
            cluster,
            connect(cluster.url, access, timeout),
            IDENTITY,
            largest_body=largest_body,
            sleep=self.sleep,
            clock=lambda: self.time,
            now=lambda: START + int(self.time * 1000),
        )

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.time += seconds

    def sent(self):
        return [sent(request) for request in self.server.requests]

    def texts(self):
        return [[text for _, text in request] for request in self.sent()]


@pytest.fixture
def setup(scripted):
    return lambda *answers, **options: Setup(scripted(*answers), **options)


def test_a_bulk_request_is_lines_of_actions_and_documents(setup):
    it = setup(stored)
    assert it.sink.deliver(records(b'{"id":1}', b'{"id":\n2}\r\n', b'{"id":3}')) == []
    (request,) = it.server.requests
    assert (request.method, request.path) == ("POST", "/_bulk")
    assert request.headers.get_all("Content-Type") == ["application/x-ndjson"]
    actions = sent(request)
    assert [text for _, text in actions] == [b'{"id":1}', b'{"id": 2}', b'{"id":3}']
    indexes = [action["index"]["_index"] for action, _ in actions]
    assert indexes == ["alerts-2026-01-01", "alerts-2026-01-02", "alerts-2026-01-02"]  # over midnight
    ids = [action["index"]["_id"] for action, _ in actions]
    assert len({*ids}) == 3 and all(
        one.startswith("49") and one.endswith(".0") and len(one) == 58 for one in ids
    )
    assert all([*action["index"]] == ["_index", "_id"] for action, _ in actions)


def test_only_failed_documents_are_sent_again_with_the_ids_that_they_had(setup):
    it = setup(statuses(201, 429, (400, MAPPING), 503), stored)
    put = pa.array([f"put {n}".encode() for n in range(4)], pa.binary())
    (failed,) = it.sink.deliver(records(*[b'{"id":%d}' % n for n in range(4)]), put)
    first, second = it.sent()
    assert second == [first[1], first[3]]
    assert it.waits == [300]
    assert (failed.kind, failed.raw, failed.code) == ("AmazonOpenSearchService-failed", b"put 2", "400")
    assert failed.message == "mapper_parsing_exception: failed to parse field [id]"
    assert (failed.attempts, failed.arrived, failed.sequence, failed.ended) == (1, START + 2, 3, START)
    assert failed.more == {
        "esDocumentId": first[2][0]["index"]["_id"],
        "esIndexName": "alerts-2026-01-02",
        "esTypeName": "",
    }


def test_the_documented_answer_sends_the_second_document_to_the_backup(setup, shared):
    answer = (shared / "spec/examples/opensearch.bulk.response.partial.json").read_bytes()
    (failed,) = setup((200, {}, answer)).sink.deliver(records(b'{"id":1}', b'{"id":"oops"}'))
    line = json.loads((shared / "spec/examples/error_record.opensearch-failed.jsonl").read_text())
    assert (failed.code, failed.message) == (line["errorCode"], line["errorMessage"])
    assert [*failed.more] == [name for name in line if name.startswith("es")]


@pytest.mark.parametrize(
    "answer",
    [
        (503, {}, b'{"error": "down"}'),
        (429, {}, b""),
        (401, {}, b"Unauthorized"),
        (403, {}, b"{}"),
        (200, {}, b"not json"),
        (200, {}, b'{"took": 1}'),
        (200, {}, b'{"items": []}'),
        (200, {}, b'{"items": [{}, {}]}'),
        (200, {"Content-Type": "text/html"}, b"<p>a proxy</p>"),
        (307, {"Location": "/_bulk"}, b""),
        "reset",
    ],
)
def test_after_a_failure_of_the_whole_request_all_are_sent_again(setup, answer):
    it = setup(answer, stored, cadence=1)
    assert it.sink.deliver(records(b'{"a":1}', b'{"a":2}')) == []
    assert it.texts() == [[b'{"a":1}', b'{"a":2}']] * 2
    assert it.sent()[0] == it.sent()[1]
    assert it.waits == [1]


def test_a_slow_cluster_is_not_waited_for_beyond_the_timeout(setup):
    go = threading.Event()
    (failed,) = setup(go, timeout=0.1, retry=0).sink.deliver(records(b"{}"))
    go.set()
    assert failed.code == "OpenSearch.RequestTimeout"


@pytest.mark.parametrize(
    "retry, cadence, waits",
    [(0, 300, []), (300, 300, [300]), (60, 300, [60]), (700, 300, [300, 300, 100]), (3, 1, [1, 1, 1])],
)
def test_documents_go_to_the_backup_when_the_retry_duration_is_over(setup, retry, cadence, waits):
    it = setup((503, {}, b"down"), retry=retry, cadence=cadence)
    failed = it.sink.deliver(records(b'{"a":1}', b'{"a":2}'))
    assert it.waits == waits
    assert [(one.code, one.attempts) for one in failed] == [("503", len(waits) + 1)] * 2
    assert failed[0].ended == START + sum(waits) * 1000
    assert (it.sink.attempts, it.sink.successes) == (len(waits) + 1, 0)


def test_a_document_that_never_gets_through_has_its_last_reason(setup):
    busy = {"type": "rejected", "reason": "queue full", "caused_by": {"type": "memory", "reason": "low"}}
    it = setup(statuses((429, busy)), retry=2, cadence=1)
    (failed,) = it.sink.deliver(records(b'{"a":1}', b'{"a":2}'))
    assert it.texts() == [[b'{"a":1}', b'{"a":2}'], [b'{"a":1}'], [b'{"a":1}']]
    assert (failed.attempts, failed.code) == (3, "429")
    assert failed.message == "rejected: queue full: memory: low"


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"text",
        b"[1]",
        b"1",
        b'{"a": 1}{"a": 2}',
        b'{"a": 1}\n{"a": 2}',
        b'{"a": "\xff"}',
        b'{"a":' * 9999,
    ],
)
def test_what_is_not_one_json_object_goes_to_the_backup_at_once(setup, record):
    it = setup(stored)
    (failed,) = it.sink.deliver(records(record, b'{"good":1}'))
    assert (failed.raw, failed.code, failed.attempts, failed.sequence) == (record, "400", 1, 1)
    assert it.texts() == [[b'{"good":1}']]


def test_nothing_is_sent_where_nothing_can_be(setup):
    it = setup(stored)
    assert it.sink.deliver(records()) == []
    assert len(it.sink.deliver(records(b"x"))) == 1
    assert it.server.requests == []


def test_ids_are_the_same_after_a_restart_and_differ_from_those_of_another_stream(setup):
    first, again = setup(stored), setup(stored)
    first.sink.deliver(records(b'{"a":1}', b'{"a":2}'))
    again.sink.deliver(records(b'{"a":2}', first=2))
    assert first.sent()[0][1][0]["index"]["_id"] == again.sent()[0][0][0]["index"]["_id"]
    again.sink._identity = "a later stream of that name"
    again.sink.deliver(records(b'{"a":2}', first=2))
    assert again.sent()[0][0][0]["index"]["_id"] != again.sent()[1][0][0]["index"]["_id"]


def test_without_document_ids_the_cluster_makes_them(setup):
    it = setup(statuses((400, MAPPING)), ids=False)
    (failed,) = it.sink.deliver(records(b"{}"))
    assert it.sent()[0][0][0] == {"index": {"_index": "alerts-2026-01-01"}}
    assert failed.more["esDocumentId"] == ""


def test_create_writes_to_data_streams_and_a_document_that_is_there_is_stored(setup):
    it = setup(
        statuses((409, {"type": "version_conflict_engine_exception"})),
        operation="create",
        rotation="NoRotation",
    )
    assert it.sink.deliver(records(b"{}", b"{}")) == []
    assert [[*action] for action, _ in it.sent()[0]] == [["create"], ["create"]]
    assert it.sent()[0][0][0]["create"]["_index"] == "alerts"


@pytest.mark.parametrize("fields", [{}, {"operation": "create", "ids": False}])
def test_otherwise_a_conflict_is_a_failure(setup, fields):
    (failed,) = setup(statuses(409), **fields).sink.deliver(records(b"{}"))
    assert failed.code == "409"


def test_bodies_are_bounded_and_hold_every_document_once_in_order(setup):
    it = setup(statuses(429), stored, largest_body=1000, cadence=1)
    data = [b'{"n":%d}' % n for n in range(50)]
    assert it.sink.deliver(records(*data)) == []
    bodies = [request.body for request in it.server.requests]
    assert len(bodies) > 3 and max(map(len, bodies)) <= 1000
    assert [text for request in it.texts()[:-1] for text in request] == data
    assert it.texts()[-1] == [data[0]]


def test_a_document_larger_than_a_body_is_sent_by_itself(setup):
    it = setup(stored, largest_body=300)
    large = b'{"text":"%b"}' % (b"x" * 1000)
    it.sink.deliver(records(b"{}", large, b"{}"))
    assert it.texts() == [[b"{}"], [large], [b"{}"]]


def test_who_asks_is_told_by_basic_authentication_or_a_signature(setup, monkeypatch):
    basic = setup(stored, access=Access(user="u", password="s3cret"))
    basic.sink.deliver(records(b"{}"))
    assert basic.server.requests[0].headers["Authorization"].startswith("Basic ")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    signed = setup(stored, access=Access(region="us-east-1", service="aoss"))
    signed.sink.deliver(records(b"{}"))
    assert "/us-east-1/aoss/aws4_request" in signed.server.requests[0].headers["Authorization"]
    assert "s3cret" not in repr(Access(user="u", password="s3cret"))


def test_the_documented_configuration_is_read(shared):
    given = json.loads((shared / "spec/examples/create.opensearch.json").read_text())
    given = given["AmazonopensearchserviceDestinationConfiguration"]
    here = {"https://search.local:9200": "http://127.0.0.1:9200"}
    assert Cluster.of(given, here, cadence=1) == Cluster(
        url="http://127.0.0.1:9200", index="drift-alerts", cadence=1
    )
    assert Cluster.of(given).url == "https://search.local:9200"


def test_a_domain_needs_an_address_and_may_have_no_ids_and_no_rotation():
    domain = "arn:aws:es:us-east-1:000000000000:domain/search"
    given = {
        "DomainARN": domain,
        "IndexName": "i",
        "IndexRotationPeriod": "NoRotation",
        "DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
        "RetryOptions": {"DurationInSeconds": 0},
    }
    cluster = Cluster.of(given, {domain: "http://127.0.0.1:9200"})
    assert (cluster.rotation, cluster.ids, cluster.retry) == ("NoRotation", False, 0)
    with pytest.raises(ConfigError, match="domain/search"):
        Cluster.of(given)
    with pytest.raises(ConfigError, match="OneYear"):
        Cluster.of({"ClusterEndpoint": "https://x", "IndexName": "i", "IndexRotationPeriod": "OneYear"})


def test_serverless_has_neither_rotation_nor_ids_and_its_own_names(setup):
    cluster = Cluster.of({"CollectionEndpoint": "https://x", "IndexName": "i"})
    assert (cluster.rotation, cluster.ids, cluster.serverless) == ("NoRotation", False, True)
    it = setup(statuses(400), ids=False, rotation="NoRotation", serverless=True)
    (failed,) = it.sink.deliver(records(b"{}"))
    assert failed.more == {"osDocumentId": "", "osIndexName": "alerts"}


def test_a_document_is_flattened_and_means_the_same():
    text = b'\n{\n  "a": [1,\r\n 2],\n  "b": "x\\ny"\n}\n'
    flat = document(text)
    assert flat is not None and b"\n" not in flat and b"\r" not in flat
    assert json.loads(flat) == json.loads(text)
    assert document(b'{"a": "line\nbreak"}') is None
