"""The fast way to read captures: find where records of one form differ, and check that all else is alike.

Captures of one endpoint are the same bytes but for payloads, ids and times. One record, read in full, shows
where those stand. In all others the same places are found by their quotation marks, and every byte between
them is compared. A record that differs in any other byte, holds an escape, or is not plain text is left to
the general way, so both ways give the same result.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas import capture
from schemas.capture import CaptureRecord
from schemas.errors import BadRecord

_QUOTE, _ESCAPE, _FIRST_PRINTABLE, _PAST_ASCII = 0x22, 0x5C, 0x20, 0x80
_VARIABLE = {  # path of a value that may differ from record to record
    ("captureData", "endpointInput", "data"): "input",
    ("captureData", "endpointOutput", "data"): "output",
    ("eventMetadata", "eventId"): "event_id",
    ("eventMetadata", "inferenceId"): "inference_id",
    ("eventMetadata", "inferenceTime"): "time",
}


class Template(Struct, frozen=True):
    """What the records of one form have in common.

    `constants` are the bytes between the variable values, one more than there are of those; `marks` says
    for each value which quotation mark of the record opens it.
    """

    constants: list[bytes]
    names: list[str]
    marks: list[int]
    quotes: int


class Matched(Struct, frozen=True):
    """Records that fit a template: their indices, the text of the whole batch, and in it the edges of
    constants and values in turn, shape (records, constants + values + 1)."""

    template: Template
    record: NDArray[np.int64]
    text: NDArray[np.uint8]
    edges: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.record)

    def keep(self, which: NDArray[np.bool_]) -> "Matched":
        """Only some of the records."""
        if which.all():
            return self
        return Matched(self.template, self.record[which], self.text, self.edges[which])

    def has(self, name: str) -> bool:
        """Whether the records hold such a value."""
        return name in self.template.names

    def span(self, name: str) -> NDArray[np.int64]:
        """Where the value begins and ends, shape (records, 2)."""
        place = 2 * self.template.names.index(name) + 1
        return self.edges[:, place : place + 2]

    def values(self, name: str) -> pa.StringArray:
        """The value of each record."""
        return _cut(pa.py_buffer(self.text), self.span(name)).view(pa.string())

    def lines(self, name: str) -> bytes:
        """The values one behind the other, each with a newline where its closing quotation mark was."""
        text, span = self.text.copy(), self.span(name)
        text[span[:, 1]] = ord("\n")
        joined: bytes = _cut(pa.py_buffer(text), span + np.array([0, 1])).buffers()[2].to_pybytes()
        return joined


def learn(record: bytes) -> Template | None:
    """The template of a record with a CSV input and output; None when it has no such form."""
    try:
        parsed = capture.parse(record)
    except BadRecord:
        return None
    if b"\\" in record or not _both_csv(parsed):
        return None
    marks = [at for at, byte in enumerate(record) if byte == _QUOTE]
    found = sorted((open_, name) for name, open_ in _places(record, marks).items())
    edges = [0]
    for open_, _ in found:
        edges += [marks[open_] + 1, marks[open_ + 1]]
    edges.append(len(record))
    constants = [record[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2)]
    template = Template(constants, [name for _, name in found], [open_ for open_, _ in found], len(marks))
    values = {
        name: record[marks[open_] + 1 : marks[open_ + 1]].decode("utf-8", "replace") for open_, name in found
    }
    return template if values == _values(parsed) else None


def _both_csv(parsed: CaptureRecord) -> bool:
    data = parsed.capture_data
    sides = (data.endpoint_input, data.endpoint_output)
    return data.batch_transform_output is None and all(s is not None and s.encoding == "CSV" for s in sides)


def _values(parsed: CaptureRecord) -> dict[str, str]:
    """The values as the general way reads them: a template that finds others is none."""
    data, about = parsed.capture_data, parsed.event_metadata
    assert data.endpoint_input is not None and data.endpoint_output is not None
    values = {
        "input": data.endpoint_input.data,
        "output": data.endpoint_output.data,
        "event_id": about.event_id,
        "inference_id": about.inference_id,
        "time": about.inference_time,
    }
    return {name: value for name, value in values.items() if value is not None}


def _places(record: bytes, marks: list[int]) -> dict[str, int]:
    """For each variable value the number of the quotation mark that opens it."""
    places: dict[str, int] = {}
    path: list[str] = []
    key = ""
    end = 0
    for number in range(0, len(marks) - 1, 2):
        for byte in record[end : marks[number]]:
            if byte == ord("{"):
                path.append(key)
            elif byte == ord("}") and path:
                path.pop()
        text = record[marks[number] + 1 : marks[number + 1]].decode("utf-8", "replace")
        end = marks[number + 1] + 1
        if record[end : end + 8].lstrip().startswith(b":"):
            key = text
        elif name := _VARIABLE.get((*path[1:], key)):
            places[name] = number
    return places


def match(template: Template, records: pa.BinaryArray) -> Matched | None:
    """The records that fit; None when none does, or when the batch holds bytes that need a closer look."""
    n = len(records)
    offsets = np.frombuffer(records.buffers()[1], np.int32)[records.offset : records.offset + n + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    text = np.frombuffer(records.buffers()[2], np.uint8)[first:last] if last > first else _NOTHING
    ends = offsets.astype(np.int64) - first
    if not len(text) or text.min() < _FIRST_PRINTABLE:
        return None
    if text.max() >= _PAST_ASCII and not _is_utf8(text):
        return None
    quotes = np.flatnonzero(text == _QUOTE)
    bounds = np.searchsorted(quotes, ends)
    fits = np.diff(bounds) == template.quotes
    if (escapes := np.flatnonzero(text == _ESCAPE)).size:
        fits[np.searchsorted(ends, escapes, side="right") - 1] = False
    return _verify(template, text, quotes, bounds[:-1], ends, fits)


_NOTHING = np.empty(0, np.uint8)


def _is_utf8(text: NDArray[np.uint8]) -> bool:
    try:
        pa.array([text.tobytes()], pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _verify(
    template: Template,
    text: NDArray[np.uint8],
    quotes: NDArray[np.int64],
    first_quote: NDArray[np.int64],
    ends: NDArray[np.int64],
    fits: NDArray[np.bool_],
) -> Matched | None:
    """Cut records into constants and values, and keep those whose constants are all as they must be."""
    record = np.flatnonzero(fits)
    if not len(record):
        return None
    opening = first_quote[record][:, None] + np.array(template.marks)
    edges = np.empty((len(record), 2 * len(template.marks) + 2), np.int64)
    edges[:, 0], edges[:, -1] = ends[record], ends[record + 1]
    edges[:, 1:-1:2] = quotes[opening] + 1
    edges[:, 2:-1:2] = quotes[opening + 1]
    sizes = np.array([len(constant) for constant in template.constants])
    alike = ((edges[:, 1::2] - edges[:, ::2]) == sizes).all(axis=1)
    if not alike.all():
        record, edges = record[alike], edges[alike]
    buffer = pa.py_buffer(text)
    for place, constant in enumerate(template.constants):
        if not len(record):
            return None
        same = np.asarray(pc.equal(_cut(buffer, edges[:, 2 * place : 2 * place + 2]), constant))
        if not same.all():
            record, edges = record[same], edges[same]
    if not len(record):
        return None
    return Matched(template, record, text, edges)


def _cut(text: pa.Buffer, spans: NDArray[np.int64]) -> pa.BinaryArray:
    """The bytes of `text` in `spans`, shape (spans, 2), ascending, as an array with a buffer of its own."""
    offsets = np.ascontiguousarray(spans, np.int32).ravel()
    pieces = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), text])
    return pieces.take(pa.array(np.arange(0, len(offsets), 2)))
