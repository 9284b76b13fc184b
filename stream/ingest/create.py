"""CreateDeliveryStream: from a request that has the right shape to a definition."""

from typing import Any, get_args

from msgspec import Struct

from schemas.delivery_stream import DeliveryStream, DestinationKind, Encryption
from stream.ingest.addresses import AllowHttp
from stream.ingest.defaults import filled
from stream.ingest.faults import invalid
from stream.ingest.rules import check

Request = dict[str, Any]

_OFFERED = (
    "offered are S3DestinationConfiguration, ExtendedS3DestinationConfiguration, "
    "HttpEndpointDestinationConfiguration and AmazonopensearchserviceDestinationConfiguration"
)
_END = "DestinationConfiguration"


class Terms(Struct, frozen=True):
    """Whose stream it becomes, and when it may be used."""

    account: str
    region: str
    now: int  # ms since the epoch
    delay: int = 0  # ms until it is ACTIVE
    allow_http: AllowHttp = "loopback"


def create(request: Request, terms: Terms) -> DeliveryStream:
    """The new stream. Raises Fault."""
    kind, config = _destination(request)
    check(kind, config, terms.allow_http)
    name, type_ = request["DeliveryStreamName"], request.get("DeliveryStreamType", "DirectPut")
    asked = request.get("DeliveryStreamEncryptionConfigurationInput")
    if asked is not None and type_ != "DirectPut":
        raise invalid("Only a stream of type DirectPut can be encrypted here.")
    return DeliveryStream(
        name=name,
        arn=f"arn:{_partition(terms.region)}:firehose:{terms.region}:{terms.account}:deliverystream/{name}",
        type=type_,
        kind=kind,
        destination=filled(kind, config, terms.account, terms.region),
        created=terms.now,
        active_from=terms.now + terms.delay,
        source=_source(type_, request),
        tags={tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", [])},
        encryption=Encryption() if asked is None else encrypted(asked, terms.now + terms.delay),
    )


def _destination(request: Request) -> tuple[DestinationKind, Request]:
    given = [member for member in request if member.endswith(_END)]
    if len(given) != 1:
        raise invalid(f"Exactly one destination configuration is needed, not {len(given)}.")
    kind = given[0].removesuffix(_END)
    if kind == "S3":
        kind = "ExtendedS3"
    for offered in get_args(DestinationKind):
        if kind == offered:
            return offered, request[given[0]]
    raise invalid(f"{given[0]} is not offered here; {_OFFERED}.")


def _source(type_: str, request: Request) -> Request | None:
    members = {"DirectPut": "DirectPutSourceConfiguration", "MSKAsSource": "MSKSourceConfiguration"}
    if type_ not in members:
        raise invalid(f"DeliveryStreamType {type_} is not offered here; offered are {' and '.join(members)}.")
    source: Request | None = request.get(members[type_])  # that of another type is passed over
    if source is None and type_ != "DirectPut":
        raise invalid(f"{members[type_]} is needed for a stream of type {type_}.")
    return source


def encrypted(asked: Request, settled: int) -> Encryption:
    """Encryption as it was asked for. Raises Fault."""
    own_key = asked["KeyType"] == "CUSTOMER_MANAGED_CMK"
    if own_key != ("KeyARN" in asked):
        raise invalid("KeyARN is given with KeyType CUSTOMER_MANAGED_CMK, and only then.")
    return Encryption(on=True, key_type=asked["KeyType"], key_arn=asked.get("KeyARN"), settled=settled)


def _partition(region: str) -> str:
    """
    >>> _partition("cn-north-1"), _partition("us-gov-west-1"), _partition("eu-west-1")
    ('aws-cn', 'aws-us-gov', 'aws')
    """
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
