"""UpdateDestination: what is given replaces, what is omitted stays."""

from typing import Any

import msgspec

from schemas.delivery_stream import DeliveryStream
from stream.ingest.create import Terms
from stream.ingest.defaults import filled
from stream.ingest.describe import DESTINATION_ID
from stream.ingest.faults import Fault, invalid
from stream.ingest.rules import check

Config = dict[str, Any]

_END = "DestinationUpdate"
_NAMES = {"S3Update": "S3Configuration", "S3BackupUpdate": "S3BackupConfiguration"}
_BY_MEMBER = (
    "BufferingHints",
    "DynamicPartitioningConfiguration",
    "S3Configuration",
    "S3BackupConfiguration",
)
_EITHER = {"DomainARN": "ClusterEndpoint", "ClusterEndpoint": "DomainARN"}


def update(stream: DeliveryStream, request: Config, terms: Terms) -> DeliveryStream:
    """The stream as it is afterwards: with the next version, or the same if nothing changes. Raises Fault."""
    if request["CurrentDeliveryStreamVersionId"] != str(stream.version):
        message = f"Cannot update version {request['CurrentDeliveryStreamVersionId']} of {stream.name}: "
        raise Fault("ConcurrentModificationException", f"{message}it is at version {stream.version}.")
    if request["DestinationId"] != DESTINATION_ID:
        raise invalid(f"Destination {request['DestinationId']} not found in {stream.name}.")
    given = {_NAMES.get(name, name): value for name, value in _given(stream, request).items()}
    _check_change(stream, given)
    merged = _merged(stream.destination, given)
    check(stream.kind, merged, terms.allow_http)
    merged = filled(stream.kind, merged, stream.account, stream.region)
    if merged == stream.destination:
        return stream
    changed = {"destination": merged, "version": stream.version + 1, "updated": terms.now}
    return msgspec.structs.replace(stream, **changed)


def _given(stream: DeliveryStream, request: Config) -> Config:
    updates = [member for member in request if member.endswith(_END)]
    if len(updates) != 1:
        raise invalid(f"Exactly one destination update is needed, not {len(updates)}.")
    kind = updates[0].removesuffix(_END)
    if stream.kind != ("ExtendedS3" if kind == "S3" else kind):
        raise invalid(f"A destination {stream.kind} cannot become one of {kind}.")
    given: Config = request[updates[0]]
    return given


def _check_change(stream: DeliveryStream, given: Config) -> None:
    """Some things stay as they were created."""
    if stream.kind == "ExtendedS3" and stream.destination["S3BackupMode"] == "Enabled":
        if given.get("S3BackupMode") == "Disabled":
            raise invalid("S3BackupMode cannot be disabled any more.")
    before = stream.destination.get("DynamicPartitioningConfiguration", {}).get("Enabled", False)
    if given.get("DynamicPartitioningConfiguration", {}).get("Enabled", before) != before:
        raise invalid("Dynamic partitioning is enabled when a stream is created, or not at all.")


def _merged(before: Config, given: Config) -> Config:
    merged = {name: value for name, value in before.items() if _EITHER.get(name) not in given}
    for name, value in given.items():
        earlier = before.get(name, {})
        if name in _BY_MEMBER:
            merged[name] = _merged(earlier, value)
        elif name == "DataFormatConversionConfiguration":
            merged[name] = {**earlier, "Enabled": True, **value}
        elif name == "ProcessingConfiguration":
            merged[name] = {"Enabled": earlier.get("Enabled", False), **value}
        else:
            merged[name] = value
    return merged
