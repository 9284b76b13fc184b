"""Values of many rows as Arrow columns of the types that a layout asks for."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from msgspec import Struct
from numpy.typing import NDArray

from schemas import payload
from schemas.layout import Kind, Layout
from schemas.sides import Side

ARROW: Mapping[Kind, pa.DataType] = {"Integral": pa.int64(), "Fractional": pa.float64()}

_TEXT = pa.string()
_NUMBER = {
    pa.int64(): r"^-?\d+$",
    pa.float64(): r"^[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$",
}
_JSON_NUMBER = {
    pa.int64(): r"^-?(?:0|[1-9]\d*)$",
    pa.float64(): r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$",
}
# What Arrow's CSV reader takes for a number and the two expressions above do not: blanks around it, a point
# at either end, hexadecimal. One look at the whole text is cheaper than one at every value.
_LENIENT = r'(?:^|[,"\n])(?:[ \t]+[-+.0-9]|[-+]?\.|0[xX])|[0-9.][ \t]+[,"\n]|[0-9]\.[,"\neE]'

Text = bytes | bytearray

_BLOCK = 1 << 16  # bytes looked at together: they stay in the processor's nearest cache


class Column(Struct, frozen=True):
    """Values of one column: of type `wanted` or, where some do not fit it, all of them as text.

    `odd`, shape (rows,), marks the values that do not fit; None where all do.
    """

    values: pa.Array
    wanted: pa.DataType
    odd: NDArray[np.bool_] | None = None

    @classmethod
    def of_text(cls, text: pa.Array, wanted: pa.DataType) -> "Column":
        """Read text as `wanted` where each value can be."""
        if wanted == _TEXT:
            return cls(text, wanted)
        fitting = fits(text, wanted)
        return cls(text.cast(wanted), wanted) if fitting.all() else cls(text, wanted, ~fitting)

    def over(self, other: "Column") -> "Column":
        """These values and, where one is missing, that of `other`, a column of the same type."""
        if self.odd is None and other.odd is None:
            return Column(pc.coalesce(self.values, other.values), self.wanted)
        missing = np.asarray(self.values.is_null())
        none = np.zeros(len(missing), np.bool_)
        mine, theirs = (none if column.odd is None else column.odd for column in (self, other))
        text = pc.coalesce(self.values.cast(_TEXT), other.values.cast(_TEXT))
        return Column(text, self.wanted, np.where(missing, theirs, mine))

    def only(self, rows: NDArray[np.int64]) -> "Column":
        """The same of some rows."""
        odd = None if self.odd is None else self.odd[rows]
        return Column(self.values.take(pa.array(rows)), self.wanted, odd)

    def take(self, rows: NDArray[np.int64]) -> pa.Array:
        """The values of some rows, typed where all of those fit."""
        values = self.values.take(pa.array(rows))
        return values if self.odd is None or self.odd[rows].any() else values.cast(self.wanted)


def fits(
    text: pa.Array, wanted: pa.DataType, numbers: Mapping[pa.DataType, str] = _NUMBER
) -> NDArray[np.bool_]:
    """Which values of `text` are numbers that a column of type `wanted` can hold; a missing value fits.

    >>> fits(pa.array(["1", "0x1", None, "1.5", "NaN"]), pa.float64()).tolist()
    [True, False, True, True, False]
    """
    looks = pc.match_substring_regex(text, numbers[wanted])
    fitting = np.array(looks.fill_null(False))
    found = text.filter(looks)
    if wanted == pa.float64():
        fitting[fitting] = np.isfinite(np.asarray(found.cast(wanted)))
    else:
        fitting[fitting] = [_is_int64(number) for number in found.to_pylist()]
    fitting[np.asarray(text.is_null())] = True
    return fitting


def _is_int64(digits: str) -> bool:
    significant = digits.lstrip("-0")
    return len(significant) < 19 or (
        len(significant) == 19 and int(significant) < 2**63 + digits.startswith("-")
    )


def tables(
    columns: Mapping[str, Column], record: NDArray[np.int64]
) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    """Tables of the rows, and which rows each holds; `record`, shape (rows,), ascends.

    A record that holds a value of the wrong type must not change the types of its neighbours: such records
    get a table of their own, where that column is text.
    """
    odd = [column.odd for column in columns.values() if column.odd is not None]
    if not odd:
        yield pa.table({name: column.values for name, column in columns.items()}), np.arange(len(record))
        return
    of_odd_record = np.isin(record, record[np.logical_or.reduce(odd)])
    for rows in (np.flatnonzero(~of_odd_record), np.flatnonzero(of_odd_record)):
        if len(rows):
            yield pa.table({name: column.take(rows) for name, column in columns.items()}), rows


def columns_of(sides: list[Side], names: list[str], layout: Layout) -> dict[str, Column]:
    """Columns of one side of many records, all of the same form; `names` are for those that came without."""
    if sides[0].form == "csv":
        text = "\n".join([*(side.text or "" for side in sides), ""]).encode()
        return csv_columns(text, names, layout)
    return _json_columns([row for side in sides for row in side.json or ()], names, layout)


def csv_columns(text: Text, names: list[str], layout: Layout) -> dict[str, Column]:
    """Parse all payloads as one CSV, a newline behind each row; where a value does not fit its type, all are
    read again as text."""
    types = {name: type_of(name, layout) for name in names}
    table = _read_typed(text, types)
    if table is not None:
        return {name: Column(table[name].combine_chunks(), wanted) for name, wanted in types.items()}
    table = _read_csv(text, dict.fromkeys(types, _TEXT))
    return {name: Column.of_text(table[name].combine_chunks(), wanted) for name, wanted in types.items()}


def type_of(name: str, layout: Layout) -> pa.DataType:
    """The type of a column's values, as far as they fit it."""
    return ARROW.get(layout.columns.get(name, "String"), _TEXT)


