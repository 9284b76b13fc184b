"""Buckets: where whole objects are put under keys, in S3 or on a local disk."""

from typing import Protocol, TypeAlias

import pyarrow as pa

from schemas.errors import PipelineError

Body: TypeAlias = bytes | pa.Buffer


class BucketRefused(PipelineError):
    """An object can never be stored under this key: keep its records aside, do not try again."""


class Bucket(Protocol):
    """Whole objects, safe to put again: the same key holds the newest body."""

    def put(
        self,
        bucket: str,
        key: str,
        body: Body,
        *,
        content_type: str,
        content_encoding: str | None = None,
        sse: str | None = None,
    ) -> None:
        """Return once the object is durable. `sse` is the ARN of the KMS key to encrypt it with.

        Raises SinkBusy when it may be stored later, BucketRefused when it never can.
        """
        ...
