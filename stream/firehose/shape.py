"""What records are converted to: the columns, where each is in the JSON, and how its values are read."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from msgspec import Struct

from stream.firehose import joda, times
from stream.firehose.values import Reader, Rules, reader


class Shape(Struct, frozen=True):
    """Columns of a table and their readers. `keys` are the JSON keys of the columns as `rules` compares them;
    `folds` says whether other spellings of a key are the same key."""

    schema: pa.Schema
    keys: tuple[str, ...]
    readers: tuple[Reader, ...]
    rules: Rules
    folds: bool
    dots: bool

    @classmethod
    def of(cls, schema: pa.Schema, deserializer: Mapping[str, Any]) -> "Shape":
        """The columns as an InputFormatConfiguration's Deserializer reads them. Raises ValueError."""
        kinds = [kind for kind in ("OpenXJsonSerDe", "HiveJsonSerDe") if deserializer.get(kind) is not None]
        if len(kinds) != 1:
            raise ValueError("a Deserializer is either OpenXJsonSerDe or HiveJsonSerDe")
        options = deserializer[kinds[0]]
        return _openx(schema, options) if kinds[0] == "OpenXJsonSerDe" else _hive(schema, options)


def _openx(schema: pa.Schema, options: Mapping[str, Any]) -> Shape:
    folds = _option(options, "CaseInsensitive", True)
    dots = _option(options, "ConvertDotsInJsonKeysToUnderscores", False)
    fold: Callable[[str], str] = str.lower if folds else str
    rules = Rules(
        lenient=True,
        key=lambda key: fold(key.replace(".", "_") if dots else key),
        map_key=fold,
        timestamp=times.openx,
        numbers=times.from_number,
        forms=frozenset({"iso", "sql", "number"}),
    )
    names = options.get("ColumnToJsonKeyMappings") or {}
    mapped = {column.lower(): key for column, key in names.items()}
    return _shape(schema, mapped, rules, folds, dots)


def _hive(schema: pa.Schema, options: Mapping[str, Any]) -> Shape:
    """Keys are folded to the case of columns, which have no dots; digits are a time only with `millis`."""
    formats = options.get("TimestampFormats") or []
    if any("." in name for name in schema.names):
        raise ValueError("HiveJsonSerDe takes no dots in the names of columns")
    timestamp = joda.reader(formats) if formats else times.sql
    rules = Rules(
        lenient=False,
        key=str.lower,
        map_key=str,
        timestamp=timestamp,
        numbers=lambda number: timestamp(str(number)),
        forms=frozenset({"millis"} & set(formats)) if formats else frozenset({"sql"}),
    )
    return _shape(schema, {}, rules, True, False)


def _shape(schema: pa.Schema, mapped: Mapping[str, str], rules: Rules, folds: bool, dots: bool) -> Shape:
    keys = tuple(rules.key(mapped.get(name, name)) for name in schema.names)
    readers = tuple(reader(type, rules) for type in schema.types)
    return Shape(schema, keys, readers, rules, folds, dots)


def _option(options: Mapping[str, Any], name: str, default: bool) -> bool:
    value = options.get(name)
    return default if value is None else bool(value)
