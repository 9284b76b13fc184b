"""Keys of objects: derived from what they hold, so that a range of records put again replaces itself."""

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from schemas.times import to_datetime
from stream.firehose import prefix
from stream.firehose.expressions import Parts

_OBJECTS = uuid.UUID("5a9e4b51-9a3c-5d0c-9f0e-0f6d3f3f6c51")  # a name space of our own, for version 5


class Stream(Struct, frozen=True):
    """A delivery stream: `version` is its VersionId when the range was sealed; `identity` tells it from an
    earlier stream of the same name (its creation time, say)."""

    name: str
    arn: str
    version: str
    identity: str


class Origin(Struct, frozen=True):
    """What one object of a range is: the range's first sequence number, what kind of records (`data`,
    `backup`, or a type of error), and which partition of them."""

    first: int
    kind: str
    partition: Parts = ()


def object_id(stream: Stream, origin: Origin) -> uuid.UUID:
    """The UUID in an object's name: the same for the same range, partition and kind, and for no other.

    >>> stream = Stream("s", "arn:aws:firehose:us-east-1:000000000000:deliverystream/s", "1", "2026-01-02")
    >>> str(object_id(stream, Origin(0, "data")))
    '03eda43b-0a5e-58f3-9769-dfc829962f5c'
    """
    partition = [part if isinstance(part, str) else [part.namespace, part.value] for part in origin.partition]
    facts = msgspec.json.encode([stream.arn, stream.identity, origin.first, origin.kind, partition])
    return uuid.uuid5(_OBJECTS, facts.decode())


def key(
    parts: Parts, extension: str, stream: Stream, origin: Origin, oldest: int, zone: ZoneInfo, error: str = ""
) -> str:
    """`<prefix><stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid><extension>`.

    `oldest` is the arrival of the oldest record in the object, ms since the epoch; the zone counts for the
    prefix and for the name. `error` is the type of error of an error object.
    """
    when: datetime = to_datetime(oldest).astimezone(zone)
    name = object_id(stream, origin)
    place = prefix.Place(when, str(name), error)
    told = f"{stream.name}-{stream.version}-{when:%Y-%m-%d-%H-%M-%S}-{name}{extension}"
    return prefix.render(parts, place) + told
