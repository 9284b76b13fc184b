"""Settings of the distributed host: brokers, how they are trusted, topics, and where workers keep state."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from stream.fields import Directory, Duration, File, Name, Section


class TlsSettings(Section):
    """Encryption to the brokers; an empty table trusts the system's certificates."""

    ca: File | None = Field(None, description="file of certificates to trust instead of the system's")
    certificate: File | None = Field(None, description="certificate that clients show")
    key: File | None = Field(None, description="its private key")
    verify_host: bool = Field(True, description="whether a broker's name must be in its certificate")


class SaslSettings(Section):
    """Who asks the brokers."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    user: Name
    password: SecretStr = Field(min_length=1)


class KafkaSettings(Section):
    """Brokers, topics and workers of `streamgauge worker`, `ingest` and `topics`."""

    brokers: tuple[Name, ...] = Field(
        ("127.0.0.1:9092",), min_length=1, description="host:port of some brokers"
    )
    app: str = Field(
        "streamgauge",
        pattern=r"^[A-Za-z0-9._-]{1,150}$",
        description="consumer group, and what the names of topics begin with",
    )
    tls: TlsSettings | None = None
    sasl: SaslSettings | None = None
    captures: str | None = Field(None, description="topic of captures; default APP-captures")
    labels: str | None = Field(
        None, description="topic of ground truth, which workers join; default APP-labels where labels come"
    )
    partitions: int = Field(
        4, ge=1, le=4_096, description="partitions of captures, labels and delivery streams"
    )
    join_partitions: int = Field(
        4, ge=1, le=1_024, description="partitions that predictions and labels are joined in"
    )
    judge_partitions: int = Field(1, ge=1, le=256, description="partitions that endpoints are judged in")
    replication: int = Field(1, ge=1, le=32, description="copies of every topic")
    retention: Duration = Field(
        timedelta(days=7), gt=timedelta(0), description="how long captures stay in their topic"
    )
    message_bytes: int = Field(
        1_048_576, ge=65_536, le=1 << 30, description="largest message that topics take"
    )
    patience: Duration = Field(
        timedelta(seconds=10),
        gt=timedelta(0),
        description="how long a put waits for brokers before its client is told to try again",
    )
    max_held_bytes: int = Field(
        256 << 20,
        ge=16 << 20,
        description="bytes of records that a door or a delivery holds in memory at most",
    )
    session_timeout: Duration = Field(
        timedelta(seconds=30),
        ge=timedelta(seconds=6),
        description="silence after which a worker counts as gone",
    )
    standbys: int = Field(0, ge=0, le=8, description="workers beside its own that keep each state warm")
    state: Directory = Field(Path("worker-state"), description="directory of a worker's RocksDB files")
    host: Name = Field("127.0.0.1", description="address of a worker's metrics and health")
    port: int = Field(6066, ge=0, le=65_535, description="port of a worker's metrics and health; 0 takes any")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.tls is not None and (self.tls.certificate is None) != (self.tls.key is None):
            raise ValueError("tls.certificate and tls.key belong together")
        names = (
            self.captures_topic,
            self.labels_topic,
            self.joins_topic,
            self.partials_topic,
            self.records_topic,
            self.streams_topic,
        )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"one topic for several things: {', '.join(twice)}")
        return self

    @property
    def captures_topic(self) -> str:
        """Topic of capture records: what the watch stage reads."""
        return self.captures or f"{self.app}-captures"

    @property
    def labels_topic(self) -> str:
        """Topic of ground truth: what the label stage reads."""
        return self.labels or f"{self.app}-labels"

    @property
    def joins_topic(self) -> str:
        """Topic of predictions and labels by the hash of their ids: what the join stage reads."""
        return f"{self.app}-joins"

    @property
    def partials_topic(self) -> str:
        """Topic of what partitions say of their windows: what the judge stage reads."""
        return f"{self.app}-partials"

    @property
    def records_topic(self) -> str:
        """Topic of records put into delivery streams: what the delivery stage reads."""
        return f"{self.app}-records"

    @property
    def streams_topic(self) -> str:
        """Compacted topic of definitions of delivery streams."""
        return f"{self.app}-streams"
