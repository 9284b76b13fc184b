"""A delivery stream as DescribeDeliveryStream tells it: no secrets, and some members under other names."""

from typing import Any

from schemas.delivery_stream import DeliveryStream

Document = dict[str, Any]

DESTINATION_ID = "destinationId-000000000001"  # a stream has one destination, and it keeps its id
_RENAMED = {
    "S3Configuration": "S3DestinationDescription",
    "S3BackupConfiguration": "S3BackupDescription",
    "VpcConfiguration": "VpcConfigurationDescription",
}
_PLAIN_S3 = (
    "RoleARN",
    "BucketARN",
    "Prefix",
    "ErrorOutputPrefix",
    "BufferingHints",
    "CompressionFormat",
    "EncryptionConfiguration",
    "CloudWatchLoggingOptions",
)


def describe(stream: DeliveryStream, now: int) -> Document:
    """The description at `now` (ms since the epoch)."""
    told: Document = {
        "DeliveryStreamName": stream.name,
        "DeliveryStreamARN": stream.arn,
        "DeliveryStreamStatus": stream.status(now),
        "DeliveryStreamType": stream.type,
        "VersionId": str(stream.version),
        "CreateTimestamp": stream.created / 1_000,
        "Destinations": [_destination(stream)],
        "HasMoreDestinations": False,
    }
    if stream.type == "DirectPut":
        told["DeliveryStreamEncryptionConfiguration"] = _encryption(stream, now)
    if stream.updated is not None:
        told["LastUpdateTimestamp"] = stream.updated / 1_000
    if stream.source is not None:
        told["Source"] = _source(stream)
    return told


def _destination(stream: DeliveryStream) -> Document:
    told = {_RENAMED.get(name, name): value for name, value in stream.destination.items()}
    if stream.kind == "HttpEndpoint":
        shown = {name: value for name, value in told["EndpointConfiguration"].items() if name != "AccessKey"}
        told["EndpointConfiguration"] = shown
    if vpc := told.get("VpcConfigurationDescription"):
        told["VpcConfigurationDescription"] = {"VpcId": "vpc-local", **vpc}
    described = {"DestinationId": DESTINATION_ID, f"{stream.kind}DestinationDescription": told}
    if stream.kind == "ExtendedS3":  # told twice, whichever of the two it was created with
        described["S3DestinationDescription"] = {name: told[name] for name in _PLAIN_S3 if name in told}
    return described


def _encryption(stream: DeliveryStream, now: int) -> Document:
    encryption = stream.encryption
    told = {"Status": encryption.status(now)}
    if encryption.key_type:
        told["KeyType"] = encryption.key_type
    if encryption.key_arn:
        told["KeyARN"] = encryption.key_arn
    return told


def _source(stream: DeliveryStream) -> Document:
    if stream.type == "DirectPut":
        return {"DirectPutSourceDescription": stream.source}
    started = {"DeliveryStartTimestamp": stream.active_from / 1_000}
    return {"MSKSourceDescription": {**(stream.source or {}), **started}}
