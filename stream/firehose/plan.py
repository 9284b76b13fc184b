"""A configuration of S3 as a delivery stream has it, made ready once: how records become objects."""

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from stream.firehose import conversion, hints, partition_query, partitioning, prefix
from stream.firehose.catalog import Catalog
from stream.firehose.compression import FORMATS, Compression
from stream.firehose.conversion import Conversion
from stream.firehose.expressions import Parts
from stream.firehose.hints import Hints
from stream.firehose.naming import Stream
from stream.firehose.partition_query import Query
from stream.transforms.processors import enabled

Document = Mapping[str, Any]
_EXTENSION = re.compile(r"\.[0-9a-z!\-_.*'()]{1,127}", re.ASCII)


class Partitions(Struct, frozen=True):
    """How records are told apart: by the keys of a query, where there is one, and those from Lambda."""

    query: Query | None
    limit: int


class Plan(Struct, frozen=True):
    """Everything that an S3 configuration says of its objects. `sse` is the ARN of a KMS key; `extension`
    is that of data objects: error objects have none."""

    bucket: str
    sse: str | None
    hints: Hints
    zone: ZoneInfo
    main: Parts
    errors: Parts
    compression: Compression
    extension: str
    delimited: bool
    conversion: Conversion | None
    partitions: Partitions | None


def of(
    document: Document,
    stream: Stream,
    *,
    backup: bool = False,
    tables: Catalog | None = None,
    limit: int = partitioning.ACTIVE,
) -> Plan:
    """Read an ExtendedS3DestinationConfiguration, or the S3Configuration of another destination.

    `backup` is for S3BackupConfiguration, whose hints have their own range. `tables` are those that record
    format conversion may name; `limit` is the most partitions of one range. All that the service refuses at
    create is refused here. Raises ValueError with the reason, and ConfigError for a jq query.
    """
    format = FORMATS.get(document.get("CompressionFormat") or "UNCOMPRESSED")
    if format is None:
        raise ValueError(f"CompressionFormat must be one of {', '.join(FORMATS)}")
    converted = document.get("DataFormatConversionConfiguration")
    converts = converted is not None and converted.get("Enabled", True) is not False
    if converts and format is not FORMATS["UNCOMPRESSED"]:
        raise ValueError("record format conversion needs CompressionFormat UNCOMPRESSED: the files compress")
    partitioned = bool((document.get("DynamicPartitioningConfiguration") or {}).get("Enabled"))
    kind = "backup" if backup else "partitioning" if partitioned else "conversion" if converts else "s3"
    buffered = hints.hints(kind, document.get("BufferingHints"))
    _, _, _, region, account, *_ = stream.arn.split(":")
    conversion_ = conversion.of(converted or {}, tables or {}, account, region) if converts else None
    steps = enabled(document.get("ProcessingConfiguration"))
    own = conversion_.format.extension if conversion_ else format.extension
    return Plan(
        bucket=_bucket(document["BucketARN"]),
        sse=_sse(document.get("EncryptionConfiguration") or {}),
        hints=buffered,
        zone=prefix.check_zone(document.get("CustomTimeZone")),
        main=prefix.main(document.get("Prefix")),
        errors=prefix.errors(document.get("ErrorOutputPrefix"), document.get("Prefix")),
        compression=format,
        extension=_extension(document.get("FileExtension")) or own,
        delimited="AppendDelimiterToRecord" in steps,
        conversion=conversion_,
        partitions=_partitions(document, steps, partitioned, limit),
    )


def _partitions(
    document: Document, steps: Mapping[str, Mapping[str, str]], partitioned: bool, limit: int
) -> Partitions | None:
    """Checks the prefixes too: what they may hold depends on where partition keys come from."""
    main, error = document.get("Prefix"), document.get("ErrorOutputPrefix")
    text = steps.get("MetadataExtraction", {}).get("MetadataExtractionQuery")
    made = None if text is None else partition_query.promised(text, main or "")
    given = () if "Lambda" in steps else None
    prefix.check(main, error, partitioning=partitioned, query_keys=made, lambda_keys=given)
    if not partitioned:
        return None
    return Partitions(Query(text) if text is not None else None, limit)


def _bucket(arn: str) -> str:
    name = arn.partition(":::")[2]
    if not name:
        raise ValueError(f"BucketARN {arn!r} names no bucket")
    return name


def _sse(encryption: Document) -> str | None:
    key = encryption.get("KMSEncryptionConfig")
    return str(key["AWSKMSKeyARN"]) if key else None


def _extension(text: str | None) -> str | None:
    if text and not _EXTENSION.fullmatch(text):
        raise ValueError(f"FileExtension {text!r} must be a dot and then small letters, digits or !-_.*'()")
    return text
