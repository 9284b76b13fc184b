"""Frames: what is written is read back, and what is damaged is refused rather than half read."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadFrame
from schemas.frame import MAX_FRAME_BYTES, Frame, Subject, decode, encode, raw, split

subjects = st.builds(Subject, st.text(), st.text(), st.none() | st.text())
TIMES = st.integers(-(2**62), 2**62)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    data = draw(st.lists(st.binary(max_size=20), max_size=6))
    n = len(data)
    return Frame(
        draw(subjects),
        pa.array(data, pa.binary()),
        np.array(draw(st.lists(TIMES, min_size=n, max_size=n)), np.int64),
        np.array(draw(st.lists(st.integers(0, 2**32 - 1), min_size=n, max_size=n)), np.uint32),
        draw(st.text()),
        draw(st.none() | TIMES),
    )


def contents(frame: Frame) -> tuple[object, ...]:
    return (
        frame.subject,
        frame.data.to_pylist(),
        frame.arrived.tolist(),
        frame.line.tolist(),
        frame.source,
        frame.complete_until,
    )


FRAME = Frame.of(
    Subject("churn", model="m"), pa.array([b"{}" * 40, b"[1]", b""], pa.binary()), 7, source="a.jsonl"
)
MESSAGE = encode(FRAME)


def foreign(table: pa.Table, about: bytes | None = b'{"subject": {}}') -> bytes:
    sink = pa.BufferOutputStream()
    metadata = {"streamgauge": about} if about is not None else None
    with pa.ipc.new_stream(sink, table.schema.with_metadata(metadata)) as writer:
        writer.write_table(table.replace_schema_metadata(metadata), max_chunksize=1)
    return sink.getvalue().to_pybytes()


COLUMNS = {
    "data": pa.array([b"a", b"b"], pa.binary()),
    "arrived": pa.array([1, 2], pa.timestamp("ms", "UTC")),
    "line": pa.array([3, 4], pa.uint32()),
}


@given(frames())
def test_a_frame_reads_back_as_it_was_written(frame):
    assert contents(decode(encode(frame))) == contents(frame)


@given(frames(), st.integers(0, 200))
def test_a_slice_of_a_frame_reads_back_too(frame, cut):
    part = Frame(frame.subject, frame.data[cut:], frame.arrived[cut:], frame.line[cut:])
    assert contents(decode(encode(part))) == contents(part)


def test_a_frame_of_several_batches_is_one_frame():
    frame = decode(foreign(pa.table(COLUMNS)))
    assert contents(frame) == (Subject(), [b"a", b"b"], [1, 2], [3, 4], "", None)


def test_a_completion_holds_no_record_and_says_until_when():
    done = decode(encode(Frame.completion(Subject("a"), 123)))
    assert (len(done), done.subject, done.complete_until) == (0, Subject("a"), 123)


def test_a_frame_cut_off_anywhere_is_refused():
    """Arrow itself reads a stream that ends between two messages as one with fewer records."""
    for length in range(4, len(MESSAGE)):
        with pytest.raises(BadFrame, match="not a frame"):
            decode(MESSAGE[:length])


@given(st.integers(4, len(MESSAGE) - 1), st.integers(1, 255))
def test_a_flipped_byte_gives_a_frame_or_a_refusal_and_no_crash(place, flip):
    damaged = bytearray(MESSAGE)
    damaged[place] ^= flip
    try:
        frame = decode(bytes(damaged))
    except BadFrame:
        return
    assert len(frame.data.to_pylist()) == len(frame.arrived) == len(frame.line)


@given(st.binary(max_size=200))
def test_bytes_behind_the_mark_of_a_frame_are_refused(rest):
    with pytest.raises(BadFrame):
        decode(b"\xff\xff\xff\xff" + rest)


@pytest.mark.parametrize(
    "message",
    [
        foreign(pa.table(COLUMNS), about=None),
        foreign(pa.table(COLUMNS), about=b"{"),
        foreign(pa.table(COLUMNS), about=b'{"subject": {"endpoint": "\xff"}}'),
        foreign(pa.table(COLUMNS), about=b'{"subject": 1}'),
        foreign(pa.table({name: COLUMNS[name] for name in ("data", "line")})),
        foreign(pa.table(COLUMNS | {"data": pa.array(["a", "b"])})),
        foreign(pa.table(COLUMNS | {"line": pa.array([3.5, 4.0])})),
        foreign(pa.table(COLUMNS | {"data": pa.array([b"a", None], pa.binary())})),
        foreign(pa.table(COLUMNS | {"arrived": pa.array([1, None], pa.timestamp("ms", "UTC"))})),
    ],
    ids=[
        "no metadata",
        "no json",
        "no utf-8",
        "no subject",
        "no arrival",
        "text",
        "fractions",
        "null data",
        "null time",
    ],
)
def test_an_arrow_stream_of_another_kind_is_refused(message):
    with pytest.raises(BadFrame, match="not a frame"):
        decode(message)


def test_a_record_that_would_lie_outside_the_message_is_refused():
    """Arrow believes the offsets that it reads, and would hand out memory of the process."""
    one = pa.table(COLUMNS | {"data": pa.array([b"x" * 4660] * 2, pa.binary())}).slice(1)
    plain, offsets = foreign(one), np.array([0, 4660], np.int32).tobytes()
    place = plain.rindex(offsets)
    with pytest.raises(BadFrame, match="not a frame"):
        decode(plain[:place] + np.array([0, 2**30], np.int32).tobytes() + plain[place + 8 :])


@pytest.mark.parametrize(
    ("message", "records"),
    [
        (b'{"a": 1}', [b'{"a": 1}']),
        (b'{"a": 1}\n{"b": 2}\n', [b'{"a": 1}', b'{"b": 2}']),
        (b"1\r\n\r\n  \n2", [b"1", b"2"]),
        (b"", []),
        (b"\n", []),
        (b"\xff\xff\xff", [b"\xff\xff\xff"]),
    ],
)
def test_a_message_that_is_no_frame_is_raw_records_by_line(message, records):
    frame = decode(message, Subject("e"), arrived=5)
    assert contents(frame) == (Subject("e"), records, [5] * len(records), [0] * len(records), "", None)


def test_a_message_that_cannot_be_read_is_kept_whole_as_one_record():
    assert raw(MESSAGE[:50]).data.to_pylist() == [MESSAGE[:50]]


@given(frames(), st.integers(1, 60))
def test_splitting_keeps_every_record_and_its_place(frame, size):
    if frame.complete_until is not None:
        assert list(split(frame, size)) == [frame]
        return
    parts = list(split(frame, size))
    assert all(len(part) for part in parts)
    assert [record for part in parts for record in part.data.to_pylist()] == frame.data.to_pylist()
    assert [line for part in parts for line in part.line.tolist()] == frame.line.tolist()
    assert [when for part in parts for when in part.arrived.tolist()] == frame.arrived.tolist()
    assert all(part.subject == frame.subject and part.source == frame.source for part in parts)
    assert all(len(part) == 1 or sum(map(len, part.data.to_pylist())) <= size for part in parts)


@pytest.mark.parametrize("size", [0, 2, 500, 100_000])
def test_a_split_frame_fits_a_brokers_message_whatever_the_size_of_its_records(size):
    """Bytes that cannot be compressed are the worst case; many tiny records weigh more than their data."""
    rng = np.random.default_rng(0)
    count = 3_000_000 // max(size, 15)
    whole = rng.bytes(size * count)
    records = pa.array([whole[i * size : (i + 1) * size] for i in range(count)], pa.binary())
    lines = rng.integers(0, 2**32, count).astype(np.uint32)
    sizes = [len(encode(part)) for part in split(Frame.of(Subject(), records, 1, line=lines))]
    assert len(sizes) > 1
    assert max(sizes) < 1_048_588
    assert MAX_FRAME_BYTES < 1_048_588


def test_a_record_larger_than_a_frame_gets_one_of_its_own():
    frame = Frame.of(Subject(), pa.array([b"a", b"b" * 1000, b"c"], pa.binary()), 0)
    assert [part.data.to_pylist() for part in split(frame, 100)] == [[b"a"], [b"b" * 1000], [b"c"]]


def test_a_subject_reads_as_a_path():
    assert [str(Subject()), str(Subject("e", "v", "m"))] == ["default/AllTraffic", "e/v/m"]
    assert msgspec.json.decode(msgspec.json.encode(Subject("e")), type=Subject) == Subject("e")
