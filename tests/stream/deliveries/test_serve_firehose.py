"""The service with its door: AWS's own client puts records in, objects, reports and metrics come out."""

import gzip
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import boto3
import pyarrow.dataset
import pytest
from botocore.config import Config

from delivering import ROLE, Clock
from made import HOUR, T0, capture, settings_for, table
from stream.serve import Service


class Serving:
    """A service in a thread, with a clock for buffers, and a client of its door."""

    def __init__(self, out: Path, captures: Path, **firehose: Any) -> None:
        self.out, self.clock, self.stop = out, Clock(), Event()
        self.settings = settings_for(out, captures, firehose={"port": 0, **firehose})
        self.failure: BaseException | None = None
        self.service: Service | None = None
        self.thread = Thread(target=self._run)
        self.thread.start()
        self.firehose = self.wait(lambda: self.service and self.service.firehose)
        self.url = f"http://127.0.0.1:{self.wait(lambda: self.firehose.door.port)}"
        self.client = boto3.client(
            "firehose",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _run(self) -> None:
        try:
            self.service = Service(self.settings, self.stop, now=self.clock)
            self.service.run()
        except BaseException as error:
            self.failure = error

    def wait(self, until: Callable[[], Any], seconds: float = 20.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := until()):
            assert time.monotonic() < end and self.failure is None, self.failure
            time.sleep(0.02)
        return found

    def put(self, stream: str, *records: bytes) -> None:
        answer = self.client.put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": record} for record in records]
        )
        assert answer["FailedPutCount"] == 0

    def objects(self, under: str = "") -> dict[str, bytes]:
        root = self.out / "buckets" / "capture-lake"
        paths = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
        keys = {path.relative_to(root).as_posix(): path for path in paths}
        return {key: path.read_bytes() for key, path in sorted(keys.items()) if key.startswith(under)}

    def close(self) -> None:
        """Stop; a second time changes nothing."""
        self.stop.set()
        self.thread.join()
        assert self.failure is None, self.failure


@pytest.fixture
def serving(tmp_path) -> Iterator[Callable[..., Serving]]:
    running: list[Serving] = []

    def start(**firehose: Any) -> Serving:
        (tmp_path / "none").mkdir(exist_ok=True)
        running.append(Serving(tmp_path / "out", tmp_path / "none", **firehose))
        return running[-1]

    yield start
    for each in running:
        each.close()


def example(shared: Path, name: str) -> Any:
    return json.loads((shared / "spec" / "examples" / f"create.{name}.json").read_bytes())


def test_a_stream_made_from_an_example_delivers_gzipped_lines_under_its_prefix(serving, shared):
    work = serving()
    work.client.create_delivery_stream(**example(shared, "s3-gzip"))
    work.put("capture-raw", b'{"a": 1}', b'{"a": 2}')
    work.clock.sleep(61)
    ((key, body),) = work.wait(lambda: work.objects("raw/")).items()
    assert re.fullmatch(
        r"raw/model=credit/dt=2026-01-02/hr=03/capture-raw-1-2026-01-02-03-04-05-[0-9a-f-]{36}\.jsonl\.gz",
        key,
    )
    assert gzip.decompress(body) == b'{"a": 1}\n{"a": 2}'


