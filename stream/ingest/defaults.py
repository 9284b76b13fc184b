"""What a destination's configuration means where it says nothing: every default filled in.

Also what it looks like after it was read back: a processor's parameters have an order of their own.
"""

import logging
from collections.abc import Mapping
from typing import Any

from schemas.delivery_stream import DestinationKind

log = logging.getLogger(__name__)

Config = dict[str, Any]

_HINTS: dict[str, tuple[int, int]] = {  # MiB, seconds
    "ExtendedS3": (5, 300),
    "Amazonopensearchservice": (5, 300),
    "HttpEndpoint": (5, 60),  # the guide and the console; the API text says 300
}
_CONVERTED_MB = 128
_PARTITIONED_MB = 64
_LAMBDA = {  # in the order in which they are read back
    "LambdaArn": None,
    "NumberOfRetries": "3",
    "RoleArn": None,
    "BufferSizeInMBs": "1",
    "BufferIntervalInSeconds": "60",
}


def filled(kind: DestinationKind, config: Config, account: str, region: str) -> Config:
    """`config` with its defaults; what is filled already stays."""
    common = {
        "BufferingHints": _hints(kind, config),
        "CloudWatchLoggingOptions": config.get("CloudWatchLoggingOptions") or {"Enabled": False},
    }
    if "ProcessingConfiguration" in config:
        common["ProcessingConfiguration"] = _processing(config)
    own = {"ExtendedS3": _s3, "Amazonopensearchservice": _opensearch, "HttpEndpoint": _http}[kind]
    return {**config, **common, **own(config, account, region)}


def _s3(config: Config, account: str, region: str) -> Config:
    more = _object_store(config) | {"S3BackupMode": config.get("S3BackupMode", "Disabled")}
    if backup := config.get("S3BackupConfiguration"):
        more["S3BackupConfiguration"] = _backup(backup)
    if conversion := config.get("DataFormatConversionConfiguration"):
        more["DataFormatConversionConfiguration"] = _conversion(conversion, account, region)
    if partitioning := config.get("DynamicPartitioningConfiguration"):
        retry = {"DurationInSeconds": 300, **partitioning.get("RetryOptions", {})}
        more["DynamicPartitioningConfiguration"] = {"Enabled": False, **partitioning, "RetryOptions": retry}
    return more


def _object_store(config: Config) -> Config:
    return {
        "CompressionFormat": config.get("CompressionFormat", "UNCOMPRESSED"),
        "EncryptionConfiguration": config.get("EncryptionConfiguration")
        or {"NoEncryptionConfig": "NoEncryption"},
    }


def _backup(config: Config) -> Config:
    """An S3 configuration beside the destination proper."""
    return {
        **config,
        "BufferingHints": _hints("ExtendedS3", {"BufferingHints": config.get("BufferingHints", {})}),
        "CloudWatchLoggingOptions": config.get("CloudWatchLoggingOptions") or {"Enabled": False},
        **_object_store(config),
    }


def _conversion(config: Config, account: str, region: str) -> Config:
    more: Config = {"Enabled": True, **config}
    if schema := config.get("SchemaConfiguration"):
        own = {"CatalogId": account, "Region": region, "VersionId": "LATEST"}
        more["SchemaConfiguration"] = {**own, **schema}
    return more


def _opensearch(config: Config, account: str, region: str) -> Config:
    return {
        "IndexRotationPeriod": config.get("IndexRotationPeriod", "OneDay"),
        "RetryOptions": {"DurationInSeconds": 300, **config.get("RetryOptions", {})},
        "S3BackupMode": config.get("S3BackupMode", "FailedDocumentsOnly"),
        "S3Configuration": _backup(config["S3Configuration"]),
        "DocumentIdOptions": config.get("DocumentIdOptions")
        or {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
    }


def _http(config: Config, account: str, region: str) -> Config:
    return {
        "RequestConfiguration": {"ContentEncoding": "NONE", **config.get("RequestConfiguration", {})},
        "RetryOptions": {"DurationInSeconds": 300, **config.get("RetryOptions", {})},
        "S3BackupMode": config.get("S3BackupMode", "FailedDataOnly"),
        "S3Configuration": _backup(config["S3Configuration"]),
    }


def _hints(kind: DestinationKind, config: Config) -> Config:
    given = config.get("BufferingHints", {})
    if len(given) == 1:
        log.warning("only one buffering hint is given, the other is its default", extra=given)
    size, interval = _HINTS[kind]
    if enabled(config, "DataFormatConversionConfiguration"):
        size = _CONVERTED_MB
    elif enabled(config, "DynamicPartitioningConfiguration", absent=False):
        size = _PARTITIONED_MB
    return {"SizeInMBs": size, "IntervalInSeconds": interval, **given}


def enabled(config: Mapping[str, Any], member: str, absent: bool = True) -> bool:
    """Whether a part of the configuration is there and on; `absent` is what it is when it does not say."""
    return member in config and bool(config[member].get("Enabled", absent))


def _processing(config: Config) -> Config:
    processing = {"Enabled": False, **config["ProcessingConfiguration"]}
    steps = processing.get("Processors", [])
    return {**processing, "Processors": [_processor(step, config.get("RoleARN")) for step in steps]}


def _processor(step: Config, role: str | None) -> Config:
    given = {p["ParameterName"]: p["ParameterValue"] for p in step.get("Parameters", [])}
    kind = step["Type"]
    if kind == "AppendDelimiterToRecord":
        given = {}  # it has none: it puts a newline between records
    elif kind == "Lambda":
        known = {"RoleArn": role, **given}
        given = {name: known.get(name, default) for name, default in _LAMBDA.items()}
    elif kind == "CloudWatchLogProcessing":
        given = {name: value.lower() for name, value in given.items()}
    listed = [{"ParameterName": n, "ParameterValue": v} for n, v in given.items() if v is not None]
    return {"Type": kind, "Parameters": listed}
