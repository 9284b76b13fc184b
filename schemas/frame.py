"""A frame: the unit of the log. Many records as one Arrow IPC stream: a message costs more than a record.

Fields: `data` (binary, the raw record), `arrived` (timestamp, ms, UTC) and `line` (uint32; 0 where unknown).
Whose records they are, and where they were read, travels in the schema's metadata.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import BadFrame

MAX_FRAME_BYTES = 900_000  # below a Kafka broker's default message limit of 1,048,588 bytes

_SCHEMA = pa.schema([("data", pa.binary()), ("arrived", pa.timestamp("ms", "UTC")), ("line", pa.uint32())])
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
_MAGIC = b"\xff\xff\xff\xff"  # the continuation mark that opens every Arrow IPC stream
# What closes it: Arrow reads a stream that is cut off before as one of fewer records.
_END = _MAGIC + bytes(4)
_OVERHEAD = 16  # bytes that a record takes beside its data: offset, arrival, line


class Subject(msgspec.Struct, frozen=True):
    """What a window belongs to: an endpoint, its variant, and the target model where there are several."""

    endpoint: str = "default"
    variant: str = "AllTraffic"
    model: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.endpoint, self.variant, self.model) if part)


_DEFAULT = Subject()
_READING = pa.ipc.IpcReadOptions(use_threads=False)  # one column is large: there is nothing to share out


class Frame(msgspec.Struct, frozen=True):
    """Raw records of one subject, in the order they came.

    `complete_until` carries no record: it says that the source has nothing more to send before that
    event time (ms), so that windows close in an order that the log itself fixes.
    """

    subject: Subject
    data: pa.BinaryArray
    arrived: NDArray[np.int64]
    line: NDArray[np.uint32]
    source: str = ""
    complete_until: int | None = None

    def __len__(self) -> int:
        return len(self.data)

    @classmethod
    def of(
        cls,
        subject: Subject,
        records: pa.BinaryArray,
        arrived: int,
        *,
        line: NDArray[np.uint32] | None = None,
        source: str = "",
    ) -> "Frame":
        """A frame of records that came at one time; `line` is each record's line in `source`."""
        n = len(records)
        lines = np.zeros(n, np.uint32) if line is None else line
        return cls(subject, records, np.full(n, arrived, np.int64), lines, source)

    @classmethod
    def completion(cls, subject: Subject, until: int) -> "Frame":
        """A frame that closes windows and holds no record."""
        none = np.empty(0, np.int64)
        return cls(subject, pa.array([], pa.binary()), none, none.astype(np.uint32), complete_until=until)


def encode(frame: Frame) -> bytes:
    """Write `frame` as an Arrow IPC stream, LZ4-compressed.

    >>> frame = Frame.of(Subject("churn"), pa.array([b"{}", b"[]"], pa.binary()), 5, source="a.jsonl")
    >>> back = decode(encode(frame))
    >>> back.subject.endpoint, back.data.to_pylist(), back.arrived.tolist(), back.source
    ('churn', [b'{}', b'[]'], [5, 5], 'a.jsonl')
    """
    about = {"subject": frame.subject, "source": frame.source, "complete_until": frame.complete_until}
    schema = _SCHEMA.with_metadata({"streamgauge": msgspec.json.encode(about)})
    arrived = pa.array(frame.arrived, pa.int64()).cast(pa.timestamp("ms", "UTC"))
    batch = pa.record_batch([frame.data, arrived, pa.array(frame.line, pa.uint32())], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


class _About(msgspec.Struct):
    subject: Subject
    source: str = ""
    complete_until: int | None = None


def decode(message: bytes, subject: Subject = _DEFAULT, arrived: int = 0) -> Frame:
    """Read one log message: a frame, or else raw records separated by newlines, of `subject`.

    Raises BadFrame when the message opens as a frame and is damaged.
    """
    if not message.startswith(_MAGIC):
        records = pa.array([line for line in message.splitlines() if line.strip()], pa.binary())
        return Frame.of(subject, records, arrived)
    try:
        table = _read(message)
        about = msgspec.json.decode(table.schema.metadata[b"streamgauge"], type=_About)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise BadFrame(f"not a frame: {error}") from error
    chunks = table["data"].chunks
    data = chunks[0] if len(chunks) == 1 else pa.concat_arrays([pa.array([], pa.binary()), *chunks])
    times = np.asarray(table["arrived"].cast(pa.int64()), np.int64)
    lines = np.asarray(table["line"], np.uint32)
    return Frame(about.subject, data, times, lines, about.source, about.complete_until)


def _read(message: bytes) -> pa.Table:
    """The records of a frame. Arrow trusts what it reads, so nothing is touched before it is validated."""
    if not message.endswith(_END):
        raise ValueError("it has no end")
    with pa.ipc.open_stream(message, options=_READING) as reader:
        table: pa.Table = reader.read_all()
    table.validate(full=True)
    if not table.schema.equals(_SCHEMA):
        raise ValueError(f"its columns are {', '.join(map(str, table.schema))}")
    if any(column.null_count for column in table.columns):
        raise ValueError("it has records that are null")
    return table


def raw(message: bytes, subject: Subject = _DEFAULT, arrived: int = 0) -> Frame:
    """A whole message as one record, for one that cannot be read as a frame."""
    return Frame.of(subject, pa.array([message], pa.binary()), arrived)


def split(frame: Frame, max_bytes: int = MAX_FRAME_BYTES) -> Iterator[Frame]:
    """Cut `frame` into frames of at most `max_bytes`; a larger record gets a frame of its own.

    Each record counts with what a frame adds to it. A completion has no records and stays whole.

    >>> big = Frame.of(Subject(), pa.array([b"x" * 60, b"y" * 60, b"z"], pa.binary()), 0)
    >>> [len(part) for part in split(big, max_bytes=100)]
    [1, 2]
    """
    if frame.complete_until is not None:
        yield frame
        return
    ends = np.cumsum(np.asarray(pc.binary_length(frame.data), np.int64) + _OVERHEAD)
    start = 0
    while start < len(frame):
        room = (ends[start - 1] if start else 0) + max_bytes
        stop = max(int(np.searchsorted(ends, room, side="right")), start + 1)
        part = slice(start, stop)
        yield Frame(
            frame.subject, frame.data[part], frame.arrived[part], frame.line[part], frame.source, None
        )
        start = stop