def test_a_stream_made_from_an_example_partitions_by_what_is_in_its_records(serving, shared):
    work = serving()
    work.client.create_delivery_stream(**example(shared, "s3-dynamic-partitioning"))
    records = [b'{"endpoint": "e%d", "meta": {"variant": "v"}, "n": %d}' % (i % 2, i) for i in range(6)]
    work.put("capture-by-model", *records, b'{"endpoint": ""}')
    work.clock.sleep(61)
    work.wait(lambda: len(work.objects()) == 3)
    for part in range(2):
        (body,) = work.objects(f"by-model/endpoint=e{part}/variant=v/dt=2026-01-02/").values()
        assert body.split(b"\n") == records[part::2]
    (line,) = work.objects("by-model-errors/processing-failed/").values()
    assert json.loads(line)["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"


def test_a_stream_made_from_an_example_converts_records_to_parquet(serving, shared, tmp_path):
    created = example(shared, "s3-parquet")
    config = created["ExtendedS3DestinationConfiguration"]["DataFormatConversionConfiguration"]
    schema = config["SchemaConfiguration"]
    columns = [{"Name": "model", "Type": "string"}, {"Name": "score", "Type": "double"}]
    catalog = {schema["DatabaseName"]: {schema["TableName"]: columns}}
    (tmp_path / "tables.json").write_text(json.dumps(catalog))
    work = serving(tables=tmp_path / "tables.json")
    work.client.create_delivery_stream(**created)
    work.put(created["DeliveryStreamName"], b'{"model": "a", "score": 0.5}', b'{"model": "b"}', b"no json")
    work.clock.sleep(901)
    work.wait(lambda: len(work.objects()) == 2)
    (key,) = (key for key in work.objects() if key.endswith(".parquet"))
    rows = pyarrow.dataset.dataset(work.out / "buckets" / "capture-lake" / key).to_table().to_pylist()
    assert rows == [{"model": "a", "score": 0.5}, {"model": "b", "score": None}]


def test_a_stream_that_cannot_be_delivered_is_refused_when_it_is_made(serving, shared):
    work = serving()
    with pytest.raises(work.client.exceptions.InvalidArgumentException, match="no target is configured"):
        work.client.create_delivery_stream(**example(shared, "lambda-and-backup"))
    with pytest.raises(work.client.exceptions.InvalidArgumentException, match="S3"):
        work.client.create_delivery_stream(DeliveryStreamName="x", SplunkDestinationConfiguration={
            "HECEndpoint": "https://h", "HECEndpointType": "Raw", "HECToken": "t", "S3Configuration": S3,
        })  # fmt: skip
    assert work.client.list_delivery_streams()["DeliveryStreamNames"] == []


S3 = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::capture-lake"}


def test_records_of_a_watched_stream_are_judged_and_delivered(serving):
    work = serving(watch={"captures": "churn"})
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 60}
    work.client.create_delivery_stream(
        DeliveryStreamName="captures", ExtendedS3DestinationConfiguration={**S3, "BufferingHints": hints}
    )
    rows = table().to_pylist()[:60]
    records = [
        capture(T0 + i, [(r["score"], r["age"] + 60, r["city"] or "")], f"e{i}") for i, r in enumerate(rows)
    ]
    work.put("captures", *records)
    work.put("captures", capture(T0 + 3 * HOUR, [(0.5, 40, "rome")], "last"))
    report = work.wait(lambda: next(iter(work.out.glob("reports/churn/**/report.json")), None))
    told = json.loads(report.read_bytes())
    assert told["counts"]["records"] == 60
    assert any(v["feature_name"] == "age" for v in told["violations"])
    work.clock.sleep(61)
    (body,) = work.wait(lambda: work.objects()).values()
    assert body == b"".join(records) + capture(T0 + 3 * HOUR, [(0.5, 40, "rome")], "last")


def test_a_restart_goes_on_with_what_was_acknowledged(serving):
    first = serving(watch={"captures": "churn"})
    first.client.create_delivery_stream(DeliveryStreamName="captures", S3DestinationConfiguration=S3)
    first.put("captures", capture(T0, [(0.5, 40, "rome")], "a"))
    first.close()
    assert first.objects() == {}
    second = serving(watch={"captures": "churn"})
    assert second.client.list_delivery_streams()["DeliveryStreamNames"] == ["captures"]
    second.put("captures", capture(T0 + 1, [(0.5, 40, "rome")], "b"))
    second.clock.sleep(301)
    second.wait(lambda: b"".join(second.objects().values()).count(b"eventMetadata") == 2)
    second.wait(lambda: second.service.host.totals.records == 2)


def test_metrics_are_served_by_firehoses_names(serving):
    work = serving(metrics_port=0, embedded_metrics="1h")
    work.client.create_delivery_stream(DeliveryStreamName="s", S3DestinationConfiguration=S3)
    work.put("s", b"a", b"bc")
    work.clock.sleep(301)
    work.wait(lambda: work.objects())

    def metrics() -> str:
        url = f"http://127.0.0.1:{work.firehose.metrics_port}/metrics"
        with urllib.request.urlopen(url) as answer:
            return str(answer.read().decode())

    text = work.wait(lambda: found if "delivery_to_s3" in (found := metrics()) else "")
    assert re.search(r'firehose_incoming_records\w*\{stream="s"\} 2', text)
    assert re.search(r'firehose_delivery_to_s3_records\w*\{stream="s"\} 2', text)
    work.close()
    event = json.loads((work.out / "metrics.jsonl").read_text().splitlines()[-1])
    assert event["DeliveryStreamName"] == "s"
    assert event["IncomingRecords"] == 2
