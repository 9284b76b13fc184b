"""Whole runs of JSON records to columns at once, where that gives what reading them one by one gives."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from stream.firehose import body
from stream.firehose.documents import documents
from stream.firehose.shape import Shape
from stream.firehose.values import Numeral

_OPEN, _CLOSE, _LINE = b"{}\n"
# RE2 reads binary data byte by byte. What pyarrow takes and JSON does not: numbers without a value; a lone
# null behind an object. The keys that are the same as others once they are folded: with capitals, escapes or
# anything beyond ASCII in them.
_NOT_JSON = r"-?(?:NaN|Inf(?:inity)?)\s*[,}\]]|}\s*n"
_ODD_KEY = r'(?:[A-Z\x80-\xff]|\\.)[^"]*"\s*:'
_DOT_KEY = r'(?:\.|\\.)[^"]*"\s*:'
_DAY = r"^[1-9]\d{3}-\d\d-\d\d$"
_ISO = r"^[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$"
_SQL = r"^[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?$"
_SECONDS, _MILLIS = 1e12, 2**53  # as in times


class _Odd(Exception):
    """These records have to be read one by one."""


def table(data: pa.BinaryArray, shape: Shape) -> pa.Table | None:
    """The rows of these records; None where they must be read one by one, for whatever reason.

    pyarrow's reader is not given a schema's own types where it would make something else of a value: single
    precision is rounded once more, times and dates are read as text or numbers first.
    """
    try:
        types = _types(data, shape)
        text = _joined(data, shape)
        found = _read(text, pa.schema(list(zip(shape.keys, types, strict=True))))
        columns = [
            _column(found[key].combine_chunks(), field.type, shape.rules.forms)
            for key, field in zip(shape.keys, shape.schema, strict=True)
        ]
    except (_Odd, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return pa.Table.from_arrays(columns, schema=shape.schema)


def _types(data: pa.BinaryArray, shape: Shape) -> list[pa.DataType]:
    """What each column is read as; the first record says what its times are written as."""
    if len(set(shape.keys)) < len(shape.keys):
        raise _Odd
    try:
        first = {shape.rules.key(key): value for key, value in documents(data[0].as_py())[0].items()}
    except (ValueError, IndexError) as error:
        raise _Odd from error
    return [_type(type, first.get(key)) for key, type in zip(shape.keys, shape.schema.types, strict=True)]


def _type(type: pa.DataType, example: object) -> pa.DataType:
    if pa.types.is_timestamp(type):
        if isinstance(example, Numeral):
            return pa.float64()
        return pa.int64() if isinstance(example, int) else pa.string()
    if pa.types.is_date(type):
        return pa.string()
    return _plain(type)


def _plain(type: pa.DataType) -> pa.DataType:
    if pa.types.is_floating(type):
        return pa.float64()
    if pa.types.is_binary(type):
        return pa.string()
    if pa.types.is_string(type) or pa.types.is_integer(type) or pa.types.is_boolean(type):
        return type
    if pa.types.is_list(type):
        return pa.list_(_plain(type.value_type))
    raise _Odd


def _joined(data: pa.BinaryArray, shape: Shape) -> pa.Buffer:
    """The records, one behind another. Each begins and ends as an object does, and a line feed is between
    two: so none of them ends inside of another, whatever is in them."""
    _, offsets, values = data.buffers()
    bounds = np.frombuffer(offsets, np.int32)[data.offset : data.offset + len(data) + 1]
    if (bounds[1:] - bounds[:-1] < 3).any():
        raise _Odd
    raw = np.frombuffer(values, np.uint8)
    lines = raw[bounds[1:] - 1] == _LINE
    if (raw[bounds[:-1]] != _OPEN).any() or (raw[bounds[1:] - 1 - lines] != _CLOSE).any():
        raise _Odd
    text = body.joined(data, delimited=not lines.all())
    whole = pa.Array.from_buffers(pa.binary(), 1, [None, _offsets(text), text])
    odd = [_NOT_JSON, *[_ODD_KEY] * shape.folds, *[_DOT_KEY] * shape.dots]
    if pc.match_substring_regex(whole, "|".join(odd))[0].as_py():
        raise _Odd
    whole.cast(pa.string())  # pyarrow's reader takes what is not UTF-8
    return text


def _offsets(text: pa.Buffer) -> pa.Buffer:
    return pa.py_buffer(np.array([0, len(text)], np.int32))


def _read(text: pa.Buffer, schema: pa.Schema) -> pa.Table:
    """In one block: only so may an object go over several lines."""
    return pyarrow.json.read_json(
        pa.BufferReader(text),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior="ignore"
        ),
    )


def _column(found: pa.Array, type: pa.DataType, forms: frozenset[str]) -> pa.Array:
    if pa.types.is_timestamp(type):
        texts = pa.types.is_string(found.type)
        return (_from_texts(found, forms) if texts else _from_numbers(found, forms)).cast(type)
    if pa.types.is_date(type):
        if not _all(found, _DAY):
            raise _Odd
        return found.cast(type)
    return found if found.type == type else found.cast(type)


def _all(texts: pa.StringArray, form: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, form), min_count=0).as_py())


def _from_numbers(found: pa.Array, forms: frozenset[str]) -> pa.Array:
    """Milliseconds since the epoch; a fraction of a millisecond is rounded to even."""
    values = found.fill_null(0).to_numpy(zero_copy_only=False)
    millis = forms == {"millis"} and pa.types.is_integer(found.type)
    if not (millis or "number" in forms) or not (np.abs(values) < _MILLIS).all():
        raise _Odd
    scaled = values if millis else np.where(np.abs(values) < _SECONDS, values * 1_000, values)
    return pa.array(np.rint(scaled).astype(np.int64), mask=found.is_null().to_numpy(zero_copy_only=False))


def _from_texts(texts: pa.StringArray, forms: frozenset[str]) -> pa.Array:
    """Milliseconds since the epoch; digits behind them are cut off."""
    iso, sql = "iso" in forms and _all(texts, _ISO), "sql" in forms and _all(texts, _SQL)
    if not iso and not sql and texts.null_count < len(texts):
        raise _Odd
    seconds = pc.utf8_slice_codeunits(texts, 0, 19).cast(pa.timestamp("s")).cast(pa.int64())
    fraction = pc.utf8_rtrim(pc.utf8_slice_codeunits(texts, 20, 23), "Z")
    return pc.add(pc.multiply(seconds, 1_000), pc.utf8_rpad(fraction, 3, "0").cast(pa.int64()))
