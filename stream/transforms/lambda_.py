"""Records through a Lambda function: cut into requests, sent, and tried again where no answer came.

Source: Data Firehose guide, data transformation; retries as captured by radkawar/stackd: a request that
failed is sent again under a new invocation id with the same record ids, an answer that is wrong is final.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.errors import InvokeFailed
from schemas.splitting import base64_sizes, split
from stream.transforms.lambda_event import LIMIT, Fault, Result, Sent, Stream, event, read
from stream.transforms.processors import LAMBDA_DEFAULTS

Invoke = Callable[[bytes], bytes]  # the event to the response; raises InvokeFailed

AT_ONCE = 5  # requests under way, as many as AWS makes for a shard

_LONGEST_WAIT = 60.0  # seconds between two attempts; AWS does not say
_ENVELOPE = 4096  # bytes of an event around its records, at most
_RECORD = 420  # bytes of a record in an event around its data, at most: Kafka's form


class Function(Struct, frozen=True):
    """A function and how it is called: `retries` after the first attempt, `buffer` bytes a request."""

    arn: str
    retries: int
    buffer: int

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "Function":
        """From the parameters of a Lambda processor."""
        given = LAMBDA_DEFAULTS | dict(parameters)
        size = int(float(given["BufferSizeInMBs"]) * (1 << 20))
        return cls(given["LambdaArn"], int(given["NumberOfRetries"]), size)


class Called(Struct, frozen=True):
    """What became of some records, the attempts that it took, and when the last ended (ms)."""

    results: list[Result]
    attempts: int
    ended: int


class Caller(Struct, frozen=True):
    """Calls `function` by way of `invoke`. `sleep` may raise, to stop: nothing is committed then."""

    function: Function
    invoke: Invoke
    sleep: Callable[[float], object]
    now: Callable[[], int]
    new_id: Callable[[], str]

    def call(self, stream: Stream, records: Sequence[Sent]) -> list[Called]:
        """Send all records, in as many requests as they need; what became of them, in order."""
        sizes = np.array([len(record.data) for record in records], np.int64)
        batches = [records[run] for run in requests(sizes, self.function.buffer)]
        if len(batches) < 2:
            return [self.send(stream, batch) for batch in batches]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda batch: self.send(stream, batch), batches))

    def send(self, stream: Stream, records: Sequence[Sent]) -> Called:
        """Send one request until it is answered or the retries are used up."""
        attempt = 0
        while True:
            attempt += 1
            request = event(stream, self.new_id(), records)
            if len(request) > LIMIT:
                large = Fault(
                    "Lambda.FunctionError", f"a request holds {LIMIT} bytes, this has {len(request)}"
                )
                return Called([large] * len(records), attempt, self.now())
            try:
                response = self._invoke(request)
            except InvokeFailed as error:
                if attempt > self.function.retries:
                    fault = Fault(error.code, str(error))
                    return Called([fault] * len(records), attempt, self.now())
                self.sleep(min(2.0 ** (attempt - 1), _LONGEST_WAIT))
                continue
            payload = "kafkaRecordValue" if stream.kafka else "data"
            return Called(read(response, [record.id for record in records], payload), attempt, self.now())

    def _invoke(self, request: bytes) -> bytes:
        response = self.invoke(request)
        if len(response) > LIMIT:
            raise InvokeFailed("Lambda.FunctionError", f"the response is above {LIMIT} bytes")
        return response


def requests(sizes: NDArray[np.int64], buffer: int) -> list[slice]:
    """Runs of records for one request each: by bytes of data, and never above what a request holds."""
    return list(split((sizes, buffer), (base64_sizes(sizes) + _RECORD, LIMIT - _ENVELOPE)))
