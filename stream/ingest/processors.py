"""The rules for what is done with records on the way."""

import re
from collections.abc import Mapping
from typing import Any

from stream.ingest.faults import invalid

_MAX_PROCESSORS = 5
_NEEDS_PARTITIONING = ("MetadataExtraction", "RecordDeAggregation")
_CHOICES = {
    ("MetadataExtraction", "JsonParsingEngine"): ("JQ-1.6",),
    ("RecordDeAggregation", "SubRecordType"): ("JSON", "DELIMITED"),
    ("Decompression", "CompressionFormat"): ("GZIP",),
    ("CloudWatchLogProcessing", "DataMessageExtraction"): ("true", "True", "TRUE"),
}
_REQUIRED = {
    "Lambda": ("LambdaArn",),
    "MetadataExtraction": ("MetadataExtractionQuery", "JsonParsingEngine"),
    "RecordDeAggregation": ("SubRecordType",),
    "Decompression": ("CompressionFormat",),
    "CloudWatchLogProcessing": ("DataMessageExtraction",),
}
_RANGES = {"NumberOfRetries": (0, 300), "BufferSizeInMBs": (0.2, 3), "BufferIntervalInSeconds": (0, 900)}
_BUFFER = {"BufferSizeInMBs", "BufferIntervalInSeconds"}


def check_processing(config: Mapping[str, Any], *, partitioned: bool) -> None:
    """Raises Fault at the first rule that the processors of a destination break."""
    processing = config.get("ProcessingConfiguration", {})
    steps = processing.get("Processors", [])
    if processing.get("Enabled") and not 1 <= len(steps) <= _MAX_PROCESSORS:
        raise invalid(f"Enabled processing has 1 to {_MAX_PROCESSORS} processors, not {len(steps)}.")
    kinds = [step["Type"] for step in steps]
    if kinds.count("Lambda") > 1:
        raise invalid("There can be only one Lambda processor.")
    if "CloudWatchLogProcessing" in kinds and "Decompression" not in kinds:
        raise invalid("CloudWatchLogProcessing needs a Decompression processor.")
    for step in steps:
        if step["Type"] in _NEEDS_PARTITIONING and not partitioned:
            raise invalid(f"{step['Type']} needs dynamic partitioning.")
        given = {p["ParameterName"]: p["ParameterValue"] for p in step.get("Parameters", [])}
        _check_parameters(step["Type"], given)


def _check_parameters(kind: str, given: Mapping[str, str]) -> None:
    if missing := [name for name in _REQUIRED.get(kind, ()) if name not in given]:
        raise invalid(f"Processor {kind} has no {', '.join(missing)}.")
    for name, value in given.items():
        choices = _CHOICES.get((kind, name))
        if choices and value not in choices:
            raise invalid(f"{name} of processor {kind} must be {' or '.join(choices)}.")
    if kind == "RecordDeAggregation" and given["SubRecordType"] == "DELIMITED" and "Delimiter" not in given:
        raise invalid("RecordDeAggregation of DELIMITED records needs a Delimiter.")
    if kind == "Lambda":
        _check_lambda(given)


def _check_lambda(given: Mapping[str, str]) -> None:
    if len(_BUFFER & set(given)) == 1:
        raise invalid("BufferSizeInMBs and BufferIntervalInSeconds come together or not at all.")
    for name, (low, high) in _RANGES.items():
        value = given.get(name, str(low))
        form = r"\d{1,9}(\.\d+)?" if name == "BufferSizeInMBs" else r"\d{1,9}"
        if not re.fullmatch(form, value, re.ASCII) or not low <= float(value) <= high:
            raise invalid(f"{name} of processor Lambda is from {low} to {high}.")
