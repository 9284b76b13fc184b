"""A delivery stream behind a Firehose door as what takes captures or ground truth in, by AWS's own client.

Source: API reference of PutRecordBatch (500 records, 4 MiB, 1,000 KiB a record; each record is answered by
itself, and those that failed are put again).
"""

import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

import boto3
import numpy as np
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, SSLError
from botocore.session import get_session

from schemas.errors import BrokerError, ConfigError
from schemas.frame import Frame, Subject
from schemas.splitting import sizes, split
from stream.sending.address import Address
from stream.sending.cutting import where
from stream.sending.target import Stopped, Told

log = logging.getLogger(__name__)

_MOST_RECORDS, _MOST_BYTES, _LARGEST = 500, 4 << 20, 1_024_000
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0  # seconds between tries of a put
_LOOK = 0.2  # seconds between two looks at whether to stop
_NO_STREAM = "ResourceNotFoundException"
_LATER = {  # errors that say: not now
    "InternalFailure",
    "LimitExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


class HttpTarget:
    """Puts records into `stream` in their order; only those that were not taken are put again.

    `timeout` is how long (seconds) a door that takes nothing is tried. `client` has put_record_batch.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        timeout: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.told = Told()
        self._client, self._stream, self._timeout = client, stream, timeout
        self._clock, self._sleep = clock, sleep

    @classmethod
    def open(cls, address: Address, timeout: float) -> Self:
        """A client of the door at `address`, with the user's settings for AWS; without keys it shows any."""
        inner = get_session()
        if address.scheme == "http":  # a machine's own role is never meant, and looking for it takes seconds
            for provider in ("iam-role", "container-role"):
                inner.get_component("credential_provider").remove(provider)
        session = boto3.Session(botocore_session=inner)
        try:
            keys = session.get_credentials()
            found = {} if keys else {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
            client = session.client(
                "firehose",
                endpoint_url=f"{address.scheme}://{address.hosts[0]}",
                region_name=session.region_name or "us-east-1",
                config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60),
                **found,
            )
        except (BotoCoreError, ValueError) as error:
            raise ConfigError(f"{address}: {error}") from error
        return cls(client, address.name, timeout)

    def look(self) -> None:
        """Raises ConfigError where the door says that there is no such stream. What else it says, or that it
        does not answer, is for the first put: that is tried again, and may be allowed where this is not."""
        try:
            self._client.describe_delivery_stream(DeliveryStreamName=self._stream)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == _NO_STREAM:
                raise ConfigError(f"{self._stream}: no such delivery stream") from error
        except BotoCoreError:
            pass

    def send(self, frame: Frame, stopped: Stopped) -> None:
        """Put the records, and again those that were not taken. Raises BrokerError, ConfigError."""
        nbytes = sizes(frame.data)
        for index in np.flatnonzero(nbytes > _LARGEST).tolist():
            self.told.refuse(f"{where(frame, index)}: {nbytes[index]:,} bytes; a stream takes {_LARGEST:,}")
        records = [record for record in frame.data.to_pylist() if len(record) <= _LARGEST]
        kept = nbytes[nbytes <= _LARGEST]
        for run in split((np.ones_like(kept), _MOST_RECORDS), (kept, _MOST_BYTES)):
            if stopped():
                return
            self._put([{"Data": record} for record in records[run]], stopped)

    def complete(self, subjects: Iterable[Subject]) -> None:
        """Not to be asked for: a door takes nothing but records."""
        raise NotImplementedError

    def finish(self, stopped: Stopped) -> None:
        """Nothing to do: every put was answered."""

    def close(self, seconds: float) -> None:
        """Let go of connections."""
        self._client.close()

    def _put(self, records: list[dict[str, bytes]], stopped: Stopped) -> None:
        taken_at, delay = self._clock(), _FIRST_DELAY
        while records:
            left, why, after = self._try(records)
            if len(left) < len(records):
                taken_at, delay = self._clock(), _FIRST_DELAY
            records = left
            if not records:
                return
            if self._clock() - taken_at >= self._timeout:
                raise BrokerError(f"{self._stream}: {why}; nothing was taken for {self._timeout:g} s")
            log.info("records were not taken, trying again", extra={"stream": self._stream, "reason": why})
            if not self._pause(max(after, delay * random.uniform(0.5, 1.0)), stopped):
                return
            delay = min(2 * delay, _LONGEST_DELAY)

    def _try(self, records: list[dict[str, bytes]]) -> tuple[list[dict[str, bytes]], str, float]:
        """Put once: the records that were not taken, why, and how many seconds the door asks to wait."""
        try:
            answer = self._client.put_record_batch(DeliveryStreamName=self._stream, Records=records)
        except ClientError as error:
            about = error.response
            code = about.get("Error", {}).get("Code", "")
            meta = about.get("ResponseMetadata", {})
            if code == _NO_STREAM:
                raise ConfigError(f"{self._stream}: no such delivery stream") from error
            if code not in _LATER and meta.get("HTTPStatusCode", 0) not in (429, 500, 502, 503, 504):
                raise BrokerError(f"{self._stream}: {error}") from error
            return records, code, _seconds(meta.get("HTTPHeaders", {}).get("retry-after"))
        except BotoCoreError as error:
            lost = isinstance(error, (ConnectionError, HTTPClientError)) and not isinstance(error, SSLError)
            if not lost:
                raise BrokerError(f"{self._stream}: {error}") from error
            return records, str(error), 0
        answers = answer["RequestResponses"]
        left = [record for record, one in zip(records, answers, strict=True) if one.get("ErrorCode")]
        self.told.acknowledged += len(records) - len(left)
        self.told.messages += 1
        self.told.nbytes += sum(len(r["Data"]) for r in records) - sum(len(r["Data"]) for r in left)
        return left, next((one["ErrorCode"] for one in answers if one.get("ErrorCode")), ""), 0

    def _pause(self, seconds: float, stopped: Stopped) -> bool:
        """Whether the time passed without being stopped."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0 and not stopped():
            self._sleep(min(left, _LOOK))
        return not stopped()


def _seconds(text: str | None) -> float:
    try:
        return min(max(float(text or 0), 0.0), 60.0)
    except ValueError:  # a date
        return 0.0
