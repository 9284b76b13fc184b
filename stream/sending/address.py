"""Where captures or labels are sent: a topic of Kafka brokers, or a stream behind a Firehose door."""

import re
from typing import Literal, cast

from msgspec import Struct

from schemas.errors import ConfigError

_FORM = re.compile(r"(kafka|https?)://([^/@\s]+)/([A-Za-z0-9._-]+)/?")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d{1,5})?")


class Address(Struct, frozen=True):
    """`name` is the topic, or the delivery stream."""

    scheme: Literal["kafka", "http", "https"]
    hosts: tuple[str, ...]
    name: str

    def __str__(self) -> str:
        return f"{self.scheme}://{','.join(self.hosts)}/{self.name}"


def parse(text: str) -> Address:
    """Read an address. Raises ConfigError.

    >>> parse("kafka://one:9092,two:9092/captures").hosts
    ('one:9092', 'two:9092')
    """
    form = _FORM.fullmatch(text)
    hosts = tuple(form[2].split(",")) if form else ()
    if form is None or not all(_HOST.fullmatch(host) for host in hosts):
        raise ConfigError(
            f"{text!r} is no place to send to: give kafka://HOST:PORT[,HOST:PORT]/TOPIC, "
            "http://HOST:PORT/STREAM or https://HOST:PORT/STREAM"
        )
    if form[1] != "kafka" and len(hosts) > 1:
        raise ConfigError(f"{text!r}: a door has one address")
    return Address(cast(Literal["kafka", "http", "https"], form[1]), hosts, form[3])
