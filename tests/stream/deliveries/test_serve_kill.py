"""The whole service, killed while clients put: what it acknowledged is in one object and in one report."""

import json
import random
import signal
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from door_process import STREAMGAUGE, client, opened, started
from made import HOUR, T0, capture, settings_for

TURNS = 4
S3 = {
    "RoleARN": "arn:aws:iam::000000000000:role/r",
    "BucketARN": "arn:aws:s3:::lake",
    "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
    "ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}]},
}


def delivered(out: Path) -> list[str]:
    files = [path for path in out.glob("buckets/lake/**/*") if path.is_file() and path.name[0] != "."]
    lines = [line for path in files for line in path.read_bytes().split(b"\n")]
    return [json.loads(line)["eventMetadata"]["eventId"] for line in lines]


def test_what_was_acknowledged_is_delivered_and_watched_once_whenever_it_is_killed(tmp_path):
    out = tmp_path / "out"
    settings_for(out, tmp_path / "none")  # makes the baseline
    config = tmp_path / "streamgauge.toml"
    config.write_text(
        'output = "out"\nbaseline = "baseline"\nwindow.size = "1h"\n'
        '[firehose]\nport = 0\nwatch = { captures = "churn" }\n'
    )
    rng = random.Random(3)
    acknowledged, sent, number = set(), set(), 0
    for turn in range(TURNS + 1):
        process = started(log := tmp_path / f"door-{turn}.log", *STREAMGAUGE, "serve", "--config", config)
        port = opened(process, log)
        if turn == 0:
            client(port).create_delivery_stream(
                DeliveryStreamName="captures", ExtendedS3DestinationConfiguration=S3
            )
        ends = time.monotonic() + rng.uniform(0.5, 2.0)
        while time.monotonic() < ends:
            ids = [f"e{number + i}" for i in range(rng.randrange(1, 60))]
            number += len(ids)
            sent.update(ids)
            records = [capture(T0 + rng.randrange(2 * HOUR), [(0.5, 40, "rome")], i) for i in ids]
            try:
                client(port).put_record_batch(
                    DeliveryStreamName="captures", Records=[{"Data": record} for record in records]
                )
                acknowledged.update(ids)
            except (BotoCoreError, ClientError):
                break
        if turn < TURNS:
            process.kill()
        else:
            while len(delivered(out)) < len(acknowledged):
                time.sleep(0.1)
                assert process.poll() is None
            time.sleep(1.5)
            process.send_signal(signal.SIGTERM)
        process.wait(30)
    found = delivered(out)
    assert len(found) == len(set(found))
    assert acknowledged <= set(found) <= sent
    summary = json.loads((out / "summary.json").read_bytes())
    assert summary["counts"]["records"] == len(found)
