"""A door on a free port, with a clock that tests turn, and clients as AWS ships them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from schemas.delivery_stream import DeliveryStream
from stream.ingest.door import Door, DoorThread
from stream.ingest.queue import Queue
from stream.settings import FirehoseSettings

NOW = 1_767_323_045_123  # 2026-01-02T03:04:05.123Z
ROLE = "arn:aws:iam::000000000000:role/local-delivery"
BUCKET = "arn:aws:s3:::capture-lake"
S3 = {"RoleARN": ROLE, "BucketARN": BUCKET}


class Clock:
    """Stands still until it is moved; ms since the epoch."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1_000)


class Running:
    """A door, and what tests look at behind it."""

    def __init__(
        self, path: Path, clock: Clock, intake: Callable[[Queue], Any], settings: dict[str, Any], **more: Any
    ):
        self.clock = clock
        self.settings = FirehoseSettings(port=0, **settings)
        self.queue = Queue(path / "queue.db", self.settings.max_waiting_bytes)
        self.door = Door(self.settings, intake(self.queue), clock, **more)
        self.thread = DoorThread(self.door)
        self.thread.start()

    @property
    def port(self) -> int:
        return self.door.port

    def client(
        self, key: str = "test", secret: str = "test", token: str | None = None, tries: int = 3
    ) -> Any:
        return boto3.client(
            "firehose",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": tries, "mode": "standard"}),
        )

    def stored(self, stream: str) -> list[bytes]:
        found: list[bytes] = self.queue.read(stream, 0, 2**30).data.to_pylist()
        return found

    def close(self) -> None:
        self.thread.stop()
        self.queue.close()


def a_stream(name: str) -> DeliveryStream:
    arn = f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}"
    return DeliveryStream(name, arn, "DirectPut", "ExtendedS3", dict(S3), NOW, NOW)
