"""Doors and workers as processes of their own, on one application of Kafka."""

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
from kafka import KafkaConsumer, TopicPartition

from door_process import STREAMGAUGE, client, opened, started
from schemas.frame import Frame, decode
from stream import topics
from stream.kafka_client import admin_client
from stream.settings import Settings, load

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
        process = started(log, *command)
        self.running.append(process)
        return process, log

    def door(self) -> tuple[subprocess.Popen[bytes], Any]:
        """A door, and boto3's client of it, which does not try twice."""
        process, log = self.process("door", *STREAMGAUGE, "ingest", "--config", self.config)
        return process, client(opened(process, log))

    def worker(self, name: str = "") -> tuple[subprocess.Popen[bytes], Path]:
        """A worker; one of the same name goes on with the files of the one before."""
        script = Path(__file__).with_name("delivery_worker.py")
        state = self.folder / f"state-{name or len(self.running) % 2}"
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


def wait(until: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
    return found


def lake(bucket: str = "lake", **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{bucket}"
    return {"RoleARN": ROLE, "BucketARN": arn, "ProcessingConfiguration": LINES, **more}
