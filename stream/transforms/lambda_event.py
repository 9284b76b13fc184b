"""What a Lambda function that transforms records is sent, and what its answer says of each of them.

Source: Data Firehose guide, data transformation flow and status model. Where the guide is silent, captures of
the real service by radkawar/stackd and floci-io/floci were followed.
"""

import binascii
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

LIMIT = 6 << 20  # bytes of a request, and of a response


class Ok(Struct, frozen=True):
    """The record goes on with these bytes; `keys` are the partition keys that the function gave, unjudged."""

    data: bytes
    keys: Mapping[str, Any] | None = None


class Dropped(Struct, frozen=True):
    """The function let the record go."""


class Fault(Struct, frozen=True):
    """The record failed."""

    code: str
    message: str


Result = Ok | Dropped | Fault


class Stream(Struct, frozen=True):
    """A delivery stream as those that it calls see it.

    `identity` tells it from a later stream of the same name. `kafka` is the ARN of the cluster that it reads,
    where it reads one.
    """

    arn: str
    identity: str
    kafka: str | None = None

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]


class Sent(Struct, frozen=True):
    """A record in an event: `id` stays over retries."""

    id: str
    arrived: int
    sequence: int
    data: bytes


def event(stream: Stream, invocation: str, records: Sequence[Sent]) -> bytes:
    """The request as JSON. A stream that reads Kafka has its own names for the payload and what is about it.

    Its `offset` is the record's number in the delivery stream, its `partitionId` always 0: the queue between
    topic and function does not keep those of the topic.
    """
    source = {"sourceMSKArn": stream.kafka} if stream.kafka else {}
    about = {"invocationId": invocation, **source, "deliveryStreamArn": stream.arn, "region": stream.region}
    shape = _of_kafka if stream.kafka else _of_put
    return msgspec.json.encode({**about, "records": [shape(record) for record in records]})


def _of_put(record: Sent) -> dict[str, Any]:
    # msgspec writes bytes as base64
    return {"recordId": record.id, "approximateArrivalTimestamp": record.arrived, "data": record.data}


def _of_kafka(record: Sent) -> dict[str, Any]:
    return {
        "recordId": record.id,
        "approximateArrivalTimestamp": record.arrived,
        "mskRecordMetadata": {
            "offset": str(record.sequence),
            "partitionId": "0",
            "approximateArrivalTimestamp": record.arrived,
        },
        "kafkaRecordValue": record.data,
    }


def read(response: bytes, ids: Sequence[str], payload: str = "data") -> list[Result]:
    """What became of each record, in the order of `ids`. An id that nobody sent is passed over.

    An answer that is no JSON, or has a result that there is not, fails all records: what else such a
    function says cannot be trusted. `payload` is the name of the data in it.
    """
    try:
        answer = msgspec.json.decode(response)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return [Fault("Lambda.JsonProcessingException", f"the response is not JSON: {error}")] * len(ids)
    items = answer.get("records") if isinstance(answer, dict) else None
    items = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    sent = set(ids)
    items = [item for item in items if isinstance(item.get("recordId"), str) and item["recordId"] in sent]
    for item in items:
        if item.get("result") not in ("Ok", "Dropped", "ProcessingFailed"):
            message = (
                f"the response has the result {item.get('result')!r}; there are Ok, Dropped, ProcessingFailed"
            )
            return [Fault("Lambda.InvalidReturnFormat", message)] * len(ids)
    times = Counter(item["recordId"] for item in items)
    answers = {item["recordId"]: item for item in items}
    return [_result(answers[key], times[key], payload) if key in answers else _MISSING for key in ids]


_MISSING = Fault("Lambda.MissingRecordId", "the response does not have the record's id")


def _result(item: Mapping[str, Any], times: int, payload: str) -> Result:
    if times > 1:
        return Fault("Lambda.DuplicatedRecordId", f"the response has the record's id {times} times")
    if item["result"] == "Dropped":
        return Dropped()
    if item["result"] == "ProcessingFailed":
        return Fault(
            "Lambda.ProcessingFailedStatus", "the function gave the record the status ProcessingFailed"
        )
    data = item.get(payload)
    if not isinstance(data, str):
        return Fault("Lambda.InvalidReturnFormat", f"the result is Ok and {payload} is not text")
    try:
        return Ok(binascii.a2b_base64(data, strict_mode=True), _keys(item.get("metadata")))
    except ValueError as error:
        return Fault("Lambda.JsonProcessingException", f"{payload} is not base64: {error}")


def _keys(metadata: object) -> Mapping[str, Any] | None:
    keys = metadata.get("partitionKeys") if isinstance(metadata, dict) else None
    return keys if isinstance(keys, dict) else None
