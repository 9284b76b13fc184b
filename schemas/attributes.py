"""Custom attributes of captured records: the text of a header, and what it holds by name."""

import msgspec
import pyarrow as pa
from msgspec import Struct


class _Metadata(Struct, rename="camel"):
    custom_attributes: list[str] | None = None


class _Record(Struct, rename="camel"):
    event_metadata: _Metadata | None = None


_decoder = msgspec.json.Decoder(_Record)


def texts_of(records: pa.BinaryArray) -> pa.StringArray:
    """The text of each record's custom attributes; null where there are none, or they cannot be read.

    >>> record = b'{"eventMetadata": {"eventId": "1", "customAttributes": ["test=true,team=fraud"]}}'
    >>> texts_of(pa.array([record, b"{}", b"{"], pa.binary())).to_pylist()
    ['test=true,team=fraud', None, None]
    """
    return pa.array(map(_text, records.to_pylist()), pa.string())


def _text(record: bytes) -> str | None:
    try:
        metadata = _decoder.decode(record).event_metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if metadata is None or metadata.custom_attributes is None:
        return None
    return ",".join(metadata.custom_attributes)


def named(text: str) -> dict[str, str]:
    """What a header holds by name: the keys of a JSON object, or `key=value` parted by `,` or `;`.

    A header of another form names nothing; it can be matched as a whole.

    >>> named('{"test": true, "team": "fraud"}'), named("test=true; team=fraud"), named("canary")
    ({'test': 'true', 'team': 'fraud'}, {'test': 'true', 'team': 'fraud'}, {})
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pairs = (part.partition("=") for part in text.replace(";", ",").split(","))
        return {key.strip(): value.strip() for key, equals, value in pairs if equals}
    if not isinstance(document, dict):
        return {}
    return {key: _value(value) for key, value in document.items() if value is not None}


def _value(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
