"""Labels through the service: from files as they appear, and by PutRecord into a stream."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config

from labelled import captured, expected, ground_truth, labels, merged, reported, requests, settings, write
from made import HOUR, T0
from schemas.errors import ConfigError
from stream.serve import Service

END = T0 + 8 * HOUR


def service(out: Path, captures: Path, truth: Path, now: int = END, **more) -> Service:
    return Service(settings(out, captures, truth, **more), now=lambda: now)


def matched(out: Path) -> dict[int, int]:
    return {
        start: report["labels"]["matched"]
        for start, report in reported(out).items()
        if report["counts"]["records"]
    }


def test_labels_that_appear_after_a_restart_revise_what_was_reported(tmp_path):
    captures, truth, out = (tmp_path / name for name in ("captures", "truth", "out"))
    truth.mkdir()
    made = requests(120, hours=3)
    came = labels(made, 0.1)
    write(captures, {"a.jsonl": [captured(r) for r in [*made, (T0 + 6 * HOUR, "end", [0.5])]]})
    first = service(out, captures, truth)
    first.step()
    first.close()
    assert set(matched(out).values()) == {0}
    write(truth, {"2023/11/15/07/a.jsonl": [ground_truth(c) for c in came]})
    second = service(out, captures, truth)
    second.step()
    second.close()
    for start, (records, joined, mae) in expected(made, came).items():
        report = reported(out)[start]
        assert (report["revision"], report["labels"]["matched"], report["counts"]["records"]) == (
            1,
            joined,
            records,
        )
        assert report["statistics"]["regression_metrics"]["mae"]["value"] == pytest.approx(mae)
    assert len(merged(out)) == len({name for _, name, _ in came})


def test_labels_may_be_put_into_a_stream(tmp_path):
    captures, truth, out = (tmp_path / name for name in ("captures", "truth", "out"))
    made = requests(40, hours=1)
    came = labels(made, 0.1)
    write(captures, {"a.jsonl": [captured(r) for r in [*made, (T0 + 6 * HOUR, "end", [0.5])]]})
    door = {"port": 0, "labels": ["labels"], "metrics_port": 0}
    work = service(out, captures, truth, labels={}, firehose=door)
    assert work.firehose is not None
    work.firehose.start()
    try:
        put(work.firehose.door.port, [ground_truth(c) for c in came])
        deadline = time.monotonic() + 20
        while not any(matched(out).values()) and time.monotonic() < deadline:
            work.step()
            work.checkpoint()
        with urlopen(f"http://127.0.0.1:{work.firehose.metrics_port}/metrics") as answer:
            metrics = answer.read().decode().splitlines()
    finally:
        work.firehose.stop()
    work.close()
    assert f"streamgauge_labels_records_total {len(came)}" in metrics
    assert matched(out)[T0] == expected(made, came)[T0][1]


def put(port: int, records: list[bytes]) -> None:
    client = boto3.client(
        "firehose",
        region_name="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 1}),
    )
    destination = {"RoleARN": "arn:aws:iam::000000000000:role/r", "BucketARN": "arn:aws:s3:::labels"}
    client.create_delivery_stream(DeliveryStreamName="labels", ExtendedS3DestinationConfiguration=destination)
    client.put_record_batch(DeliveryStreamName="labels", Records=[{"Data": record} for record in records])


def test_a_stream_of_labels_needs_something_to_join(tmp_path):
    write(tmp_path, {"a.jsonl": [captured(r) for r in requests(3)]})
    with pytest.raises(ConfigError, match="no endpoint has a problem type"):
        service(
            tmp_path / "out", tmp_path, tmp_path, quality={}, labels={}, firehose={"port": 0, "labels": ["l"]}
        )
