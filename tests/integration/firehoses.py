"""Doors and workers as processes of their own, on one application of Kafka."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
from botocore.config import Config
from kafka import KafkaConsumer, TopicPartition

from schemas.frame import Frame, decode
from stream import topics
from stream.kafka_client import admin_client
from stream.settings import Settings, load

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::000000000000:role/r"
LINES = {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}]}


class Firehoses:
    """Doors and workers of one configuration; all of them end with the test."""

    def __init__(self, folder: Path, brokers: str, app: str, more: str = "") -> None:
        self.folder = folder
        self.config = folder / "streamgauge.toml"
        self.config.write_text(
            f'output = "out"\n[kafka]\nbrokers = ["{brokers}"]\napp = "{app}"\npartitions = 4\n'
            f'session_timeout = "6s"\npatience = "5s"\n[firehose]\nport = 0\n{more}'
        )
        self.settings: Settings = load(self.config)
        with admin_client(self.settings.kafka) as admin:
            topics.apply(admin, self.settings.kafka)
        self.running: list[subprocess.Popen[bytes]] = []

    def process(self, name: str, *command: object) -> tuple[subprocess.Popen[bytes], Path]:
        log = self.folder / f"{name}-{len(self.running)}.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *map(str, command)], cwd=ROOT, env=environment, stderr=file, stdout=file
            )
        self.running.append(process)
        return process, log

    def door(self) -> tuple[subprocess.Popen[bytes], Any]:
        """A door, and boto3's client of it, which does not try twice."""
        start = "from stream.cli import main; main()"
        process, log = self.process("door", "-c", start, "ingest", "--config", self.config)
        opened = wait(lambda: re.search(rb"door opened.*port=(\d+)", log.read_bytes()), 30)
        return process, client(int(opened.group(1)))

    def worker(self) -> tuple[subprocess.Popen[bytes], Path]:
        script = Path(__file__).with_name("delivery_worker.py")
        state = self.folder / f"state-{len(self.running) % 2}"
        return self.process("worker", script, self.config, state)

    def frames(self, topic: str) -> list[Frame]:
        """All frames of a topic."""
        with closing(KafkaConsumer(bootstrap_servers=list(self.settings.kafka.brokers))) as consumer:
            places = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            consumer.seek_to_beginning(*places)
            found = []
            while any(consumer.position(place) < ends[place] for place in places):
                for messages in consumer.poll(timeout_ms=500).values():
                    found += [decode(message.value) for message in messages]
        return found

    def records(self, topic: str, stream: str) -> list[bytes]:
        arrays = [frame.data for frame in self.frames(topic) if frame.source == stream]
        return pa.chunked_array(arrays, pa.binary()).to_pylist()

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()


def client(port: int) -> Any:
    return boto3.client(
        "firehose",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )


def wait(until: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
    return found


def lake(bucket: str = "lake", **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{bucket}"
    return {"RoleARN": ROLE, "BucketARN": arn, "ProcessingConfiguration": LINES, **more}
