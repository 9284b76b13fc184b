"""Which hosts are this machine, and which servers may be spoken to without TLS."""

from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from stream.ingest.faults import invalid

AllowHttp = Literal["loopback", "always", "never"]


def is_loopback(host: str) -> bool:
    """Whether only this machine is reached by it.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.com")]
    [True, True, True, False, False]
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_url(url: str, allow_http: AllowHttp) -> None:
    """Raises InvalidArgumentException for an address without a host, and for http where it is not allowed."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise invalid(f"The address of the endpoint cannot be read: {error}.") from error
    if not host:
        raise invalid("The address of the endpoint names no host.")
    if parts.scheme == "http" and not (
        allow_http == "always" or (allow_http == "loopback" and is_loopback(host))
    ):
        raise invalid("The endpoint must be https; http is a matter of the setting firehose.allow_http.")
