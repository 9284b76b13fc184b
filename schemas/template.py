"""The fast way to read captures: find where records of one form differ, and check that all else is alike.

Captures of one endpoint are the same bytes but for payloads, ids and times. One record, read in full, shows
where those stand. In all others the same places are found by their quotation marks, and every byte between
them is compared. What differs in any other byte is left to the general way, so both give the same result.
"""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from schemas import capture, spans
from schemas.capture import CaptureRecord
from schemas.errors import BadRecord
from schemas.spans import Bytes, Places

_QUOTE, _FIRST_PRINTABLE, _PAST_ASCII = 0x22, 0x20, 0x80
_VARIABLE = {  # path of a value that may differ from record to record
    ("captureData", "endpointInput", "data"): "input",
    ("captureData", "endpointOutput", "data"): "output",
    ("eventMetadata", "eventId"): "event_id",
    ("eventMetadata", "inferenceId"): "inference_id",
    ("eventMetadata", "inferenceTime"): "time",
}
MAX_SEARCHED = 1_024  # bytes of a value that is searched for: about twice as many are looked at a record
_NOT_PLAIN = r'["\\]'


class Template(Struct, frozen=True):
    """What the records of one form have in common.

    `constants` are the bytes between the variable values, one more than there are of those; `samples` are
    the values in the record that it was learned from. `escapes`: values may hold escaped quotation marks.
    """

    constants: list[bytes]
    names: list[str]
    samples: list[bytes]
    escapes: bool

    @property
    def longest(self) -> int:
        """The value that is not searched for: what is left when all others are found."""
        return max(range(len(self.samples)), key=lambda i: len(self.samples[i]))


class Matched(Struct, frozen=True):
    """Records that fit a template: their indices, the text of the whole batch, and in it the spans of their
    values, shape (records, values, 2).

    A value is what stands between bytes that are as they must be. That it holds no quotation mark and no
    escape of its own is for its reader to see to: `plain` tells.
    """

    template: Template
    record: Places
    text: Bytes
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.record)

    def keep(self, which: NDArray[np.bool_]) -> "Matched":
        """Only some of the records."""
        if which.all():
            return self
        return Matched(self.template, self.record[which], self.text, self.places[which])

    def has(self, name: str) -> bool:
        """Whether the records hold such a value."""
        return name in self.template.names

    def span(self, name: str) -> NDArray[np.int64]:
        """Where the value begins and ends, shape (records, 2)."""
        return self.places[:, self.template.names.index(name)]

    def values(self, name: str) -> pa.StringArray:
        """The value of each record."""
        return spans.cut(self.text, self.span(name)).view(pa.string())

    def lines(self, names: list[str]) -> bytearray:
        """The values with these names, in this order, as lines of comma-separated values."""
        places = sorted(map(self.template.names.index, names))
        order = [places.index(self.template.names.index(name)) for name in names]
        return spans.joined(self.text, self.places[:, places], order)


def learn(record: bytes) -> Template | None:
    """The template of a record with an input and an output; None when it has no such form."""
    try:
        parsed = capture.parse(record)
    except BadRecord:
        return None
    data = parsed.capture_data
    if data.batch_transform_output or not (data.endpoint_input and data.endpoint_output):
        return None
    marks = _marks(record)
    found = sorted((open_, name) for name, open_ in _open_marks(record, marks).items())
    edges = [0]
    for open_, _ in found:
        edges += [marks[open_] + 1, marks[open_ + 1]]
    edges.append(len(record))
    pieces = [record[a:b] for a, b in pairwise(edges)]
    template = Template(pieces[::2], [name for _, name in found], pieces[1::2], b"\\" in record)
    if _unescaped(template) != _values(parsed) or sorted(map(len, template.samples))[-2] > MAX_SEARCHED:
        return None
    return _without_line_ends(template)


def _marks(record: bytes) -> list[int]:
    """The quotation marks that open and close the strings of a JSON text."""
    marks: list[int] = []
    at = record.find(b'"')
    while at >= 0:
        marks.append(at)
        at = record.find(b'"', at + 1)
        while at >= 0 and len(marks) % 2 and record[at - 1 : at] == b"\\":
            at = record.find(b'"', at + 1)
    return marks


def _unescaped(template: Template) -> dict[str, str] | None:
    """The values learned, read as the simplest of JSON strings: nothing but quotation marks is escaped, and a
    line's end behind a payload."""
    if any(b"\\" in constant for constant in template.constants):
        return None
    values = {}
    for name, sample in zip(template.names, template.samples, strict=True):
        end = _line_end(sample)
        text = sample.removesuffix(end).replace(b'\\"', b'"').decode("utf-8", "replace")
        if "\\" in text:
            return None
        values[name] = text + end.decode().replace("\\r", "\r").replace("\\n", "\n")
    return values


