"""SageMaker Model Monitor's ground-truth record: the label that came for a captured request."""

import msgspec
from msgspec import Struct

from schemas.capture import Payload
from schemas.errors import BadRecord


class LabelMetadata(Struct, frozen=True, rename="camel"):
    """`event_id` equals the capture's inference id where it has one, else its event id."""

    event_id: str


class GroundTruth(Struct, frozen=True, rename="camel"):
    """One label, as text in `ground_truth_data`."""

    ground_truth_data: Payload
    event_metadata: LabelMetadata
    event_version: str = "0"


_decoder = msgspec.json.Decoder(GroundTruth)


def parse(line: bytes) -> GroundTruth:
    """Decode one JSON line. Raises BadRecord.

    >>> line = b'{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "a"}}'
    >>> parse(line).ground_truth_data.data
    '1'
    """
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", f"not a ground-truth record: {error}") from error
