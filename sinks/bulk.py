"""OpenSearch's bulk request: documents and actions as lines, and what an answer says of each of them.

Sources: OpenSearch documentation, Bulk API; Data Firehose guide, OpenSearch Service destination.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from sinks.refused import Refused

_MESSAGE = 8192  # characters of a reason

_object = msgspec.json.Decoder(dict[str, Raw])  # the values are looked at, not made


def document(record: bytes) -> bytes | None:
    r"""A record as one line; None when it is not one JSON object in UTF-8.

    >>> document(b'{"a":\n 1}\n'), document(b'{"a": 1}{"a": 2}'), document(b'{"a": "\xff"}'), document(b"[1]")
    (b'{"a":  1}', None, None, None)
    """
    try:
        _object.decode(record)
        record.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # Between the parts of a JSON text a line end is but white space, and within them it is an error.
    return record.strip().replace(b"\r", b" ").replace(b"\n", b" ")


def lines(
    operation: str, index: str, kind: str, identifier: str, text: bytes | None, version: int | None = None
) -> bytes:
    """The action and the document, each a line. What is empty is left out: then the cluster makes an id.

    A delete has no document. With a `version`, what the cluster has in a higher one stays, and the answer is
    a conflict.

    >>> lines("index", "alerts", "", "49.0", b"{}")
    b'{"index":{"_index":"alerts","_id":"49.0"}}\\n{}\\n'
    >>> lines("delete", "metrics", "", "a", None, version=2)
    b'{"delete":{"_index":"metrics","_id":"a","version":2,"version_type":"external_gte"}}\\n'
    """
    about = {"_index": index, "_type": kind, "_id": identifier}
    named: dict[str, str | int] = {name: value for name, value in about.items() if value}
    if version is not None:
        named |= {"version": version, "version_type": "external_gte"}
    action = msgspec.json.encode({operation: named})
    return action + b"\n" if text is None else b"%b\n%b\n" % (action, text)


class _Item(Struct):
    status: int
    error: Any = None


class _Answer(Struct):
    items: list[dict[str, _Item]]


def read(answer: object, count: int) -> list[Refused | None]:
    """What became of each document: None when it is stored. Raises ValueError when the answer does not say.

    429 and 5xx may pass; any other error of a document stays: a mapping that it does not fit, for one.

    >>> read({"items": [{"index": {"status": 201}}, {"index": {"status": 429, "error": "busy"}}]}, 2)
    [None, Refused(code='429', message='busy', final=False)]
    """
    try:
        items = msgspec.convert(answer, _Answer).items
    except msgspec.ValidationError as error:
        raise ValueError(f"not the answer to a bulk request: {error}") from error
    if len(items) != count or any(len(item) != 1 for item in items):
        raise ValueError(f"{len(items)} answers to {count} documents")
    return [_judge(result) for item in items for result in item.values()]


def _judge(item: _Item) -> Refused | None:
    if 200 <= item.status < 300:
        return None
    return Refused(
        str(item.status), _described(item.error)[:_MESSAGE], item.status < 500 and item.status != 429
    )


def _described(error: object) -> str:
    """An error with its causes; older clusters say it in a text."""
    return ": ".join(_reasons(error)) if isinstance(error, dict) else str(error or "")


def _reasons(error: Any) -> Iterator[str]:
    while isinstance(error, dict):
        yield from (str(error[name]) for name in ("type", "reason") if error.get(name))
        error = error.get("caused_by")
