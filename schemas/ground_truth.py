"""Ground truth: labels that came for captured requests, as SageMaker's records or as plain CSV.

A line that begins with a brace is SageMaker's record. Any other is CSV: an id, then its label, and where the
request held several rows, the label of each of them in the cells that follow.
"""

import csv
import io
import re
from collections.abc import Collection
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from msgspec import Struct
from numpy.typing import NDArray

from schemas.capture import Payload
from schemas.errors import BadRecord


class LabelMetadata(Struct, frozen=True, rename="camel"):
    """`event_id` equals the capture's inference id where it has one, else its event id."""

    event_id: str


class GroundTruth(Struct, frozen=True, rename="camel"):
    """One label, as text in `ground_truth_data`."""

    ground_truth_data: Payload
    event_metadata: LabelMetadata
    event_version: str = "0"


_decoder = msgspec.json.Decoder(GroundTruth)


def parse(line: bytes) -> GroundTruth:
    """Decode one JSON line. Raises BadRecord.

    >>> line = b'{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "a"}}'
    >>> parse(line).ground_truth_data.data
    '1'
    """
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", f"not a ground-truth record: {error}") from error


class Labels(Struct, frozen=True):
    """Labels as they came. `record`, shape (labels,): which record of the batch; `bad`: those that are none.

    `text` holds the payload as it was, behind a letter for its encoding: C for CSV, J for JSON.
    """

    id: pa.StringArray
    text: pa.StringArray
    record: NDArray[np.int64]
    bad: dict[int, BadRecord]

    def __len__(self) -> int:
        return len(self.record)


_MARKS = {"CSV": "C", "JSON": "J"}
_RECORD = pa.schema(
    [
        ("groundTruthData", pa.struct([("data", pa.string()), ("encoding", pa.string())])),
        ("eventMetadata", pa.struct([("eventId", pa.string())])),
    ]
)
_OPENED = re.compile(rb'"(data|eventId)"\s*:\s*"')
_PLAIN = r'[^"\\\x00-\x1f]*'
_UNUSUAL = r'[\n\r,"]'


def read(records: pa.BinaryArray) -> Labels:
    """Labels of all `records`, column by column where they are as usual.

    >>> labels = read(pa.array([b"a,1", b"{}", b"b,1,0"], pa.binary()))
    >>> labels.id.to_pylist(), labels.text.to_pylist(), sorted(labels.bad)
    (['a', 'b'], ['C1', 'C1\\n0'], [1])
    """
    braces = np.asarray(pc.starts_with(records, b"{"))
    whole = np.arange(len(records))
    parts = [
        _columns(records.filter(pa.array(of_kind)), whole[of_kind], kind)
        for kind, of_kind in ((_json_columns, braces), (_csv_columns, ~braces))
        if of_kind.any()
    ]
    if len(parts) == 1:
        return parts[0]
    record = np.concatenate([whole[:0], *(part.record for part in parts)])
    order = np.argsort(record, kind="stable")
    nothing = pa.array([], pa.string())
    return Labels(
        pa.concat_arrays([nothing, *(part.id for part in parts)]).take(pa.array(order)),
        pa.concat_arrays([nothing, *(part.text for part in parts)]).take(pa.array(order)),
        record[order],
        {index: error for part in parts for index, error in part.bad.items()},
    )


def _columns(records: pa.BinaryArray, index: NDArray[np.int64], kind: Any) -> Labels:
    """All at once and, where that is not possible, those that can be read one by one."""
    found = kind(records)
    if found is not None:
        ids_, texts_ = found
        return Labels(ids_, texts_, index, {})
    ids, texts, good, bad = [], [], [], {}
    for at, line in zip(index.tolist(), records.to_pylist(), strict=True):
        try:
            id_, text = _one(line)
        except BadRecord as error:
            bad[at] = error
            continue
        ids.append(id_)
        texts.append(text)
        good.append(at)
    return Labels(pa.array(ids, pa.string()), pa.array(texts, pa.string()), np.array(good, np.int64), bad)


def _json_columns(records: pa.BinaryArray) -> tuple[pa.StringArray, pa.StringArray] | None:
    return _alike(records) or _parsed(records)


def _alike(records: pa.BinaryArray) -> tuple[pa.StringArray, pa.StringArray] | None:
    """Ids and texts, when all records are the same bytes as the first one but for those two."""
    line = records[0].as_py()
    try:
        first = parse(line)
    except BadRecord:
        return None
    opened = [(match.end(), match[1]) for match in _OPENED.finditer(line)]
    if sorted(name for _, name in opened) != [b"data", b"eventId"]:
        return None
    pattern, at = "^", 0
    for start, name in opened:
        pattern += f"{_quoted(line[at:start])}(?P<{name.decode()}>{_PLAIN})"
        at = line.find(b'"', start)
    try:
        found = pc.extract_regex(records.cast(pa.string()), pattern + _quoted(line[at:]) + "$")
    except pa.ArrowInvalid:
        return None
    if found.null_count or first.ground_truth_data.encoding not in _MARKS:
        return None
    ids, mark = found.field("eventId"), _MARKS[first.ground_truth_data.encoding]
    if pc.min(pc.binary_length(ids)).as_py() == 0:
        return None
    return ids, pc.binary_join_element_wise(mark, found.field("data"), "")


