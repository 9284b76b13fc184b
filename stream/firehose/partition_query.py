"""MetadataExtraction: partition keys out of records, by a jq query."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa

from schemas.errors import ConfigError
from stream.firehose import expressions

# The query sees its record and nothing else: not the next record, the environment or the clock.
_HIDDEN = "env input inputs input_filename input_line_number halt halt_error now get_search_list".split()
_GUARD = "".join(f'def {name}: error("{name} is not available here");' for name in _HIDDEN)
_GUARD += 'def halt_error($code): error("halt_error is not available here");'
_GUARD += "def debug: .; def debug(message): .; def stderr: .;"
_ENVIRONMENT = re.compile(r"\$\s*(ENV|__prog\w*)\b")
_NAME = re.compile(r"\s*(?:([A-Za-z_]\w*)|\"([^\"\\]*)\"|\$([A-Za-z_]\w*))\s*(?=:|$)", re.ASCII)

Keys = dict[str, Any]


class Query:
    """A jq query made ready once. Raises ConfigError when it cannot be used, or jq is not installed."""

    def __init__(self, query: str) -> None:
        if _ENVIRONMENT.search(query):
            raise ConfigError(f"the jq query {query!r} must not read the environment")
        self._program = _compiled(query)

    def keys(self, data: pa.BinaryArray) -> list[Keys | str]:
        """The keys of each record; a text says why there are none. Numbers are doubles, as in jq 1.6.

        All records are given to jq at once. Where that does not give one answer for each, they are halved
        until those that jq cannot read are alone.
        """
        records = [_readable(record.as_py()) for record in data]
        good = [record for record in records if record is not None]
        answers = iter(self._answers(good))
        return [
            "the data is not one JSON document" if record is None else next(answers) for record in records
        ]

    def _answers(self, records: Sequence[str]) -> list[Keys | str]:
        if not records:
            return []
        try:
            answers = [_answer(answer) for answer in self._program.input_text("\n".join(records)).all()]
        except ValueError as error:
            answers = [str(error)] * (len(records) == 1)
        if len(answers) == len(records):
            return answers
        if len(records) == 1:
            return ["the query gave no answer"]
        middle = len(records) // 2
        return self._answers(records[:middle]) + self._answers(records[middle:])


@lru_cache(maxsize=64)
def _compiled(query: str) -> Any:
    try:
        import jq
    except ImportError as error:
        raise ConfigError(
            "partition keys from a query need the jq package: pip install 'streamgauge[partitioning]'"
        ) from error
    try:
        jq.compile(query)  # it must stand by itself, and not be made whole by what is put around it
        return jq.compile(f"{_GUARD} try [\n{query}\n] catch tostring")
    except ValueError as error:
        raise ConfigError(f"the jq query {query!r} cannot be compiled: {error}") from error


def _readable(record: bytes) -> str | None:
    """The record as text when it is one JSON document: only then does jq give one answer for it."""
    try:
        msgspec.json.decode(record)
        return record.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _answer(answer: Any) -> Keys | str:
    if isinstance(answer, str):
        return answer
    if len(answer) == 1 and isinstance(answer[0], dict):
        return answer[0]
    return "the query did not give one object"


def names(query: str) -> frozenset[str] | None:
    """The keys that a query makes, where it is an object constructor; None where it is anything else.

    >>> sorted(names('{endpoint: .endpoint, "day": (.ts|strftime("%Y-%m-%d")), variant}') or ())
    ['day', 'endpoint', 'variant']
    >>> names('.meta | {variant}')
    """
    text = query.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    entries = _entries(text[1:-1])
    found = [_NAME.match(entry) for entry in entries or ()]
    if entries is None or not all(found):
        return None
    return frozenset(match[1] or match[2] or match[3] for match in found if match)


def promised(query: str, prefix: str) -> Collection[str]:
    """The keys that a query makes; where only running it tells, those that the prefix asks it for."""
    found = names(query)
    return expressions.keys(expressions.parse(prefix), expressions.QUERY) if found is None else found


def _entries(text: str) -> list[str] | None:
    """What stands between the commas of an object constructor; None when it is closed in between."""
    entries, depth, quoted, escaped = [""], 0, False, False
    for character in text:
        if not quoted:
            depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return None
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = character == "\\" and not escaped
        if character == "," and not depth and not quoted:
            entries.append("")
        else:
            entries[-1] += character
    return entries
