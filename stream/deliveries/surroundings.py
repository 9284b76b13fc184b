"""What destinations need that no stream's definition says: buckets, functions, tables, addresses."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import ConfigError
from sinks.bucket import Bucket
from sinks.cluster import Access
from sinks.local_bucket import LocalBuckets
from sinks.s3_bucket import S3Buckets
from stream.firehose.catalog import Catalog
from stream.firehose.naming import Stream
from stream.settings import FirehoseSettings
from stream.transforms.invokers import invoker, target
from stream.transforms.lambda_ import Invoke
from stream.transforms.processors import Document, enabled

Sleep = Callable[[float], object]


class Surroundings(Struct, frozen=True):
    """Shared by all streams. `sleep` may raise, to stop a delivery in the middle; `now` gives ms.
    `place` tells sequence numbers apart that are counted in several places, as in partitions of a topic."""

    bucket: Bucket
    sleep: Sleep
    now: Callable[[], int]
    functions: Mapping[str, str] = {}
    tables: Catalog = {}
    addresses: Mapping[str, str] = {}
    access: Access = Access()
    cadence: float = 300.0
    local: bool = True
    keep_413: bool = False
    place: str = ""

    @classmethod
    def of(
        cls, settings: FirehoseSettings, output: Path, sleep: Sleep, now: Callable[[], int]
    ) -> "Surroundings":
        """As they are set. Raises ConfigError."""
        bucket: Bucket
        if settings.s3 is not None:
            bucket = S3Buckets(endpoint_url=settings.s3.endpoint, region=settings.s3.region)
        else:
            bucket = LocalBuckets(settings.buckets or output / "buckets")
        search = settings.opensearch
        return cls(
            bucket=bucket,
            sleep=sleep,
            now=now,
            functions=settings.functions,
            tables=_tables(settings.tables),
            addresses=search.addresses,
            access=Access(
                user=search.user or "",
                password=search.password.get_secret_value() if search.password else "",
                region=search.region or "",
            ),
            cadence=search.cadence.total_seconds(),
            local=settings.allow_http != "never",
            keep_413=settings.keep_413,
        )

    def named(self, stream: DeliveryStream) -> Stream:
        """The stream as the names of its objects have it."""
        return Stream(stream.name, stream.arn, str(stream.version), self.identity(stream))

    def identity(self, stream: DeliveryStream) -> str:
        """What tells sequence numbers of a stream from a later one's of the same name, or another place's."""
        return f"{stream.arn}@{stream.created}" + (f"/{self.place}" if self.place else "")

    def invoke(self, processing: Document | None) -> Invoke | None:
        """How the function of a ProcessingConfiguration is called; None where it has none. Raises
        ConfigError."""
        given = enabled(processing).get("Lambda")
        return invoker(target(given["LambdaArn"], self.functions), given["LambdaArn"]) if given else None


def _tables(path: Path | None) -> Catalog:
    if path is None:
        return {}
    try:
        catalog: Catalog = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return catalog
