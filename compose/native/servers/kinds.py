"""The three servers: how each is set up, started, and seen to be ready."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from servers import ports
from servers.errors import StackError
from servers.jars import HERE
from servers.java import Java

IDENTITY, CREDENTIAL = "local", "local-secret"  # of the S3 server; it listens on 127.0.0.1 only


class Kind(Protocol):
    """A server whose jars are `jars/*`, and whose data and settings are in `data`."""

    name: ClassVar[str]
    java: ClassVar[int]  # version needed
    heap: ClassVar[str]
    patience: ClassVar[float]  # seconds within which it is ready, on a busy machine
    ports: ClassVar[Mapping[str, int]]  # what it listens at unless told otherwise, the clients' first

    def prepare(self, java: Java, jars: Path, data: Path, at: Mapping[str, int]) -> None:
        """Write its settings, and what it wants to find at its first start."""

    def main(self, data: Path, at: Mapping[str, int]) -> list[str]:
        """What follows the class path on the command line."""

    def is_ready(self, port: int) -> bool:
        """Whether it does what it is there for."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker that is its own controller."""

    name: ClassVar[str] = "kafka"
    java: ClassVar[int] = 17
    heap: ClassVar[str] = "512m"
    patience: ClassVar[float] = 120.0
    ports: ClassVar[Mapping[str, int]] = {"kafka": 9092, "kafka-controller": 9093}
    cluster: ClassVar[str] = "c3RyZWFtZ2F1Z2Utc3RhYw"  # 16 bytes in base64, as Kafka wants them

    def prepare(self, java: Java, jars: Path, data: Path, at: Mapping[str, int]) -> None:
        settings = data / "server.properties"
        settings.write_text(self._settings(data, at), "utf-8")
        if (data / "log" / "meta.properties").exists():
            return
        tool = [str(java.program), "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "--standalone"]
        tool += ["-t", self.cluster, "-c", str(settings)]
        run = subprocess.run(tool, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode:
            raise StackError(f"Kafka could not format {data}:\n{run.stdout.strip()}")

    def main(self, data: Path, at: Mapping[str, int]) -> list[str]:
        return ["kafka.Kafka", str(data / "server.properties")]

    def is_ready(self, port: int) -> bool:
        return ports.kafka_brokers(port) > 0

    def _settings(self, data: Path, at: Mapping[str, int]) -> str:
        clients, controller = (f"{ports.HOST}:{at[name]}" for name in self.ports)
        return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{clients},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{clients},CONTROLLER://{controller}
log.dirs={data / "log"}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """One node without plugins: no security, no state management, no alerting."""

    name: ClassVar[str] = "opensearch"
    java: ClassVar[int] = 21
    heap: ClassVar[str] = "1g"
    patience: ClassVar[float] = 240.0
    ports: ClassVar[Mapping[str, int]] = {"opensearch": 9200}

    def prepare(self, java: Java, jars: Path, data: Path, at: Mapping[str, int]) -> None:
        """It makes all it needs itself."""

    def main(self, data: Path, at: Mapping[str, int]) -> list[str]:
        return [str(HERE / "Run.java"), str(at["opensearch"]), str(data)]

    def is_ready(self, port: int) -> bool:
        answer = ports.get(port, "/_cluster/health")
        if answer is None or answer[0] != 200:
            return False
        return json.loads(answer[1])["status"] in ("green", "yellow")


@dataclass(frozen=True, slots=True)
class S3:
    """S3Proxy: buckets are directories below `data/buckets`."""

    name: ClassVar[str] = "s3"
    java: ClassVar[int] = 17
    heap: ClassVar[str] = "256m"
    patience: ClassVar[float] = 60.0
    ports: ClassVar[Mapping[str, int]] = {"s3": 9000}

    def prepare(self, java: Java, jars: Path, data: Path, at: Mapping[str, int]) -> None:
        (data / "buckets").mkdir(exist_ok=True)
        (data / "s3proxy.properties").write_text(
            f"""\
s3proxy.endpoint=http://{ports.HOST}:{at["s3"]}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={IDENTITY}
s3proxy.credential={CREDENTIAL}
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={data / "buckets"}
""",
            "utf-8",
        )

    def main(self, data: Path, at: Mapping[str, int]) -> list[str]:
        return ["org.gaul.s3proxy.Main", "--properties", str(data / "s3proxy.properties")]

    def is_ready(self, port: int) -> bool:
        return ports.get(port, "/") is not None


KINDS: dict[str, Kind] = {kind.name: kind for kind in (Kafka(), OpenSearch(), S3())}
