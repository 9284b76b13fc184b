"""Column types as Glue tables write them (`struct<a:int,b:array<string>>`), as Arrow types."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_PLAIN: Mapping[str, pa.DataType] = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
}
_DECIMAL = re.compile(r"decimal(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?")
_TEXT = re.compile(r"(?:var)?char\(\s*\d+\s*\)")
_NESTED = re.compile(r"(array|map|struct)\s*<(.*)>", re.DOTALL)


def parse(text: str) -> pa.DataType:
    """The Arrow type of a Hive type. Raises ValueError for a union and for what is not a type.

    Texts of limited length are texts; timestamps are in ms and have no zone.

    >>> str(parse("array<struct<Name:string,price:decimal(10,2)>>"))
    'list<item: struct<name: string, price: decimal128(10, 2)>>'
    """
    kind = text.strip().lower()
    if plain := _PLAIN.get(kind):
        return plain
    if _TEXT.fullmatch(kind):
        return pa.string()
    if found := _DECIMAL.fullmatch(kind):
        return _decimal(int(found[1] or 10), int(found[2] or 0))
    if nested := _NESTED.fullmatch(kind):
        return _nested(nested[1], _split(nested[2], ","), text)
    raise ValueError(f"{text!r} is not a column type that can be written")


def _decimal(precision: int, scale: int) -> pa.DataType:
    if not 1 <= precision <= 38 or scale > precision:
        raise ValueError(f"decimal({precision},{scale}) is not a type: at most 38 digits, scale within them")
    return pa.decimal128(precision, scale)


def _nested(kind: str, inner: Sequence[str], text: str) -> pa.DataType:
    if kind == "array" and len(inner) == 1:
        return pa.list_(parse(inner[0]))
    if kind == "map" and len(inner) == 2:
        return pa.map_(parse(inner[0]), parse(inner[1]))
    fields = [_split(field, ":") for field in inner]
    names = [field[0].strip() for field in fields]
    if kind != "struct" or not all(names) or len(set(names)) < len(names) or any(len(f) < 2 for f in fields):
        raise ValueError(f"{text!r} is not a column type that can be written")
    return pa.struct([(name, parse(":".join(rest))) for name, (_, *rest) in zip(names, fields, strict=True)])


def _split(text: str, separator: str) -> list[str]:
    """Parts between separators that stand in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == separator and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def schema(columns: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """The Arrow schema of Glue columns, `{"Name": ..., "Type": ...}`. Raises ValueError.

    >>> schema([{"Name": "id", "Type": "string"}, {"Name": "n", "Type": "bigint"}]).names
    ['id', 'n']
    """
    names = [str(column["Name"]).lower() for column in columns]
    if not names or len(set(names)) < len(names):
        raise ValueError("a table needs columns, and each name once")
    return pa.schema([(name, parse(column["Type"])) for name, column in zip(names, columns, strict=True)])
