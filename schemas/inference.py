"""The object that a `preprocess_handler` is given: a captured record by the names of Model Monitor's guide.

Source: SageMaker's guide on preprocessing. `inference_id` and the names in snake case are additions.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


class EventData:
    """One side of a record, as it was captured: text, its encoding and its type.

    >>> side = EventData({"data": "34,north", "encoding": "CSV", "observedContentType": "text/csv"})
    >>> side.data, side.encoding, side.observedContentType, side["data"]
    ('34,north', 'CSV', 'text/csv', '34,north')
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.encoding: Any = given.get("encoding")
        self.data: Any = given.get("data")
        self.observedContentType: Any = given.get("observedContentType")
        self.mode: Any = given.get("mode")

    @property
    def observed_content_type(self) -> Any:
        """The same as `observedContentType`."""
        return self.observedContentType

    def as_dict(self) -> dict[str, Any]:
        """The four values by their names in the record."""
        return dict(vars(self))

    def __getitem__(self, name: str) -> Any:
        return self.as_dict()[name]

    def __str__(self) -> str:
        return str(self.as_dict())


class EventMetadata:
    """Whose record it is: `custom_attribute` is the list of captured headers, None where there is none."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.event_id: Any = given.get("eventId")
        self.event_time: Any = given.get("inferenceTime")
        self.custom_attribute: Any = given.get("customAttributes")
        self.inference_id: Any = given.get("inferenceId")

    @property
    def custom_attributes(self) -> Any:
        """The same as `custom_attribute`."""
        return self.custom_attribute

    def __str__(self) -> str:
        return str(vars(self))


class Sides:
    """`event_data` of older handlers: the sides under their names in the record."""

    def __init__(self, sides: Mapping[str, Any], ground_truth: Any) -> None:
        self.endpointInput = self.endpoint_input = _side(sides.get("endpointInput"))
        self.endpointOutput = self.endpoint_output = _side(sides.get("endpointOutput"))
        self.batchTransformOutput = self.batch_transform_output = _side(sides.get("batchTransformOutput"))
        self.groundTruthData = self.ground_truth = _side(ground_truth)


class InferenceRecord:
    """One captured record. Everything in it is its own, so that a handler may change it.

    A side that was not captured is None. `event_dict` is the whole record, other keys included.
    """

    def __init__(self, event_dict: dict[str, Any]) -> None:
        self.event_dict = event_dict
        self.event_data = Sides(event_dict.get("captureData") or {}, event_dict.get("groundTruthData"))
        self.endpoint_input = self.event_data.endpoint_input
        self.endpoint_output = self.event_data.endpoint_output
        self.batch_transform_output = self.event_data.batch_transform_output
        self.ground_truth = self.event_data.ground_truth
        self.event_metadata = EventMetadata(event_dict.get("eventMetadata") or {})
        self.event_version: Any = event_dict.get("eventVersion")

    def as_dict(self) -> dict[str, Any]:
        """The same as `event_dict`."""
        return self.event_dict

    def __str__(self) -> str:
        return msgspec.json.encode(self.event_dict).decode()


def argument(record: bytes) -> InferenceRecord | str | dict[str, Any]:
    """What a handler is given of `record`, one that can be read.

    Of a batch transform that is its line, as with Model Monitor: text where it is CSV, a dict where it is
    JSON. A record with ground truth is an object in any case.

    >>> argument(b'{"captureData": {"batchTransformOutput": {"data": "1,2", "encoding": "CSV"}}}')
    '1,2'
    """
    event: dict[str, Any] = _decode(record)
    sides = event.get("captureData") or {}
    both = sides.get("batchTransformOutput")
    if both is None or "endpointInput" in sides or event.get("groundTruthData") is not None:
        return InferenceRecord(event)
    text = both["data"]
    if both["encoding"] == "JSON":
        try:
            document = _decode(text)
        except msgspec.DecodeError:
            return str(text)
        if isinstance(document, dict):
            return document
    return str(text)


def _side(given: Any) -> EventData | None:
    return None if given is None else EventData(given)
