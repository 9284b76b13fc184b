"""Buckets in S3, or in a store that speaks its protocol."""

from typing import Any

import boto3
import pyarrow as pa
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from schemas.errors import SinkBusy
from sinks.bucket import Body, BucketRefused

_PART = 16 << 20  # bytes: larger bodies go in several parts
_NEVER = ("EntityTooLarge", "InvalidArgument", "InvalidBucketName", "KeyTooLongError")


class S3Buckets:
    """Buckets that boto3 reaches; credentials and region come from where boto3 always finds them.

    A bucket that is missing or not allowed is busy, not lost: the service tries for a day, and somebody may
    put it right. Waiting between attempts is the caller's: boto3 is told not to try again by itself.
    """

    def __init__(self, *, endpoint_url: str | None = None, region: str | None = None) -> None:
        style = {"addressing_style": "path"} if endpoint_url else {}
        once = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60, s3=style)
        self._client = boto3.client("s3", endpoint_url=endpoint_url, region_name=region, config=once)
        self._transfer = TransferConfig(
            multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False
        )
        self._knows_lists = True

    def put(
        self,
        bucket: str,
        key: str,
        body: Body,
        *,
        content_type: str = "application/octet-stream",
        content_encoding: str | None = None,
        sse: str | None = None,
    ) -> None:
        """Store `body`, in one request or in parts. Raises SinkBusy or BucketRefused."""
        about: dict[str, Any] = {"ContentType": content_type}
        if content_encoding:
            about["ContentEncoding"] = content_encoding
        if sse:
            about |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": sse}
        try:
            self._upload(bucket, key, body, about)
        except ClientError as error:
            found = error.response.get("Error", {})
            kind = BucketRefused if found.get("Code") in _NEVER else SinkBusy
            raise kind(f"s3://{bucket}/{key}: {found.get('Code')}: {found.get('Message')}") from error
        except ParamValidationError as error:
            raise BucketRefused(f"s3://{bucket}/{key}: {error}") from error
        except BotoCoreError as error:
            raise SinkBusy(f"s3://{bucket}/{key}: {error}") from error

    def _upload(self, bucket: str, key: str, body: Body, about: dict[str, Any]) -> None:
        """Give the bucket's owner the object, except in stores that know no access control lists."""
        if self._knows_lists:
            try:
                return self._send(bucket, key, body, about | {"ACL": "bucket-owner-full-control"})
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "NotImplemented":
                    raise
        self._send(bucket, key, body, about)
        self._knows_lists = False

    def _send(self, bucket: str, key: str, body: Body, about: dict[str, Any]) -> None:
        read = pa.BufferReader(body)
        self._client.upload_fileobj(read, bucket, key, ExtraArgs=about, Config=self._transfer)
