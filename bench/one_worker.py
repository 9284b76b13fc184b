"""One worker with topics, a bucket and settings of its own, as a process that stays on one core."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

import gauge
import made
from monitors.data_quality import profile
from monitors.describe import suggest
from schemas.frame import Frame, encode
from schemas.times import END_OF_TIME
from servers_at import Servers
from sinks.reports import pretty
from stream.kafka_client import admin_client
from stream.kafka_settings import KafkaSettings
from stream.topics import apply

PORT = 18_266
BLOCK = 50_000  # records that are made, to be sent again and again

_SETTINGS = """
store = "s3://{name}/out"
baseline = "{folder}/baseline"
[s3]
endpoint = "http://{s3}"
region = "us-east-1"
[source]
endpoint = "bench"
idle = "1h"
[window]
{window}
[checkpoint]
{checkpoint}
[kafka]
app = "{name}"
brokers = ["{kafka}"]
partitions = {partitions}
port = {port}
state = "{folder}/{name}"
session_timeout = "6s"
{labels}
{more}
"""


class OneWorker:
    """Everything for one measurement, in `folder`; `window` and `checkpoint` are lines of those settings,
    `more` are further tables. With `labels` it joins them."""

    def __init__(
        self,
        name: str,
        folder: Path,
        servers: Servers,
        partitions: int = 4,
        window: str = 'size = "1h"',
        checkpoint: str = 'rows = 200000\ninterval = "1s"',
        more: str = "",
        labels: bool = False,
    ) -> None:
        self.name, self._folder, self._servers = f"bench-{name}-{time.time_ns():x}", folder, servers
        self._partitions = partitions
        self.kafka = KafkaSettings(brokers=(servers.kafka,), app=self.name, partitions=partitions)
        with admin_client(self.kafka) as admin:
            apply(admin, self.kafka)
        servers.make_bucket(self.name)
        _write_baseline(folder / "baseline")
        facts = {"window": window, "checkpoint": checkpoint, "partitions": partitions, "port": PORT}
        facts |= {"more": more, "labels": f'labels = "{self.kafka.labels_topic}"' if labels else ""}
        facts |= {"name": self.name, "folder": folder, "s3": servers.s3, "kafka": servers.kafka}
        self._config = folder / f"{self.name}.toml"
        self._config.write_text(_SETTINGS.format(**facts))

    def send(self, count: int, frame: int, hours: float = 24.0, final: bool = True) -> int:
        """Send so many records of event times in so many hours, `frame` a message (1: raw); gives the bytes
        of all messages."""
        producer = KafkaProducer(bootstrap_servers=self._servers.kafka, acks="all", linger_ms=20)
        block = made.captures(min(count, BLOCK), hours=hours)
        sent = 0
        for number, start in enumerate(range(0, count, frame)):
            # Hours go on from one message to the next, however often the block is sent.
            at = int(start / count * len(block))
            records = [block[(at + i) % len(block)] for i in range(min(frame, count - start))]
            message = records[0] if frame == 1 else encode(gauge.frames(records, frame)[0][1])
            producer.send(self.kafka.captures_topic, message, partition=number % self._partitions)
            sent += len(message)
        for partition in range(self._partitions if final else 0):
            last = encode(Frame.completion(gauge.SUBJECT, END_OF_TIME))
            producer.send(self.kafka.captures_topic, last, partition=partition)
        producer.flush()
        producer.close()
        return sent

    def start(self) -> "subprocess.Popen[bytes]":
        """The process."""
        core = max(os.sched_getaffinity(0))
        log = (self._folder / f"{self.name}.log").open("ab")
        program = Path(sys.executable).with_name("streamgauge")
        command = [str(program), "worker", "--config", str(self._config)]
        return subprocess.Popen(
            command, stderr=log, stdout=log, preexec_fn=lambda: os.sched_setaffinity(0, {core})
        )

    @property
    def rows(self) -> int:
        """Rows on S3."""
        return self._servers.rows(f"{self.name}/out/captures")


def _write_baseline(place: Path) -> None:
    described = profile(made.baseline_table(gauge.BASELINE_ROWS))
    place.mkdir(exist_ok=True)
    (place / "statistics.json").write_bytes(pretty(described))
    (place / "constraints.json").write_bytes(pretty(suggest(described)))


def metrics() -> dict[str, float]:
    """The worker's metrics, added up over their labels, and those of each stage as `name stage`; empty while
    the worker does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            stage = sample.labels.get("stage")
            for name in [sample.name, *([f"{sample.name} {stage}"] if stage else [])]:
                found[name] = found.get(name, 0.0) + sample.value
    return found
