"""Prefix expressions are checked by the code that evaluates them."""

import re
from collections.abc import Collection

from stream.firehose import partition_query
from stream.firehose import prefix as expressions
from stream.ingest.faults import invalid

_QUERIED = re.compile(r"!\{partitionKeyFromQuery:([^}]*)\}")


def check(
    prefix: str | None,
    error_prefix: str | None,
    *,
    partitioning: bool = False,
    query: str | None = None,
    calls_lambda: bool = False,
) -> None:
    """Raises InvalidArgumentException with what is wrong with the expressions. `query` is the jq query that
    makes partition keys, where there is one; `calls_lambda` says that a Lambda processor may make some."""
    made = None if query is None else _made(query, prefix or "")
    given = () if calls_lambda else None
    try:
        expressions.check(prefix, error_prefix, partitioning=partitioning, query_keys=made, lambda_keys=given)
    except ValueError as error:
        raise invalid(str(error)) from error


def _made(query: str, prefix: str) -> Collection[str]:
    """The keys that a query makes; where only running it tells, those that the prefix asks it for."""
    names = partition_query.names(query)
    return _QUERIED.findall(prefix) if names is None else names
