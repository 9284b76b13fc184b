"""Dynamic partitioning: each record to the prefix that its partition keys make."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from stream.firehose import expressions
from stream.firehose.expressions import LAMBDA, QUERY, Parts
from stream.firehose.partition_query import Query

EXTRACTION = "DynamicPartitioning.MetadataExtractionFailed"
TOO_MANY = "DynamicPartitioning.ActivePartitionsLimitExceeded"
ACTIVE = 500  # partitions between a record's coming and its delivery, by default
_LONGEST = 512  # characters of an evaluated prefix
_LONGEST_BYTES = 700  # of a key's 1024 bytes in S3; stream, version, time, UUID and extension take the others


class Problem(Struct, frozen=True):
    """Why a record is in no partition."""

    code: str
    message: str


class Partitioned(Struct, frozen=True):
    """The rows of each partition, named by its prefix with the keys filled in, in the order in which the
    partitions came; and what is wrong with the records that are in none."""

    groups: dict[Parts, NDArray[np.int64]]
    problems: dict[int, Problem]


def partition(
    data: pa.BinaryArray,
    prefix: Parts,
    query: Query | None,
    lambda_keys: Sequence[Mapping[str, Any] | None] | None = None,
    limit: int = ACTIVE,
) -> Partitioned:
    """Group records by partition. `lambda_keys` are those that a function gave each record, if it did."""
    queried = query.keys(data) if query else [{}] * len(data)
    given = lambda_keys if lambda_keys is not None else [None] * len(data)
    rows: dict[Parts, list[int]] = {}
    problems: dict[int, Problem] = {}
    known: dict[tuple[Any, ...], Parts | str] = {}
    wanted = _wanted(prefix)
    for row, (by_query, by_lambda) in enumerate(zip(queried, given, strict=True)):
        if isinstance(by_query, str):
            problems[row] = Problem(EXTRACTION, by_query)
            continue
        sources = {QUERY: by_query, LAMBDA: by_lambda or {}}
        values = tuple(_text(sources[space].get(name)) for space, name in wanted)
        if values not in known:
            known[values] = _bound(prefix, wanted, values)
        found = known[values]
        if isinstance(found, str):
            problems[row] = Problem(EXTRACTION, found)
        elif found in rows or len(rows) < limit:
            rows.setdefault(found, []).append(row)
        else:
            problems[row] = Problem(TOO_MANY, f"more than {limit} partitions are active")
    return Partitioned({parts: np.array(each, np.int64) for parts, each in rows.items()}, problems)


def _wanted(prefix: Parts) -> list[tuple[str, str]]:
    return [(space, name) for space in (QUERY, LAMBDA) for name in sorted(expressions.keys(prefix, space))]


def _text(value: Any) -> str | None:
    """A key as text; None when it is null, absent, empty, an object or an array.

    >>> _text("a"), _text(True), _text(7), _text(""), _text([])
    ('a', 'true', '7', None, None)
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value) or None
    return None


def _bound(prefix: Parts, wanted: Sequence[tuple[str, str]], values: Sequence[str | None]) -> Parts | str:
    """The prefix with these keys, or why there is none."""
    missing = [name for (_, name), value in zip(wanted, values, strict=True) if value is None]
    if missing:
        return f"the partition key {missing[0]} is absent, null, empty, an object or an array"
    named: dict[str, dict[str, str]] = {QUERY: {}, LAMBDA: {}}
    for (space, name), value in zip(wanted, values, strict=True):
        named[space][name] = str(value)
    bound = expressions.bound(prefix, named[QUERY], named[LAMBDA])
    return _refused("".join(part for part in bound if isinstance(part, str))) or bound


def _refused(prefix: str) -> str | None:
    """Why no key may begin like this: one that S3 would not take must not cost all records of its object."""
    try:
        nbytes = len(prefix.encode())
    except UnicodeEncodeError:
        return "a partition key is not text"
    if len(prefix) > _LONGEST or nbytes > _LONGEST_BYTES:
        return f"the prefix is longer than {_LONGEST} characters or {_LONGEST_BYTES} bytes with these keys"
    if any(unicodedata.category(character) == "Cc" for character in prefix):
        return "a partition key holds control characters"
    return None
