"""Requests to an HTTP endpoint: where they go, their headers, their bodies.

Source: Data Firehose guide, appendix on HTTP endpoint delivery request and response specifications.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.errors import ConfigError
from schemas.records import Records
from schemas.splitting import base64_sizes, sizes, split

MOST_RECORDS = 10_000  # in a request
LARGEST_BODY = 64 << 20  # bytes, before compression
LONGEST_DATA = 1_365_336  # characters of base64 a record

_ENVELOPE = 128  # bytes of a body around its records, at most
_RECORD = len('{"data":""},')


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where and how records are posted; `retry` is in seconds. The access key is not printed."""

    url: str
    access_key: str = ""
    attributes: Mapping[str, str] = {}
    gzip: bool = False
    retry: float = 300.0

    @classmethod
    def of(cls, document: Mapping[str, Any], *, local: bool = False) -> "Endpoint":
        """From an HttpEndpointDestinationConfiguration. AWS posts to https on port 443 alone; `local` allows
        others.

        Raises ConfigError, without the key in its message.
        """
        target, request = document["EndpointConfiguration"], document.get("RequestConfiguration") or {}
        _check_url(target["Url"], local)
        key = target.get("AccessKey") or ""
        if any(character < " " or character == "\x7f" for character in key):
            raise ConfigError("the AccessKey has control characters, which no header can carry")
        attributes = request.get("CommonAttributes") or ()
        return cls(
            url=target["Url"],
            access_key=key,
            attributes={item["AttributeName"]: item["AttributeValue"] for item in attributes},
            gzip=request.get("ContentEncoding") == "GZIP",
            retry=(document.get("RetryOptions") or {}).get("DurationInSeconds", 300),
        )

    def __repr__(self) -> str:
        return f"Endpoint({urlsplit(self.url).netloc.rpartition('@')[2]})"


def _check_url(url: str, local: bool) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"the endpoint's Url is not one: {error}") from error
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise ConfigError("the endpoint's Url must begin with https:// and a host")
    if not local and (parts.scheme != "https" or port not in (None, 443)):
        raise ConfigError(
            "the endpoint's Url must be https on port 443; others need the setting for local endpoints"
        )


def fits(records: Records) -> NDArray[np.bool_]:
    """Which records are short enough to be posted, shape (records,)."""
    return base64_sizes(sizes(records.data)) <= LONGEST_DATA


def requests(records: Records, most: int = MOST_RECORDS, largest: int = LARGEST_BODY) -> Iterator[slice]:
    """The records of each request, in order: `most` at once, and no body above `largest` bytes."""
    bytes_each = base64_sizes(sizes(records.data)) + _RECORD
    return split((np.ones(len(records), np.int64), most), (bytes_each, largest - _ENVELOPE))


def request_id(identity: str, records: Records) -> str:
    """A UUID that is the same whenever the same records are posted, also after a restart."""
    name = f"{identity}/{int(records.sequence[0])}/{int(records.sequence[-1])}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def headers(endpoint: Endpoint, arn: str, identifier: str) -> dict[str, str]:
    """The headers of a request. What is not configured is left out."""
    given = {
        "Content-Type": "application/json",
        "User-Agent": "streamgauge",
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Request-Id": identifier,
        "X-Amz-Firehose-Source-Arn": arn,
    }
    if endpoint.access_key:
        # http.client writes Latin-1: in this way the key's own bytes are sent
        given["X-Amz-Firehose-Access-Key"] = endpoint.access_key.encode().decode("latin-1")
    if endpoint.attributes:
        attributes = {"commonAttributes": dict(endpoint.attributes)}
        given["X-Amz-Firehose-Common-Attributes"] = json.dumps(attributes, separators=(",", ":"))
    if endpoint.gzip:
        given["Content-Encoding"] = "gzip"
    return given


def body(identifier: str, timestamp: int, records: Records) -> bytes:
    """The body, not compressed; `timestamp` is in ms.

    >>> import pyarrow as pa
    >>> one = Records(pa.array([b"", b"hi"]), np.zeros(2, np.int64), np.arange(2))
    >>> body("7d0b", 1767323045500, one)
    b'{"requestId":"7d0b","timestamp":1767323045500,"records":[{"data":""},{"data":"aGk="}]}'
    """
    items = [{"data": data} for data in records.data.to_pylist()]  # msgspec writes bytes as base64
    return msgspec.json.encode({"requestId": identifier, "timestamp": timestamp, "records": items})
