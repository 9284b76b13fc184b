"""Where objects lie: prefixes with expressions, checked once, evaluated for each object."""

import base64
import hashlib
import re
from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from stream.firehose import expressions, patterns
from stream.firehose.expressions import (
    ERROR_TYPE,
    LAMBDA,
    QUERY,
    RANDOM,
    SERVICE,
    TIMESTAMP,
    Expression,
    Parts,
)

_LONGEST_RAW, _LONGEST = 1024, 512  # characters, of a prefix as it is written and as it is evaluated
_DATE = expressions.parse("!{timestamp:yyyy/MM/dd/HH}/")
_ZONE = re.compile(r"[A-Za-z/_]{1,50}")
_SAMPLE = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)


class Place(Struct, frozen=True):
    """What an object's prefix is evaluated with: the arrival of its oldest record (its zone counts), what
    tells it from all other objects, and for an error object the type of error."""

    when: datetime
    identity: str
    error_type: str = ""


def check(
    prefix: str | None,
    error_prefix: str | None,
    *,
    partitioning: bool,
    query_keys: Collection[str] | None = None,
    lambda_keys: Collection[str] | None = None,
) -> None:
    """Refuse what the service refuses. Raises ValueError with the reason.

    `query_keys` are the keys that the jq query makes; None where there is no query. `lambda_keys` are None
    where there is no Lambda processor; its keys are known only when records come, so any are accepted.
    """
    main, error = _parsed("Prefix", prefix), _parsed("ErrorOutputPrefix", error_prefix)
    if expressions.has(main, SERVICE, ERROR_TYPE):
        raise ValueError(f"Prefix must not hold !{{{SERVICE}:{ERROR_TYPE}}}")
    if _dynamic(main) and error_prefix is None:
        raise ValueError("a Prefix with expressions needs an ErrorOutputPrefix")
    if expressions.has(error, QUERY) or expressions.has(error, LAMBDA):
        raise ValueError("ErrorOutputPrefix must not hold partition keys")
    if _dynamic(error) and not expressions.has(error, SERVICE, ERROR_TYPE):
        raise ValueError(f"an ErrorOutputPrefix with expressions must hold !{{{SERVICE}:{ERROR_TYPE}}}")
    _check_keys(main, error_prefix, partitioning, query_keys, lambda_keys)


def _parsed(member: str, text: str | None) -> Parts:
    if len(text or "") > _LONGEST_RAW:
        raise ValueError(f"{member} is longer than {_LONGEST_RAW} characters")
    try:
        parts = expressions.parse(text or "")
    except ValueError as error:
        raise ValueError(f"{member}: {error}") from error
    keys = {name: "" for name in expressions.keys(parts, QUERY) | expressions.keys(parts, LAMBDA)}
    sample = render(expressions.bound(parts, keys, keys), Place(_SAMPLE, "", "processing-failed"))
    if len(sample) > _LONGEST:
        raise ValueError(f"{member} is longer than {_LONGEST} characters when it is evaluated")
    return parts


def _check_keys(
    main: Parts,
    error_prefix: str | None,
    partitioning: bool,
    query_keys: Collection[str] | None,
    lambda_keys: Collection[str] | None,
) -> None:
    queried, given = expressions.keys(main, QUERY), expressions.keys(main, LAMBDA)
    if not partitioning:
        if queried or given:
            raise ValueError("partition keys in Prefix need dynamic partitioning")
        return
    if not queried and not given:
        raise ValueError("dynamic partitioning needs a partition key in Prefix")
    if error_prefix is None:
        raise ValueError("dynamic partitioning needs an ErrorOutputPrefix")
    if queried and query_keys is None:
        raise ValueError(f"!{{{QUERY}:...}} needs a MetadataExtraction processor")
    if given and lambda_keys is None:
        raise ValueError(f"!{{{LAMBDA}:...}} needs a Lambda processor")
    if missing := sorted(queried - set(query_keys or ())):
        raise ValueError(f"Prefix holds keys that the query does not make: {', '.join(missing)}")
    if unused := sorted(set(query_keys or ()) - queried):
        raise ValueError(f"the query makes keys that Prefix does not hold: {', '.join(unused)}")


def _dynamic(parts: Parts) -> bool:
    return any(isinstance(part, Expression) for part in parts)


def check_zone(name: str | None) -> ZoneInfo:
    """The time zone of CustomTimeZone; UTC when it is not given. Raises ValueError."""
    try:
        if name is None or _ZONE.fullmatch(name):
            return ZoneInfo(name or "UTC")
    except (OSError, ValueError, KeyError):
        pass
    raise ValueError(f"CustomTimeZone {name!r} is not the name of a time zone")


def main(prefix: str | None) -> Parts:
    """The prefix of data: the hour is added where neither a timestamp nor a partition key says more."""
    parts = expressions.parse(prefix or "")
    if any(expressions.has(parts, namespace) for namespace in (TIMESTAMP, QUERY, LAMBDA)):
        return parts
    return parts + _DATE


def errors(error_prefix: str | None, prefix: str | None) -> Parts:
    """The prefix of error records: without expressions, the type of error and the hour are added.

    No error prefix at all means the prefix of the data, where that has no expressions.
    """
    parts = expressions.parse(error_prefix or "")
    if _dynamic(parts):
        return parts
    if error_prefix is None:
        data = expressions.parse(prefix or "")
        parts = () if _dynamic(data) else data
    return (*parts, Expression(SERVICE, ERROR_TYPE), "/", *_DATE)


def render(parts: Parts, place: Place) -> str:
    """The prefix of one object; partition keys are bound before.

    >>> render(main("raw"), Place(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "first object"))
    'raw2026/01/02/03/'
    """
    return "".join(
        part if isinstance(part, str) else _value(part, place, at) for at, part in enumerate(parts)
    )


def _value(part: Expression, place: Place, at: int) -> str:
    if part.namespace == TIMESTAMP:
        return patterns.render(part.pattern, place.when)
    if part.value == RANDOM:
        return _random(f"{place.identity}\0{at}")
    return place.error_type


def _random(seed: str) -> str:
    """Eleven characters, the same for the same seed, so that a put that is repeated has the same key."""
    return base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest())[:11].decode()
