"""The processors of a delivery stream: a ProcessingConfiguration read, checked, and as Describe shows it.

Sources: botocore's service model of Firehose; Data Firehose guide, data transformation, dynamic partitioning
and decompression. What the real service refuses was measured by badmintoncryer/cdk-preflight.
"""

import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

Document = Mapping[str, Any]

# Parameters by type of processor, in the order in which Describe shows them.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "Decompression": ("CompressionFormat",),
    "CloudWatchLogProcessing": ("DataMessageExtraction",),
    "RecordDeAggregation": ("SubRecordType", "Delimiter"),
    "Lambda": ("LambdaArn", "NumberOfRetries", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds"),
    "MetadataExtraction": ("MetadataExtractionQuery", "JsonParsingEngine"),
    "AppendDelimiterToRecord": (),
}
LAMBDA_DEFAULTS = {"NumberOfRetries": "3", "BufferSizeInMBs": "1", "BufferIntervalInSeconds": "60"}

_REQUIRED = {
    "Decompression": ("CompressionFormat",),
    "CloudWatchLogProcessing": ("DataMessageExtraction",),
    "RecordDeAggregation": ("SubRecordType",),
    "Lambda": ("LambdaArn",),
    "MetadataExtraction": ("MetadataExtractionQuery", "JsonParsingEngine"),
}
_NEEDS_PARTITIONING = ("RecordDeAggregation", "MetadataExtraction")
_MOST = 5  # processors
_LONGEST = 5120  # characters of a parameter's value


def parameters(processor: Document) -> dict[str, str]:
    """The parameters of a processor by name."""
    return {item["ParameterName"]: item["ParameterValue"] for item in processor.get("Parameters") or ()}


def enabled(processing: Document | None) -> dict[str, dict[str, str]]:
    """The parameters of each processor that is to run, by its type; none when processing is off.

    >>> enabled({"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}]})
    {'AppendDelimiterToRecord': {}}
    >>> enabled({"Processors": [{"Type": "AppendDelimiterToRecord"}]})
    {}
    """
    if not processing or not processing.get("Enabled"):
        return {}
    return {item["Type"]: parameters(item) for item in processing.get("Processors") or ()}


def canonical(processing: Document, role: str | None = None) -> dict[str, Any]:
    """The configuration as Describe shows it: off when it does not say, a Lambda's parameters in AWS's order
    with their defaults (`role` is the destination's). Give it only what passed `check`."""
    shown: dict[str, Any] = {"Enabled": bool(processing.get("Enabled", False))}
    if processing.get("Processors") is not None:
        shown["Processors"] = [_canonical(item, role) for item in processing["Processors"]]
    return shown


def _canonical(processor: Document, role: str | None) -> dict[str, Any]:
    kind, given = processor["Type"], parameters(processor)
    if kind == "Lambda":
        given = LAMBDA_DEFAULTS | ({"RoleArn": role} if role else {}) | given
    if kind == "CloudWatchLogProcessing":
        given["DataMessageExtraction"] = given["DataMessageExtraction"].lower()
    if not given and processor.get("Parameters") is None:
        return {"Type": kind}
    ordered = [name for name in PARAMETERS[kind] if name in given]
    return {
        "Type": kind,
        "Parameters": [{"ParameterName": name, "ParameterValue": given[name]} for name in ordered],
    }


def check(processing: Document | None, *, partitioning: bool) -> None:
    """Whether a delivery stream can be created with these processors. Raises ValueError with the reason.

    Two processors of one type are refused: the order of the stages is fixed, so the second has no place.
    """
    processors = (processing or {}).get("Processors") or ()
    if processing and processing.get("Enabled") and not 1 <= len(processors) <= _MOST:
        raise ValueError(f"enabled processing needs 1 to {_MOST} processors, {len(processors)} were given")
    kinds = [processor.get("Type") for processor in processors]
    for kind in kinds:
        if kind not in PARAMETERS:
            raise ValueError(f"there is no processor type {kind!r}")
        if kinds.count(kind) > 1:
            raise ValueError(f"only one {kind} processor is allowed")
        if kind in _NEEDS_PARTITIONING and not partitioning:
            raise ValueError(f"{kind} needs dynamic partitioning to be enabled")
    if "CloudWatchLogProcessing" in kinds and "Decompression" not in kinds:
        raise ValueError("CloudWatchLogProcessing needs a Decompression processor")
    for processor in processors:
        _check_parameters(processor)


def _check_parameters(processor: Document) -> None:
    kind, items = processor["Type"], processor.get("Parameters") or ()
    names = [item.get("ParameterName") for item in items]
    for name in names:
        if name not in PARAMETERS[kind]:
            raise ValueError(f"{kind} has no parameter {name!r}")
        if names.count(name) > 1:
            raise ValueError(f"{kind}: {name} is given twice")
    for name in _REQUIRED.get(kind, ()):
        if name not in names:
            raise ValueError(f"{kind} needs the parameter {name}")
    for item in items:
        _check_value(kind, item["ParameterName"], item.get("ParameterValue"))
    if kind == "Lambda" and ("BufferSizeInMBs" in names) != ("BufferIntervalInSeconds" in names):
        raise ValueError(
            "Lambda: BufferSizeInMBs and BufferIntervalInSeconds go together, or neither is given"
        )
    if kind == "RecordDeAggregation":
        _check_delimiter(parameters(processor))


def _check_value(kind: str, name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
        raise ValueError(f"{kind}: {name} must be text of 1 to {_LONGEST} characters")
    rule = _RULES.get(name)
    if rule and not rule[0](value):
        raise ValueError(f"{kind}: {name} must be {rule[1]}, not {value!r}")


def _check_delimiter(given: Mapping[str, str]) -> None:
    delimited = given["SubRecordType"] == "DELIMITED"
    if delimited != ("Delimiter" in given):
        raise ValueError("RecordDeAggregation: Delimiter goes with SubRecordType DELIMITED, and only with it")
    if delimited and not delimiter(given):
        raise ValueError("RecordDeAggregation: Delimiter must be base64 of at least one byte")


def delimiter(given: Mapping[str, str]) -> bytes | None:
    """The delimiter that RecordDeAggregation is given; None where there is none that can be read."""
    try:
        return binascii.a2b_base64(given["Delimiter"], strict_mode=True)
    except (KeyError, ValueError):
        return None


def _between(low: float, high: float, number: str = r"\d+(\.\d+)?") -> Callable[[str], bool]:
    return lambda value: bool(re.fullmatch(number, value, re.ASCII)) and low <= float(value) <= high


_RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "CompressionFormat": ("GZIP".__eq__, "GZIP"),
    "DataMessageExtraction": (lambda value: value.lower() in ("true", "false"), "true or false"),
    "SubRecordType": (("JSON", "DELIMITED").__contains__, "JSON or DELIMITED"),
    "JsonParsingEngine": ("JQ-1.6".__eq__, "JQ-1.6"),
    "NumberOfRetries": (_between(0, 300, r"\d+"), "a whole number from 0 to 300"),
    "BufferSizeInMBs": (_between(0.2, 3), "a number from 0.2 to 3"),
    "BufferIntervalInSeconds": (_between(0, 900, r"\d+"), "a whole number from 0 to 900"),
}