def _read_typed(text: Text, types: Mapping[str, pa.DataType]) -> pa.Table | None:
    """The table, or None when a value may be no number by our rules."""
    numbers = any(wanted in _NUMBER for wanted in types.values())
    if numbers and not _strict(text) and _found(text, _LENIENT):
        return None
    try:
        table = _read_csv(text, types)
    except pa.ArrowInvalid:
        return None
    floats = [column for column in table.columns if pa.types.is_floating(column.type)]
    return table if all(map(_finite, floats)) else None


def _finite(column: pa.ChunkedArray) -> bool:
    return pc.all(pc.is_finite(column), min_count=0).as_py() is not False


def _strict(text: Text) -> bool:
    """Whether there is plainly nothing for _LENIENT to find: no blank, no x, digits around every point."""
    if any(mark in text for mark in (b" ", b"\t", b"x", b"X")) or text.startswith(b"."):
        return False
    byte = np.frombuffer(text, np.uint8)
    blocks = range(0, len(byte), _BLOCK)
    return not any(_lonely_point(byte[at : at + _BLOCK + 2]) for at in blocks)


def _lonely_point(byte: NDArray[np.uint8]) -> bool:
    """Whether a point, but for the first and last byte, stands without a digit on either side."""
    digit = (byte - ord("0")) < 10  # unsigned: what is below "0" is far above 10
    return bool(((byte[1:-1] == ord(".")) & ~(digit[:-2] & digit[2:])).any())


def _found(text: Text, pattern: str) -> bool:
    offsets = pa.array([0, len(text)], pa.int64()).buffers()[1]
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(text)])
    return bool(pc.match_substring_regex(whole, pattern)[0].as_py())


def json_numbers(text: Text, types: Mapping[str, pa.DataType]) -> tuple[list[pa.Array], NDArray[np.bool_]]:
    """Numbers as JSON writes them, in lines of comma-separated values: a column each, and which lines hold
    nothing but such numbers and `null`. What stands in the other lines is missing."""
    if _strict(text) and _plain_json(text):
        try:
            columns = _read_csv(text, types, null="null").columns
        except pa.ArrowInvalid:
            columns = []
        if columns and all(_finite(c) for c in columns if pa.types.is_floating(c.type)):
            return [column.combine_chunks() for column in columns], np.ones(len(columns[0]), np.bool_)
    texts = _read_csv(text, dict.fromkeys(types, _TEXT), null="null")
    columns, good = [], np.ones(len(texts), np.bool_)
    for name, wanted in types.items():
        column = texts[name].combine_chunks()
        fitting = fits(column, wanted, _JSON_NUMBER)
        columns.append(pc.if_else(pa.array(fitting), column, None).cast(wanted))
        good &= fitting
    return columns, good


def _plain_json(text: Text) -> bool:
    """Whether there is plainly no number that JSON would not write so: no sign +, no zero before a digit."""
    byte = np.frombuffer(text, np.uint8)
    blocks = range(0, len(byte), _BLOCK)
    return b"+" not in text and not any(_leading_zero(byte[max(at - 2, 0) : at + _BLOCK]) for at in blocks)


def _leading_zero(byte: NDArray[np.uint8]) -> bool:
    """Whether a zero that begins a number stands before another digit."""
    digit = (byte - ord("0")) < 10
    zero = (byte[:-1] == ord("0")) & digit[1:]
    zero[1:] &= ~digit[:-2] & (byte[:-2] != ord("."))
    return bool(zero.any())


def _read_csv(text: Text, types: Mapping[str, pa.DataType], null: str = "") -> pa.Table:
    return pyarrow.csv.read_csv(
        pa.py_buffer(text),
        read_options=pyarrow.csv.ReadOptions(
            column_names=list(types), use_threads=False, block_size=max(len(text), 1)
        ),
        parse_options=pyarrow.csv.ParseOptions(ignore_empty_lines=False, newlines_in_values=b'"' in text),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            null_values=[null],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            check_utf8=False,  # it is: it was JSON before
        ),
    )


def _json_columns(rows: list[payload.Row], names: list[str], layout: Layout) -> dict[str, Column]:
    every: dict[str, Any] = {}
    for row in rows:
        every |= row.named
    values = {name: [row.named.get(name) for row in rows] for name in every}
    for place, name in enumerate(names):
        values[name] = [row.placed[place] for row in rows]
    return {name: _json_column(column, type_of(name, layout)) for name, column in values.items()}


def _json_column(values: list[Any], wanted: pa.DataType) -> Column:
    """JSON values as a column; text that looks like a number is text."""
    if wanted == _TEXT:
        return Column(pa.array(map(_json_text, values), _TEXT), wanted)
    numbers = [_json_number(value, wanted) for value in values]
    odd = np.array(
        [number is None and value is not None for number, value in zip(numbers, values, strict=True)]
    )
    if odd.any():
        return Column(pa.array(map(_json_text, values), _TEXT), wanted, odd)
    return Column(pa.array(numbers, wanted), wanted)


def _json_number(value: Any, wanted: pa.DataType) -> float | None:
    """The value as a number of the `wanted` type; None when it is none. A boolean is not."""
    if wanted == pa.int64():
        return value if type(value) is int and -(2**63) <= value < 2**63 else None
    try:
        return float(value) if type(value) in (float, int) else None
    except OverflowError:
        return None


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
