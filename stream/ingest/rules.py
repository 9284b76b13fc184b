"""What a configuration must be beyond its shape. Each rule refuses with InvalidArgumentException.

Rules look at what was given, before defaults: an explicit buffer size may be wrong where none is right.
"""

from typing import Any, Literal
from zoneinfo import available_timezones

from schemas.delivery_stream import DestinationKind
from stream.ingest import prefixes
from stream.ingest.addresses import AllowHttp, check_url
from stream.ingest.defaults import enabled
from stream.ingest.faults import invalid
from stream.ingest.processors import check_processing
from stream.transforms.processors import enabled as running

Config = dict[str, Any]

_MIN_COLUMNAR_MB = 64  # with format conversion or dynamic partitioning
_MIN_BACKUP_SECONDS = 60
_PARTITION_KEY = "!{partitionKeyFrom"


def check(kind: DestinationKind, config: Config, allow_http: AllowHttp) -> None:
    """Raises Fault at the first rule that the configuration of a destination breaks."""
    if kind == "ExtendedS3":
        _check_s3(config)
    elif kind == "HttpEndpoint":
        _check_http(config, allow_http)
    else:
        _check_opensearch(config, allow_http)
    _check_logging(config)
    check_processing(config, partitioned=enabled(config, "DynamicPartitioningConfiguration", absent=False))


def _check_s3(config: Config) -> None:
    _check_conversion(config)
    partitioned = enabled(config, "DynamicPartitioningConfiguration", absent=False)
    steps = running(config.get("ProcessingConfiguration"))
    if partitioned:
        _check_partitioning(config, steps)
    _check_encryption(config)
    prefixes.check(
        config.get("Prefix"),
        config.get("ErrorOutputPrefix"),
        partitioning=partitioned,
        query=steps.get("MetadataExtraction", {}).get("MetadataExtractionQuery"),
        calls_lambda="Lambda" in steps,
    )
    if config.get("S3BackupMode") == "Enabled" and "S3BackupConfiguration" not in config:
        raise invalid("S3BackupConfiguration is needed when S3BackupMode is Enabled.")
    if backup := config.get("S3BackupConfiguration"):
        _check_backup(backup)
    if (zone := config.get("CustomTimeZone")) and zone not in available_timezones():
        raise invalid(f"CustomTimeZone {zone} is not known.")


def _check_encryption(config: Config) -> None:
    encryption = config.get("EncryptionConfiguration")
    if encryption is not None and len(encryption) != 1:
        raise invalid("EncryptionConfiguration holds either NoEncryptionConfig or KMSEncryptionConfig.")


def _check_backup(config: Config) -> None:
    _check_encryption(config)
    prefixes.check(config.get("Prefix"), config.get("ErrorOutputPrefix"))
    _check_logging(config)
    interval = config.get("BufferingHints", {}).get("IntervalInSeconds", _MIN_BACKUP_SECONDS)
    if interval < _MIN_BACKUP_SECONDS:
        raise invalid(f"IntervalInSeconds of an S3 backup is from {_MIN_BACKUP_SECONDS} to 900.")


def _check_conversion(config: Config) -> None:
    if not enabled(config, "DataFormatConversionConfiguration"):
        return
    conversion = config["DataFormatConversionConfiguration"]
    if config.get("CompressionFormat", "UNCOMPRESSED") != "UNCOMPRESSED":
        raise invalid("CompressionFormat must be UNCOMPRESSED when record format conversion is enabled.")
    _check_size(config, "record format conversion")
    _one_of(conversion.get("InputFormatConfiguration", {}), "Deserializer")
    _one_of(conversion.get("OutputFormatConfiguration", {}), "Serializer")
    schema = conversion.get("SchemaConfiguration")
    if schema is None:
        raise invalid("SchemaConfiguration is needed for record format conversion.")
    if missing := [name for name in ("RoleARN", "DatabaseName", "TableName") if name not in schema]:
        raise invalid(f"SchemaConfiguration has no {', '.join(missing)}.")


def _one_of(config: Config, choice: Literal["Deserializer", "Serializer"]) -> None:
    if len(config.get(choice, {})) != 1:
        raise invalid(f"Exactly one {choice} is needed for record format conversion.")


def _check_partitioning(config: Config, steps: dict[str, dict[str, str]]) -> None:
    prefix = config.get("Prefix") or ""
    if _PARTITION_KEY not in prefix:
        raise invalid("Prefix must hold a partition key when dynamic partitioning is enabled.")
    if config.get("ErrorOutputPrefix") is None:
        raise invalid("ErrorOutputPrefix is needed when dynamic partitioning is enabled.")
    _check_size(config, "dynamic partitioning")
    if config.get("BufferingHints", {}).get("IntervalInSeconds") == 0:
        raise invalid("IntervalInSeconds must not be 0 when dynamic partitioning is enabled.")
    for source, kind in (("Query", "MetadataExtraction"), ("Lambda", "Lambda")):
        if f"{_PARTITION_KEY}{source}:" in prefix and kind not in steps:
            raise invalid(f"Prefix has a partition key from {source}, and there is no {kind} processor.")


def _check_size(config: Config, why: str) -> None:
    if config.get("BufferingHints", {}).get("SizeInMBs", _MIN_COLUMNAR_MB) < _MIN_COLUMNAR_MB:
        raise invalid(f"SizeInMBs must be at least {_MIN_COLUMNAR_MB} with {why}.")


def _check_logging(config: Config) -> None:
    options = config.get("CloudWatchLoggingOptions", {})
    if options.get("Enabled") and not options.get("LogGroupName"):
        raise invalid("LogGroupName is needed when CloudWatch logging is enabled.")


def _check_http(config: Config, allow_http: AllowHttp) -> None:
    check_url(config["EndpointConfiguration"]["Url"], allow_http)
    attributes = config.get("RequestConfiguration", {}).get("CommonAttributes", [])
    names = [attribute["AttributeName"] for attribute in attributes]
    if len(set(names)) < len(names):
        raise invalid("Names of common attributes must be unique.")
    if config.get("SecretsManagerConfiguration", {}).get("Enabled"):
        raise invalid("SecretsManagerConfiguration is not offered: give the AccessKey of the endpoint.")
    _check_backup(config["S3Configuration"])


def _check_opensearch(config: Config, allow_http: AllowHttp) -> None:
    if ("DomainARN" in config) == ("ClusterEndpoint" in config):
        raise invalid("Exactly one of DomainARN and ClusterEndpoint is needed.")
    if "ClusterEndpoint" in config:
        check_url(config["ClusterEndpoint"], allow_http)
    if config.get("TypeName"):
        raise invalid("TypeName must be empty: OpenSearch has no types.")
    _check_backup(config["S3Configuration"])
