"""SageMaker Model Monitor's capture record, one JSON object a line.

Source: spec of Amazon SageMaker data capture (endpoint, batch transform and merged forms). Key order is not
fixed and unknown keys are let through, as in real files.
"""

from typing import Literal

import msgspec
import pyarrow as pa
from msgspec import Struct

from schemas.errors import BadRecord


class Payload(Struct, frozen=True, rename="camel", gc=False):
    """One side of a request as it was captured: text, or base64 of anything."""

    data: str
    encoding: Literal["CSV", "JSON", "BASE64"]
    observed_content_type: str | None = None


class CaptureData(Struct, frozen=True, rename="camel", gc=False):
    """Which sides were captured; a batch transform has one side that holds both."""

    endpoint_input: Payload | None = None
    endpoint_output: Payload | None = None
    batch_transform_output: Payload | None = None


class EventMetadata(Struct, frozen=True, rename="camel", gc=False):
    """Who and when. `inference_time` is absent in merged batch records: they have only their arrival."""

    event_id: str
    inference_id: str | None = None
    inference_time: str | None = None
    custom_attributes: list[str] | None = None


class CaptureRecord(Struct, frozen=True, rename="camel", gc=False):
    """One captured request, which may hold several rows."""

    capture_data: CaptureData
    event_metadata: EventMetadata
    event_version: Literal["0"]
    ground_truth_data: Payload | None = None


_decoder = msgspec.json.Decoder(CaptureRecord)


def parse(line: bytes) -> CaptureRecord:
    """Decode one JSON line. Raises BadRecord, whose code says what kind of damage it is.

    >>> parse(b'{"captureData": {"endpointInput"')
    Traceback (most recent call last):
      ...
    schemas.errors.BadRecord: Input data was truncated
    >>> parse(b'{"captureData": {}, "eventMetadata": {"eventId": "1"}, "eventVersion": "1"}')
    Traceback (most recent call last):
      ...
    schemas.errors.BadRecord: Invalid enum value '1' - at `$.eventVersion`
    """
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError as error:
        code = "version" if "eventVersion" in str(error) else "schema"
        raise BadRecord(code, _explain(line, str(error))) from error
    except msgspec.DecodeError as error:
        raise BadRecord("json", str(error)) from error
    except UnicodeDecodeError as error:
        raise BadRecord("utf8", f"invalid UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise BadRecord("json", "nested too deeply") from error


def parse_many(records: pa.BinaryArray) -> tuple[list[CaptureRecord | None], dict[int, BadRecord]]:
    """Decode all `records`, and say which of them cannot be read.

    One by one: read as lines of one text, two records in one place and none in another would be taken for
    one each.
    """
    kept: list[CaptureRecord | None] = []
    bad: dict[int, BadRecord] = {}
    for index, line in enumerate(records.to_pylist()):
        try:
            kept.append(parse(line))
        except BadRecord as error:
            kept.append(None)
            bad[index] = error
    return kept, bad


def _explain(line: bytes, message: str) -> str:
    """A label in a capture stream is a common mix-up: say so instead of naming a missing key."""
    if b'"groundTruthData"' in line and b'"captureData"' not in line:
        return "a ground-truth record where a capture was expected: it holds a label and no captureData"
    return message
