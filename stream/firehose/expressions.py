"""Expressions in key prefixes, `!{namespace:value}`, taken apart once."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stream.firehose import patterns

TIMESTAMP, SERVICE = "timestamp", "firehose"
QUERY, LAMBDA = "partitionKeyFromQuery", "partitionKeyFromLambda"
RANDOM, ERROR_TYPE = "random-string", "error-output-type"


class Expression(NamedTuple):
    """`!{namespace:value}`; `pattern` is what a timestamp's value means."""

    namespace: str
    value: str
    pattern: tuple[str | patterns.Field, ...] = ()


Parts = tuple[str | Expression, ...]


def parse(text: str) -> Parts:
    """Literal texts and expressions of a prefix. Raises ValueError with the reason.

    >>> parse("raw/!{partitionKeyFromQuery:model}/")
    ('raw/', Expression(namespace='partitionKeyFromQuery', value='model', pattern=()), '/')
    """
    return tuple(_parts(text))


def _parts(text: str) -> Iterator[str | Expression]:
    literal, *rest = text.split("!{")
    if literal:
        yield literal
    for piece in rest:
        inside, closed, literal = piece.partition("}")
        if not closed:
            raise ValueError(f"an expression is not closed: !{{{piece}")
        yield _expression(inside)
        if literal:
            yield literal


def _expression(text: str) -> Expression:
    namespace, colon, value = text.partition(":")
    if not colon or not value:
        raise ValueError(f"!{{{text}}} is not of the form !{{namespace:value}}")
    if namespace == TIMESTAMP:
        return Expression(namespace, value, patterns.parse(value))
    if namespace == SERVICE and value not in (RANDOM, ERROR_TYPE):
        raise ValueError(f"!{{{text}}}: the namespace firehose has only {RANDOM} and {ERROR_TYPE}")
    if namespace not in (SERVICE, QUERY, LAMBDA):
        raise ValueError(f"!{{{text}}}: {namespace!r} is not a namespace")
    return Expression(namespace, value)


def keys(parts: Parts, namespace: str) -> frozenset[str]:
    """Names of the partition keys that a prefix takes from one namespace."""
    return frozenset(
        part.value for part in parts if isinstance(part, Expression) and part.namespace == namespace
    )


def has(parts: Parts, namespace: str, value: str | None = None) -> bool:
    """Whether an expression of this namespace, and value where one is given, is there."""
    return any(
        isinstance(part, Expression) and part.namespace == namespace and value in (None, part.value)
        for part in parts
    )


def bound(parts: Parts, query: Mapping[str, str], function: Mapping[str, str]) -> Parts:
    """The prefix with its partition keys filled in; literals that meet become one.

    So two records lie in the same partition exactly when their prefixes are equal, whatever the time and the
    random text of an object will be. A key's value is text, also where it looks like an expression.
    """
    filled: list[str | Expression] = []
    for part in parts:
        if isinstance(part, Expression) and part.namespace == QUERY:
            part = query[part.value]
        elif isinstance(part, Expression) and part.namespace == LAMBDA:
            part = function[part.value]
        if isinstance(part, str) and filled and isinstance(filled[-1], str):
            filled[-1] += part
        else:
            filled.append(part)
    return tuple(filled)
