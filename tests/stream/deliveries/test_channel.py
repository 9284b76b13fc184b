"""Which records become which objects, when, and what is left of it by a crash."""

import asyncio
import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivering import LAKE, MIB, NOW, ROLE, Delivering, stream
from schemas.errors import SinkBusy
from sinks.bucket import BucketRefused
from sinks.local_bucket import LocalBuckets
from stream.deliveries.channel import Abandoned

SMALL = {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}}


@pytest.fixture
def opened(tmp_path):
    """Opens deliveries, closed after the test."""
    running: list[Delivering] = []

    def opened(defined=None, **more: Any) -> Delivering:
        running.append(Delivering(tmp_path, defined or stream(), **more))
        return running[-1]

    yield opened
    for each in running:
        each.close()


def test_a_buffer_is_delivered_at_its_interval_or_when_it_is_full(opened):
    work = opened()  # 5 MiB, 300 s
    work.put(*[b"x" * (MIB // 4)] * 19, b"x" * (MIB // 4 - 10_000))
    work.clock.sleep(299)
    assert work.run() == 0
    work.clock.sleep(1)
    assert work.run() == 1
    assert [len(body) for body in work.objects().values()] == [5 * MIB - 10_000]
    work.put(*[b"y" * (MIB // 4)] * 10)
    work.put(*[b"y" * (MIB // 4)] * 11)
    assert work.run() == 1
    assert sorted(len(body) for body in work.objects().values()) == [5 * MIB - 10_000, 5 * MIB]


def test_the_interval_runs_from_the_oldest_record(opened):
    work = opened()
    work.put(b"a")
    work.clock.sleep(200)
    work.put(b"b")
    work.clock.sleep(99)
    assert work.run() == 0
    work.clock.sleep(1)
    assert work.run() == 1
    ((key, body),) = work.objects().items()
    assert body == b"ab"
    assert key.startswith("2026/01/02/03/s-1-2026-01-02-03-04-05-")  # when the oldest came


def test_what_was_put_is_delivered_after_a_restart(opened):
    work = opened()
    work.put(b"a", b"b")
    assert work.run() == 0
    work.restart()
    work.clock.sleep(300)
    assert work.run() == 1
    assert [*work.objects().values()] == [b"ab"]
    work.restart()
    work.clock.sleep(3_000)
    assert work.run() == 0


def test_after_an_outage_no_more_is_read_than_a_range_and_a_portion(opened, monkeypatch):
    work = opened(stream(**SMALL))
    for _ in range(12):
        work.put(*[b"x" * (MIB // 2)] * 4)
    asked = []
    read = work.queue.read

    def counted(name: str, after: int, limit: int) -> Any:
        found = read(name, after, limit)
        asked.append(found.nbytes)
        return found

    monkeypatch.setattr(work.queue, "read", counted)
    work.clock.sleep(60)
    assert work.run() == 24
    assert max(asked) < 11 * MIB
    assert sum(map(len, work.objects().values())) == 24 * MIB


def test_records_that_came_together_are_delivered_together_however_late(opened):
    work = opened(stream(BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60}))
    for _ in range(20):
        work.put(*[b"x" * MIB] * 2)
    work.clock.sleep(3_600)
    assert work.run() == 1
    assert [len(body) for body in work.objects().values()] == [40 * MIB]


def test_a_stream_that_is_gone_leaves_no_object(opened):
    work = opened()
    work.put(b"a")
    gone = msgspec.structs.replace(stream(), gone_from=NOW)
    work.queue._streams = {"s": gone}
    work.clock.sleep(3_000)
    assert work.run() == 0
    assert work.objects() == {}


class Away(LocalBuckets):
    """A bucket that cannot be reached for some puts."""

    def __init__(self, root, failures: int, error: Exception) -> None:
        super().__init__(root)
        self.failures, self.error = failures, error

    def put(self, *arguments: Any, **more: Any) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise self.error
        super().put(*arguments, **more)


@pytest.mark.parametrize("error", [SinkBusy("away"), BucketRefused("no such place")])
def test_a_bucket_that_is_away_delays_delivery_and_says_so(opened, tmp_path, caplog, error):
    work = opened(stream(**SMALL), bucket=Away(tmp_path / "buckets", 9, error))
    work.put(b"a", b"b")
    work.clock.sleep(60)
    began = work.clock()
    assert work.run() == 1
    assert [*work.objects().values()] == [b"ab"]
    assert work.clock() - began == (1 + 2 + 4 + 8 + 16 + 32 + 60 * 3) * 1_000
    assert [record.message for record in caplog.records] == ["delivery waits"] * 9
    success = work.metrics.snapshot()["s", "DeliveryToS3.Success"]
    assert (success.count, success.total) == (10, 1)
    assert work.metrics.snapshot()["s", "DeliveryToS3.DataFreshness"].last > 200


def test_a_range_that_was_sealed_goes_where_the_stream_pointed_then(opened, tmp_path):
    class Crash(Exception):
        pass

    work = opened(stream(Prefix="old/", **SMALL), bucket=Away(tmp_path / "buckets", 1, Crash()))
    work.put(b"a")
    work.clock.sleep(60)
    with pytest.raises(Crash):
        work.run()
    asyncio.run(work.queue.define(msgspec.structs.replace(stream(Prefix="new/", **SMALL), version=2)))
    work.restart()
    work.put(b"b")
    work.clock.sleep(60)
    assert work.run() == 2
    assert {key.split("/")[0]: body for key, body in work.objects().items()} == {"old": b"a", "new": b"b"}
    assert any("s-2-" in key for key in work.objects("new/"))


class Elsewhere(LocalBuckets):
    """A bucket `typo` that is not there."""

    def put(self, bucket: str, *arguments: Any, **more: Any) -> None:
        if bucket == "typo":
            raise SinkBusy("no such bucket")
        super().put(bucket, *arguments, **more)


def while_it_waits(work: Delivering, **change: Any) -> None:
    """The stream is changed as soon as its delivery has to wait."""

    def sleep(seconds: float) -> None:
        work.clock.sleep(seconds)
        now = work.queue.streams["s"]
        asyncio.run(work.queue.define(msgspec.structs.replace(now, **change)))

    work.channel._shared = msgspec.structs.replace(work.channel._shared, sleep=sleep)


def test_an_update_puts_right_where_a_range_could_not_be_stored(opened, tmp_path, monkeypatch):
    wrong = {"BucketARN": "arn:aws:s3:::typo"}
    work = opened(stream(**SMALL, **wrong), bucket=Elsewhere(tmp_path / "buckets"))
    work.put(b"a")
    work.clock.sleep(60)
    while_it_waits(work, destination={**LAKE, **SMALL}, version=2)
    assert work.run() == 1
    assert [*work.objects().values()] == [b"a"]


@pytest.mark.parametrize("change", [{"gone_from": NOW}, {"created": NOW + 1}])
def test_a_stream_that_is_deleted_while_its_bucket_is_away_is_abandoned(opened, tmp_path, change):
    wrong = {"BucketARN": "arn:aws:s3:::typo"}
    work = opened(stream(**SMALL, **wrong), bucket=Elsewhere(tmp_path / "buckets"))
    work.put(b"a")
    work.clock.sleep(60)
    while_it_waits(work, **change)
    with pytest.raises(Abandoned):
        work.run()


class Crash(BaseException):
    """Stands for SIGKILL: nothing after it happens."""


class Killing(LocalBuckets):
    """A bucket in which the process dies at some put, before or after it."""

    def __init__(self, root, when: list[tuple[int, bool]]) -> None:
        super().__init__(root)
        self.when, self.puts = dict(when), 0

    def put(self, *arguments: Any, **more: Any) -> None:
        self.puts += 1
        after = self.when.get(self.puts)
        if after is False:
            raise Crash
        super().put(*arguments, **more)
        if after:
            raise Crash


def run_through(work: Delivering) -> None:
    """Run to the end, begun anew after each crash."""
    while True:
        try:
            work.run()
            return
        except Crash:
            work.restart()


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 700_000), min_size=1, max_size=12),
    together=st.integers(1, 5),
    crashes=st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=6),
    partitioned=st.booleans(),
)
def test_the_union_of_the_objects_is_the_input_wherever_it_crashes(
    tmp_path_factory, sizes, together, crashes, partitioned
):
    path = tmp_path_factory.mktemp("crash")
    prefix = {"Prefix": "d/!{timestamp:yyyy}/", "ErrorOutputPrefix": "e/!{firehose:error-output-type}/"}
    defined = stream(CompressionFormat="GZIP", **SMALL, **(prefix if partitioned else {}))
    work = Delivering(path, defined, bucket=Killing(path / "buckets", crashes))
    records = [f"<{i}:{'x' * size}>".encode() for i, size in enumerate(sizes)]
    try:
        for at in range(0, len(records), together):
            work.put(*records[at : at + together])
            run_through(work)
        work.clock.sleep(60)
        run_through(work)
        bodies = sorted(work.objects().values(), key=lambda body: int(body[1 : body.index(b":")]))
        assert b"".join(bodies) == b"".join(records)
    finally:
        work.close()


def shout(event: Any, context: Any) -> Any:
    """A function: capitals; `drop` is let go, `fail` fails."""
    results = []
    for record in event["records"]:
        data = base64.b64decode(record["data"])
        result = "Dropped" if data == b"drop" else "ProcessingFailed" if data == b"fail" else "Ok"
        results.append(
            {
                "recordId": record["recordId"],
                "result": result,
                "data": base64.b64encode(data.upper()).decode(),
            }
        )
    return {"records": results}


ENRICH = "arn:aws:lambda:us-east-1:000000000000:function:enrich"
LAMBDA = {
    "Enabled": True,
    "Processors": [
        {
            "Type": "Lambda",
            "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": ENRICH}],
        },
        {"Type": "AppendDelimiterToRecord", "Parameters": []},
    ],
}


def test_a_function_changes_records_drops_some_and_all_are_backed_up_as_they_came(opened):
    backup = {**LAKE, "Prefix": "backup/", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}}
    defined = stream(
        Prefix="main/",
        ErrorOutputPrefix="errors/",
        ProcessingConfiguration=LAMBDA,
        S3BackupMode="Enabled",
        S3BackupConfiguration=backup,
        **SMALL,
    )
    work = opened(defined, functions={"enrich": f"{__name__}:shout"})
    work.put(b"a", b"drop", b"fail", b"b")
    work.clock.sleep(60)
    assert work.run() == 1
    assert [*work.objects("main/").values()] == [b"A\nB"]
    assert [*work.objects("backup/").values()] == [b"adropfailb"]
    (line,) = work.objects("errors/").values()
    told = json.loads(line)
    assert base64.b64decode(told["rawData"]) == b"fail"
    assert told["errorCode"] == "Lambda.ProcessingFailedStatus"
    counted = {name: series.total for (_, name), series in work.metrics.snapshot().items()}
    assert counted["DeliveryToS3.Records"] == 2
    assert counted["SucceedProcessing.Records"] == 2
    assert counted["BackupToS3.Records"] == 4


def test_records_of_one_stream_are_delivered_in_portions_through_a_function_and_none_is_lost(opened):
    defined = stream(
        ProcessingConfiguration=LAMBDA, BufferingHints={"SizeInMBs": 12, "IntervalInSeconds": 60}
    )
    work = opened(defined, functions={"enrich": f"{__name__}:shout"})
    records = [b"%06d" % i + b"x" * 50_000 for i in range(200)]
    for at in range(0, 200, 40):
        work.put(*records[at : at + 40])
    work.clock.sleep(60)
    assert work.run() == 1
    (body,) = work.objects().values()
    assert body == b"\n".join(record.upper() for record in records)


def test_what_cannot_be_delivered_waits_and_is_said(opened, caplog):
    work = opened(stream(ProcessingConfiguration=LAMBDA, **SMALL))  # no function is configured
    work.put(b"a")
    work.clock.sleep(60)
    assert work.channel.step() is False
    assert "no target is configured" in caplog.records[0].reason
    assert work.queue.waiting("s") > 0


TABLES = {"d": {"t": [{"Name": "part", "Type": "string"}, {"Name": "n", "Type": "int"}]}}
CONVERTED = {
    "SchemaConfiguration": {"RoleARN": ROLE, "DatabaseName": "d", "TableName": "t"},
    "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
    "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
}
BY_PART = {
    "Prefix": "p=!{partitionKeyFromQuery:part}/",
    "ErrorOutputPrefix": "e/!{firehose:error-output-type}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "ProcessingConfiguration": {
        "Enabled": True,
        "Processors": [
            {
                "Type": "MetadataExtraction",
                "Parameters": [
                    {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{part: .part}"},
                    {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
                ],
            }
        ],
    },
}


def test_partitions_and_conversions_are_counted(opened):
    work = opened(stream(DataFormatConversionConfiguration=CONVERTED, **BY_PART), tables=TABLES)
    work.put(*(b'{"part": "%c", "n": %s}' % (b"ab"[i % 2], n) for i, n in enumerate([b"1", b"2", b"[]"])))
    work.clock.sleep(300)
    assert work.run() == 1
    counted = {name: series.last for (_, name), series in work.metrics.snapshot().items()}
    assert counted["PartitionCount"] == counted["DeliveryToS3.ObjectCount"] == 2
    assert counted["SucceedConversion.Records"] == counted["DeliveryToS3.Records"] == 2
    assert counted["FailedConversion.Records"] == 1


def endpoint(url: str, **more: Any) -> Any:
    document = {
        "EndpointConfiguration": {"Url": url, "AccessKey": "k"},
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        "RetryOptions": {"DurationInSeconds": 0},
        "S3Configuration": {**LAKE, "Prefix": "backup/", "ErrorOutputPrefix": "failed/"},
        "RoleARN": ROLE,
        **more,
    }
    return stream(kind="HttpEndpoint", **document)


def taken(request: Any) -> Any:
    """The answer of an endpoint that took everything."""
    answer = {"requestId": json.loads(request.body)["requestId"], "timestamp": 1}
    return 200, {}, json.dumps(answer).encode()


def test_an_http_endpoint_has_the_records_and_what_it_refuses_is_backed_up(opened, scripted):
    server = scripted(taken, (500, {}, b""))
    work = opened(endpoint(server.url))
    work.put(b"a", b"b")
    work.clock.sleep(60)
    assert work.run() == 1
    assert work.objects() == {}
    sent = [base64.b64decode(record["data"]) for record in json.loads(server.requests[0].body)["records"]]
    assert sent == [b"a", b"b"]
    work.put(b"c")
    work.clock.sleep(60)
    assert work.run() == 1
    (line,) = work.objects("failed/http-endpoint-failed/").values()
    assert base64.b64decode(json.loads(line)["rawData"]) == b"c"


def test_a_backup_bucket_that_is_away_makes_no_endpoint_get_records_twice(opened, scripted, tmp_path):
    server = scripted(taken)
    bucket = Away(tmp_path / "buckets", 5, SinkBusy("away"))
    work = opened(endpoint(server.url, S3BackupMode="AllData"), bucket=bucket)
    work.put(b"a", b"b")
    work.clock.sleep(60)
    assert work.run() == 1
    assert len(server.requests) == 1
    assert [*work.objects("backup/").values()] == [b"ab"]


@pytest.mark.parametrize(("status", "records", "success"), [(200, 2, 1.0), (500, 0, 0.0), (413, 0, 0.0)])
def test_what_an_endpoint_did_not_take_is_not_counted_as_delivered(
    opened, scripted, status, records, success
):
    server = scripted(taken if status == 200 else (status, {}, b""))
    work = opened(endpoint(server.url))
    work.put(b"a", b"b")
    work.clock.sleep(60)
    assert work.run() == 1
    counted = {name: series.last for (_, name), series in work.metrics.snapshot().items()}
    assert counted["DeliveryToHttpEndpoint.Records"] == records
    assert counted["DeliveryToHttpEndpoint.Success"] == success


def test_a_request_that_was_sent_before_a_crash_keeps_its_id(opened, scripted, monkeypatch):
    server = scripted(taken)
    work = opened(endpoint(server.url))
    work.put(b"a")
    work.clock.sleep(60)
    monkeypatch.setattr(work.queue, "commit", lambda *_: (_ for _ in ()).throw(Crash))
    with pytest.raises(Crash):
        work.run()
    work.restart()
    work.put(b"b")
    assert work.run() == 1
    ids = [json.loads(request.body)["requestId"] for request in server.requests]
    assert len(ids) == 2 and len(set(ids)) == 1


def test_opensearch_has_documents_and_what_is_none_is_backed_up(opened, scripted):
    def bulk(request: Any) -> Any:
        lines = request.body.splitlines()[::2]
        items = [{"index": {**json.loads(line)["index"], "status": 201}} for line in lines]
        return 200, {}, json.dumps({"took": 1, "errors": False, "items": items}).encode()

    server = scripted(bulk)
    document = {
        "ClusterEndpoint": server.url.partition("/ingest")[0],
        "IndexName": "scores",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        "S3BackupMode": "FailedDocumentsOnly",
        "S3Configuration": {**LAKE, "ErrorOutputPrefix": "failed/"},
        "RoleARN": ROLE,
    }
    work = opened(stream(kind="Amazonopensearchservice", **document))
    work.put(b'{"score": 1}', b"no document")
    work.clock.sleep(60)
    assert work.run() == 1
    action, body = server.requests[-1].body.splitlines()
    assert json.loads(action)["index"]["_index"] == "scores-2026-01-02"
    assert json.loads(body) == {"score": 1}
    (line,) = work.objects("failed/AmazonOpenSearchService-failed/").values()
    assert base64.b64decode(json.loads(line)["rawData"]) == b"no document"