def _quoted(constant: bytes) -> str:
    return re.escape(constant.decode("utf-8", "replace"))


def _parsed(records: pa.BinaryArray) -> tuple[pa.StringArray, pa.StringArray] | None:
    """Ids and texts of any JSON, when all of it can be read."""
    text = b"\n".join(records.to_pylist())
    options = pa.json.ParseOptions(explicit_schema=_RECORD, unexpected_field_behavior="ignore")
    reading = pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1)
    try:
        table = pa.json.read_json(pa.py_buffer(text), reading, options).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    if len(table) != len(records):
        return None
    payload, about = (table[name].combine_chunks() for name in ("groundTruthData", "eventMetadata"))
    data, encoding = payload.field("data"), payload.field("encoding")
    ids = about.field("eventId")
    if payload.null_count or about.null_count or ids.null_count or data.null_count or encoding.null_count:
        return None
    if pc.min(pc.binary_length(ids)).as_py() == 0:
        return None
    seen = pc.unique(encoding).to_pylist()
    if not set(seen) <= set(_MARKS):
        return None
    marks = pa.array([_MARKS[name] for name in seen]).take(pc.index_in(encoding, pa.array(seen)))
    return ids, pc.binary_join_element_wise(marks, data, "")


def _csv_columns(records: pa.BinaryArray) -> tuple[pa.StringArray, pa.StringArray] | None:
    buffer = records.buffers()[2]
    if buffer is not None and b'"' in buffer.to_pybytes():
        return None
    try:
        lines = pc.utf8_trim_whitespace(records.cast(pa.string()))
    except pa.ArrowInvalid:
        return None
    cells = pc.split_pattern(lines, ",", max_splits=1)
    if not pc.all(pc.equal(pc.list_value_length(cells), 2), min_count=0).as_py():
        return None
    ids, rest = (pc.list_element(cells, place) for place in (0, 1))
    if pc.min(pc.binary_length(ids)).as_py() == 0:
        return None
    return ids, pc.binary_join_element_wise("C", pc.replace_substring(rest, ",", "\n"), "")


def _one(line: bytes) -> tuple[str, str]:
    """The id and the text of one label. Raises BadRecord."""
    if line.startswith(b"{"):
        parsed = parse(line)
        about, payload = parsed.event_metadata.event_id, parsed.ground_truth_data
        if payload.encoding not in _MARKS:
            raise BadRecord("encoding", f"ground truth in {payload.encoding} cannot be read")
        if not about:
            raise BadRecord("schema", "a label without an id")
        return about, _MARKS[payload.encoding] + payload.data
    try:
        id_, *cells = next(csv.reader(io.StringIO(line.decode().strip())), [""])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRecord("csv", f"not a line of id,label: {error}") from error
    if not id_ or not cells:
        raise BadRecord("csv", "not a line of id,label")
    return id_, "C" + "\n".join(cells)


def values(text: pa.StringArray, attributes: Collection[str] = ()) -> pa.ListArray:
    """The label of each row of each payload, as text; null where the payload cannot be read.

    Of a JSON object the label is what one of `attributes` names, or its only value.

    >>> payloads = pa.array(["C1", "C1\\n0\\n", 'J{"label": true}', 'J{"a": 1, "b": 2}'])
    >>> values(payloads).to_pylist()
    [['1'], ['1', '0'], ['true'], None]
    >>> values(payloads, ["b"])[3].as_py()
    ['2']
    """
    usual = pc.and_(pc.starts_with(text, "C"), pc.invert(pc.match_substring_regex(text, _UNUSUAL)))
    if pc.all(usual, min_count=0).as_py():
        label = pc.utf8_slice_codeunits(text, 1)
        label = pc.if_else(pc.equal(label, ""), None, label)
        return pa.ListArray.from_arrays(pa.array(np.arange(len(text) + 1, dtype=np.int32)), label)
    coded = text.dictionary_encode()
    read_ = [_values(payload, attributes) for payload in coded.dictionary.to_pylist()]
    return pa.array(read_, pa.list_(pa.string())).take(coded.indices)


def _values(payload: str, attributes: Collection[str]) -> list[str | None] | None:
    """Labels of one payload, None when it cannot be read."""
    mark, data = payload[0], payload[1:].strip("\r\n")
    if mark == "C":
        rows = list(csv.reader(io.StringIO(data))) or [[""]]
        return [row[0] or None if row else None for row in rows] if all(len(r) < 2 for r in rows) else None
    try:
        return _json_values(data, attributes)
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError):
        return None


def _json_values(data: str, attributes: Collection[str]) -> list[str | None]:
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        found = [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    rows = found if isinstance(found, list) else [found]
    return [_label(row, attributes) for row in rows]


def _label(row: Any, attributes: Collection[str]) -> str | None:
    """Raises KeyError or TypeError where no label can be told."""
    if isinstance(row, dict):
        names = [name for name in attributes if name in row] or list(row)
        if len(names) != 1:
            raise KeyError("which of them is the label")
        row = row[names[0]]
    if row is None or isinstance(row, str):
        return row or None
    if isinstance(row, (bool, int, float)):
        return msgspec.json.encode(row).decode()
    raise TypeError("a label is one value")
