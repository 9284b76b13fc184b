"""Several records that a producer put as one, taken apart (Firehose's RecordDeAggregation).

JSON: single-line objects behind one another or one a line; arrays are not taken apart; line breaks between
them are removed. DELIMITED: what stands between delimiters. A record of more than 500 is left whole, as
PutRecord's documentation says. Source: Data Firehose guide, dynamic partitioning of aggregated data.
"""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MOST = 500  # sub-records in a record

_SPACE = " \t\r\n"
_space = re.compile(f"[{_SPACE}]*")
# RE2 reads binary data byte by byte. Where each line looks like one object there is nothing to parse.
_LINES = r"\A\s*\{[^\n]*\}[ \t\r]*(\n[ \t\r]*\{[^\n]*\}[ \t\r]*|\n[ \t\r]*)*\z"
_JOINED = r"\}[ \t\r]*\{"

_decoder = json.JSONDecoder()


def deaggregate(data: pa.BinaryArray, delimiter: bytes | None) -> tuple[pa.BinaryArray, NDArray[np.int64]]:
    """Sub-records and, for each, the row of its record; both shape (sub-records,), in order.

    `delimiter` None is the JSON form. A record with nothing in it but space or delimiters has no
    sub-records.
    """
    if not len(data):
        return data, np.zeros(0, np.int64)
    parts = _json(data) if delimiter is None else pc.split_pattern(data, delimiter)
    found, origin = _flat(parts)
    kept = np.bincount(origin, minlength=len(data)) <= MOST
    if not kept.all():
        whole = pc.if_else(pa.array(kept), pa.scalar(b""), data)
        return _with_whole(found, origin, kept, whole)
    return found, origin


def _flat(parts: pa.ListArray) -> tuple[pa.BinaryArray, NDArray[np.int64]]:
    """What is not empty in lists of records, and the row of each."""
    lengths = parts.value_lengths().to_numpy()
    origin = np.repeat(np.arange(len(parts)), lengths)
    found = parts.flatten()
    filled = pc.greater(pc.binary_length(found), 0)
    return found.filter(filled), origin[filled.to_numpy(zero_copy_only=False)]


def _with_whole(
    found: pa.BinaryArray, origin: NDArray[np.int64], kept: NDArray[np.bool_], whole: pa.BinaryArray
) -> tuple[pa.BinaryArray, NDArray[np.int64]]:
    """The sub-records of the records that are `kept` apart, and the others as they were."""
    rows = np.concatenate((np.flatnonzero(kept[origin]), len(found) + np.flatnonzero(~kept)))
    of = np.concatenate((origin, np.arange(len(kept))))[rows]
    order = np.argsort(of, kind="stable")
    return pa.concat_arrays([found, whole]).take(pa.array(rows[order])), of[order]


def _json(data: pa.BinaryArray) -> pa.ListArray:
    """Sub-records of each record: split at line ends where all lines look like one object, else read."""
    simple = pc.and_not(
        pc.match_substring_regex(data, _LINES), pc.match_substring_regex(data, _JOINED)
    ).to_numpy(zero_copy_only=False)
    lines = pc.split_pattern(data.filter(pa.array(simple)), b"\n")
    trimmed = pc.replace_substring_regex(lines.flatten(), r"\A[ \t\r]+|[ \t\r]+\z", b"")
    lines = pa.ListArray.from_arrays(_offsets(lines), trimmed)
    read = [split_json(record) for record in data.filter(pa.array(~simple)).to_pylist()]
    every = pa.concat_arrays([lines, pa.array(read, pa.list_(pa.binary())).cast(lines.type)])
    place = np.empty(len(data), np.int64)
    place[np.concatenate((np.flatnonzero(simple), np.flatnonzero(~simple)))] = np.arange(len(data))
    return every.take(pa.array(place))


def _offsets(lists: pa.ListArray) -> pa.Int32Array:
    return pa.array(np.concatenate(([0], np.cumsum(lists.value_lengths().to_numpy()))), pa.int32())


def split_json(text: bytes) -> list[bytes]:
    r"""JSON values that stand behind one another, without the space between them.

    From where it is no JSON the rest is one piece: whoever reads it says what is wrong, and nothing is lost.

    >>> split_json(b'{"a": 1}{"a": 2}\n[3, 4]\n{"a": ')
    [b'{"a": 1}', b'{"a": 2}', b'[3, 4]', b'{"a":']
    """
    whole = text.decode("utf-8", "surrogateescape")
    found: list[bytes] = []
    at = _end_of_space(whole, 0)
    while at < len(whole):
        try:
            end = _decoder.raw_decode(whole, at)[1]
        except (ValueError, RecursionError):
            end = len(whole)
        found.append(whole[at:end].rstrip(_SPACE).encode("utf-8", "surrogateescape"))
        at = _end_of_space(whole, end)
    return found


def _end_of_space(text: str, at: int) -> int:
    match = _space.match(text, at)
    return match.end() if match else at
