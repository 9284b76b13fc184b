"""Prefix expressions are checked by the code that evaluates them."""

import re
from collections.abc import Collection
from importlib import import_module, util

from stream.ingest.faults import invalid

_PACKAGE = "stream.firehose"
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
    try:
        _evaluate(prefix, error_prefix, partitioning, query, calls_lambda)
    except ValueError as error:
        raise invalid(str(error)) from error


def _evaluate(
    prefix: str | None, error_prefix: str | None, partitioning: bool, query: str | None, calls_lambda: bool
) -> None:
    if not util.find_spec(_PACKAGE):
        return
    evaluator = import_module(f"{_PACKAGE}.prefix")
    made = None if query is None else _made(query, prefix or "")
    given = () if calls_lambda else None
    evaluator.check(prefix, error_prefix, partitioning=partitioning, query_keys=made, lambda_keys=given)


def _made(query: str, prefix: str) -> Collection[str]:
    """The keys that a query makes; where only running it tells, those that the prefix asks it for."""
    names: Collection[str] | None = import_module(f"{_PACKAGE}.partition_query").names(query)
    return _QUERIED.findall(prefix) if names is None else names
