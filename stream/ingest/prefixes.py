"""Prefix expressions are checked by the code that evaluates them."""

from stream.firehose import partition_query
from stream.firehose import prefix as expressions
from stream.ingest.faults import invalid


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
    given = () if calls_lambda else None
    try:
        made = None if query is None else partition_query.promised(query, prefix or "")
        expressions.check(prefix, error_prefix, partitioning=partitioning, query_keys=made, lambda_keys=given)
    except ValueError as error:
        raise invalid(str(error)) from error
