"""A request against the service model's shapes: clients check little of it before they send."""

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

from stream.ingest.faults import misfit, unreadable
from stream.ingest.patterns import matches

_MAX_TOLD = 10  # mistakes that are told one by one
_MAX_ECHO = 100  # characters of a value that are told
_TOO_LARGE = 2**63
# This door also delivers to servers without TLS; whether it may to this one is a rule of its own.
_PATTERNS = {"HttpEndpointUrl": "https?://.*", "AmazonopensearchserviceClusterEndpoint": "https?://.*"}


def validate(shape: Shape, document: Any) -> dict[str, Any]:
    """The request as plain values: blobs decoded, null members and members that nobody knows left out.

    Raises Fault: SerializationException where a type is wrong, ValidationException for all else, which
    counts every mistake. What a record holds is never told.
    """
    mistakes: list[str] = []
    read = _structure(shape, document, "", mistakes)
    if mistakes:
        some = "; ".join(mistakes[:_MAX_TOLD])
        plural = "s" if len(mistakes) > 1 else ""
        raise misfit(f"{len(mistakes)} validation error{plural} detected: {some}")
    return read


def _structure(shape: Shape, value: Any, path: str, mistakes: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unreadable(f"{path or 'the request'} must be an object")
    for name in shape.required_members:
        if value.get(name) is None:
            mistakes.append(_told(None, _joined(path, name), "Member must not be null"))
    return {
        name: _value(member, value[name], _joined(path, name), mistakes)
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


def _value(shape: Shape, value: Any, path: str, mistakes: list[str]) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, value, path, mistakes)
    if kind == "list":
        return _list(shape, value, path, mistakes)
    if kind == "map":
        return _map(shape, value, path, mistakes)
    read = _scalar(kind, value, path)
    for constraint in _broken(shape, read):
        secret = kind == "blob" or shape.metadata.get("sensitive")
        mistakes.append(_told(None if secret else read, path, constraint))
    return read


def _list(shape: Shape, value: Any, path: str, mistakes: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise unreadable(f"{path} must be a list")
    if broken := list(_sized(shape, len(value))):
        mistakes += [_told(None, path, constraint) for constraint in broken]
        return []  # a list that is too long is not looked through
    read = []
    for number, item in enumerate(value, start=1):
        place = f"{path}.{number}.member"
        if item is None:
            mistakes.append(_told(None, place, "Member must not be null"))
        else:
            read.append(_value(shape.member, item, place, mistakes))
    return read


def _map(shape: Shape, value: Any, path: str, mistakes: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unreadable(f"{path} must be an object")
    given = ((key, item) for key, item in value.items() if item is not None)
    return {key: _value(shape.value, item, f"{path}.{key}.member", mistakes) for key, item in given}


def _scalar(kind: str, value: Any, path: str) -> Any:
    """The value in the type that the model wants; raises SerializationException."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TOO_LARGE
    if kind == "string" and isinstance(value, str):
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind in ("integer", "long") and number and value == int(value):
        return int(value)
    if kind in ("double", "float", "timestamp") and number:
        return value
    if kind == "timestamp" and isinstance(value, str):
        try:
            when = datetime.fromisoformat(value)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError) as error:
            raise unreadable(f"{path} must be a time") from error
    if kind == "blob" and isinstance(value, str):
        try:
            return binascii.a2b_base64(value, strict_mode=True)
        except ValueError as error:  # also when there is more in it than ASCII
            raise unreadable(f"{path} must be base64") from error
    raise unreadable(f"{path} must be of type {kind}")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    """The constraints of a scalar's shape that `value` breaks."""
    meta = shape.metadata
    if shape.type_name in ("string", "blob"):
        yield from _sized(shape, len(value))
    else:
        if value < meta.get("min", value):
            yield f"Member must have value greater than or equal to {meta['min']}"
        if value > meta.get("max", value):
            yield f"Member must have value less than or equal to {meta['max']}"
    if (choices := meta.get("enum")) and value not in choices:
        yield f"Member must satisfy enum value set: [{', '.join(choices)}]"
    if (pattern := _PATTERNS.get(shape.name, meta.get("pattern"))) and not matches(pattern, value):
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _sized(shape: Shape, size: int) -> Iterator[str]:
    meta = shape.metadata
    if size < meta.get("min", size):
        yield f"Member must have length greater than or equal to {meta['min']}"
    if size > meta.get("max", size):
        yield f"Member must have length less than or equal to {meta['max']}"


def _told(value: Any, path: str, constraint: str) -> str:
    shown = "" if value is None else f" '{str(value)[:_MAX_ECHO]}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _joined(path: str, name: str) -> str:
    """The path as the service tells it: members begin with a small letter.

    >>> _joined("s3DestinationConfiguration", "RoleARN")
    's3DestinationConfiguration.roleARN'
    """
    camel = re.sub("^[A-Z]", lambda first: first[0].lower(), name)
    return f"{path}.{camel}" if path else camel
