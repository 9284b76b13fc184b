"""One JSON value as a value of a column, by the rules of the two deserializers.

Rules where the developer guide is silent are those that floci-io/floci measured on the service; a number that
is out of the range of its column, or has a fraction where none can be, does not match the schema.
"""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from stream.firehose import times

Reader = Callable[[Any], Any]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
_LARGEST_EXPONENT = 400  # no column holds an integer near to it: it is not worth to write out its digits


class Numeral(str):
    """A JSON number with a fraction or an exponent, as it is written."""


class Mismatch(ValueError):
    """A value does not fit its column."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"Data does not match the schema. For input string: {text(value)[:200]}")


class Rules(Struct, frozen=True):
    """What a deserializer makes of keys and values.

    `lenient` (OpenX): texts are read as numbers and Booleans, values of any kind are written as text where
    one is wanted, a lone value is a list of one, and a list is a struct by position. `key` is what a JSON key
    is compared as; `map_key` what becomes of one in a map; `timestamp` reads texts, in ms since the epoch,
    and `numbers` JSON numbers; `forms` names those ways of writing a time (`iso`, `sql`, `number`, `millis`)
    that whole runs of records are read in.
    """

    lenient: bool
    key: Callable[[str], str]
    map_key: Callable[[str], str]
    timestamp: Callable[[str], int]
    numbers: Callable[[float], int]
    forms: frozenset[str]


def text(value: Any, key: Callable[[str], str] = str) -> str:
    """A value as JSON text without spaces, numbers as they were written.

    >>> text({"A": [1, Numeral("1.0"), "x"]}, str.lower)
    '{"a":[1,1.0,"x"]}'
    """
    if isinstance(value, Numeral):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{text(key(name))}:{text(each, key)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text(each, key) for each in value) + "]"
    return msgspec.json.encode(value).decode()


def reader(type: pa.DataType, rules: Rules) -> Reader:
    """Reads values of one column type, null as None. The reader raises Mismatch."""
    read = _reader(type, rules)

    def nullable(value: Any) -> Any:
        if value is None:
            return None
        try:
            return read(value)
        except (InvalidOperation, OverflowError, ValueError) as error:
            raise error if isinstance(error, Mismatch) else Mismatch(value) from error

    return nullable


def _reader(type: pa.DataType, rules: Rules) -> Reader:
    if pa.types.is_string(type):
        return lambda value: _string(value, rules)
    if pa.types.is_binary(type):
        return lambda value: _string(value, rules).encode()
    if pa.types.is_boolean(type):
        return lambda value: _boolean(value, rules.lenient)
    if pa.types.is_integer(type):
        bound = 1 << (type.bit_width - 1)
        return lambda value: _integer(_number(value, rules.lenient), bound)
    if pa.types.is_floating(type):
        return lambda value: float(_number(value, rules.lenient))
    if pa.types.is_decimal(type):
        return lambda value: _decimal(_number(value, rules.lenient), type)
    if pa.types.is_date(type):
        return lambda value: times.days(_text_only(value))
    if pa.types.is_timestamp(type):
        return lambda value: _timestamp(value, rules)
    return _nested(type, rules)


def _nested(type: pa.DataType, rules: Rules) -> Reader:
    if pa.types.is_map(type):
        keys, items = reader(type.key_type, rules), reader(type.item_type, rules)
        return lambda value: _map(value, keys, items, rules.map_key)
    if pa.types.is_list(type):
        item = reader(type.value_type, rules)
        return lambda value: [item(each) for each in _listed(value, rules.lenient)]
    fields = {rules.key(field.name): (field.name, reader(field.type, rules)) for field in type}
    return lambda value: _struct(value, fields, rules)


def _number(value: Any, lenient: bool) -> str:
    """The digits of a number, or of a text that is one."""
    if isinstance(value, Numeral) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    if lenient and isinstance(value, str) and _NUMBER.fullmatch(value):
        return value
    raise Mismatch(value)


def _integer(digits: str, bound: int) -> int:
    value = Decimal(digits)
    if abs(value.adjusted()) > _LARGEST_EXPONENT and value:
        raise Mismatch(digits)
    if value != (whole := int(value)) or not -bound <= whole < bound:
        raise Mismatch(digits)
    return whole


def _decimal(digits: str, type: pa.DataType) -> Decimal:
    """Rounded to the scale, half away from zero; InvalidOperation when it has too many digits."""
    return Decimal(digits).quantize(
        Decimal(1).scaleb(-type.scale), ROUND_HALF_UP, Context(prec=type.precision)
    )


def _string(value: Any, rules: Rules) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | Mapping) and not rules.lenient:
        raise Mismatch(value)
    return text(value, rules.map_key)


def _boolean(value: Any, lenient: bool) -> bool:
    if isinstance(value, bool):
        return value
    if lenient and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Mismatch(value)


def _text_only(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Numeral):
        return value
    raise Mismatch(value)


def _timestamp(value: Any, rules: Rules) -> int:
    if isinstance(value, Numeral):
        return rules.numbers(float(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return rules.numbers(value)
    return rules.timestamp(_text_only(value))


def _listed(value: Any, lenient: bool) -> list[Any]:
    if isinstance(value, list):
        return value
    if lenient:
        return [value]
    raise Mismatch(value)


def _map(value: Any, keys: Reader, items: Reader, name: Callable[[str], str]) -> list[tuple[Any, Any]]:
    if not isinstance(value, Mapping):
        raise Mismatch(value)
    return list({keys(name(key)): items(item) for key, item in value.items()}.items())


def _struct(value: Any, fields: Mapping[str, tuple[str, Reader]], rules: Rules) -> dict[str, Any]:
    if isinstance(value, Mapping):
        found = {rules.key(key): item for key, item in value.items()}
        return {name: read(found.get(key)) for key, (name, read) in fields.items()}
    if isinstance(value, list) and rules.lenient:
        padded = [*value, *[None] * len(fields)]
        return {name: read(item) for (name, read), item in zip(fields.values(), padded, strict=False)}
    raise Mismatch(value)
