"""Error records: JSON lines about the records that could not be delivered, in the service's own fields."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec

from schemas.failed import ErrorOutputType, Failed
from schemas.record_ids import sequence_texts


def by_kind(failed: Iterable[Failed]) -> dict[ErrorOutputType, list[Failed]]:
    """The failed records of each kind, in the order of their sequence numbers; kinds in a fixed order."""
    ordered = sorted(failed, key=lambda each: each.sequence)
    groups: dict[ErrorOutputType, list[Failed]] = {
        kind: [each for each in ordered if each.kind == kind] for kind in get_args(ErrorOutputType)
    }
    return {kind: group for kind, group in groups.items() if group}


def lines(failed: Sequence[Failed], identity: str = "") -> bytes:
    """One JSON object a line, as error objects hold them; `identity` is the stream's."""
    return b"".join(msgspec.json.encode(document(each, identity)) + b"\n" for each in failed)


def document(failed: Failed, identity: str = "") -> dict[str, Any]:
    """The fields of one error record in the order in which the service writes them."""
    fields = _FIELDS.get(failed.kind, _PROCESSING)
    known = _known(failed, identity) | dict(failed.more)
    return {name: known[name] for name in fields if name in known} | {
        name: value for name, value in failed.more.items() if name not in fields
    }


def _known(failed: Failed, identity: str) -> dict[str, Any]:
    """What every record could say of itself; a kind of failure picks from it."""
    (number,) = sequence_texts(identity, [failed.sequence])
    return {
        "attemptsMade": failed.attempts,
        "arrivalTimestamp": failed.arrived,
        "errorCode": failed.code,
        "errorMessage": failed.message,
        "lastErrorCode": failed.code,
        "lastErrorMessage": failed.message,
        "attemptEndingTimestamp": failed.ended,
        "rawData": base64.b64encode(failed.raw).decode(),
        "sequenceNumber": number,
        "subSequenceNumber": 0,
        "subsequenceNumber": 0,
        "dataId": f"{number}.0",
    }


_TIMES = ("attemptsMade", "arrivalTimestamp", "attemptEndingTimestamp")
_PROCESSING = ("rawData", "errorCode", "errorMessage", *_TIMES, "lambdaARN")
_ATTEMPT = ("attemptsMade", "arrivalTimestamp", "errorCode", "errorMessage", "attemptEndingTimestamp")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "format-conversion-failed": (
        "attemptsMade",
        "arrivalTimestamp",
        "lastErrorCode",
        "lastErrorMessage",
        "attemptEndingTimestamp",
        "rawData",
        "sequenceNumber",
        "subSequenceNumber",
        "dataCatalogTable",
    ),
    "http-endpoint-failed": (*_ATTEMPT, "rawData", "subsequenceNumber", "dataId"),
    "AmazonOpenSearchService-failed": (*_ATTEMPT, "esDocumentId", "esIndexName", "esTypeName", "rawData"),
}