def _line_end(sample: bytes) -> bytes:
    return next((end for end in (b"\\r\\n", b"\\n") if sample.endswith(end)), b"")


def _without_line_ends(template: Template) -> Template:
    """A line's end behind a payload says nothing: it is counted to the constant that follows."""
    ends = [_line_end(sample) for sample in template.samples]
    samples = [sample.removesuffix(end) for sample, end in zip(template.samples, ends, strict=True)]
    constants = [end + constant for end, constant in zip((b"", *ends), template.constants, strict=True)]
    return Template(constants, template.names, samples, any(b"\\" in sample for sample in samples))


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


def _open_marks(record: bytes, marks: list[int]) -> dict[str, int]:
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
    """The records that fit; None when none does."""
    n = len(records)
    offsets = np.frombuffer(records.buffers()[1], np.int32)[records.offset : records.offset + n + 1]
    begin, stop = int(offsets[0]), int(offsets[-1])
    if begin == stop:
        return None
    text = np.frombuffer(records.buffers()[2], np.uint8)[begin:stop]
    ends = offsets.astype(np.int64) - begin
    readable = _readable(text, ends)
    places = _places(template, text, ends, as_sample=True)  # as most ids and times are
    fits = readable & _fits(template, text, ends, places)
    if not fits.all():
        places = _places(template, text, ends, as_sample=False)
        fits = readable & _fits(template, text, ends, places)
    record = np.flatnonzero(fits)
    if not len(record):
        return None
    return Matched(template, record, text, places if len(record) == n else places[record])


def _places(template: Template, text: Bytes, ends: Places, *, as_sample: bool) -> NDArray[np.int64]:
    """Where the values of each record stand: from both of its ends, what lies beside the longest is found.

    What lies behind it is taken to be as long as in the sample, or else searched for.
    """
    sizes = [len(constant) for constant in template.constants]
    room = [2 * len(sample) + 32 for sample in template.samples]
    longest = template.longest
    places = np.empty((len(ends) - 1, len(room), 2), np.int64)
    at = ends[:-1]
    for number in range(longest):
        places[:, number, 0] = at + sizes[number]
        mark = template.constants[number + 1][0]
        at = spans.first(text, places[:, number, 0], mark, room[number], template.escapes)
        places[:, number, 1] = at
    places[:, longest, 0] = at + sizes[longest]
    at = ends[1:]
    for number in range(len(room) - 1, longest, -1):
        end = at - sizes[number + 1]
        if as_sample:
            at = end - len(template.samples[number])
        else:
            at = spans.last(text, end, _QUOTE, room[number], template.escapes) + 1
        places[:, number, 0], places[:, number, 1] = at, end
    places[:, longest, 1] = at - sizes[longest + 1]
    return places


def _fits(template: Template, text: Bytes, ends: Places, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which records have every constant where it must be, between these places."""
    fits = np.asarray((places[:, :, 0] <= places[:, :, 1]).all(axis=1))
    starts = np.concatenate((ends[:-1, None], places[:, :, 1]), axis=1)
    for number, constant in enumerate(template.constants):
        fits &= spans.same(text, starts[:, number], constant)
    return fits


def _readable(text: Bytes, ends: Places) -> NDArray[np.bool_]:
    """Which records are text without control characters, as JSON wants it."""
    readable = np.ones(len(ends) - 1, np.bool_)
    if text.min() < _FIRST_PRINTABLE:
        controls = np.flatnonzero(text < _FIRST_PRINTABLE)
        readable[np.searchsorted(ends, controls, side="right") - 1] = False
    if text.max() >= _PAST_ASCII and not _is_utf8(text.tobytes()):
        foreign = np.unique(np.searchsorted(ends, np.flatnonzero(text >= _PAST_ASCII), side="right") - 1)
        for record in foreign.tolist():
            readable[record] &= _is_utf8(text[ends[record] : ends[record + 1]].tobytes())
    return readable


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def plain(values: pa.Array) -> NDArray[np.bool_]:
    """Which of these values hold neither a quotation mark nor an escape. `values` has its own buffer."""
    buffer = values.buffers()[2]
    text = buffer.to_pybytes() if buffer else b""
    if b'"' not in text and b"\\" not in text:
        return np.ones(len(values), np.bool_)
    return ~np.asarray(pc.match_substring_regex(values, _NOT_PLAIN))
