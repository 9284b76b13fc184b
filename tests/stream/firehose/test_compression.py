"""Compressed bodies, read by programs other than those that wrote them."""

import gzip
import io
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.firehose.body import joined, lengths
from stream.firehose.compression import FORMATS

LONG = b"".join(b"record %d of many;" % n for n in range(40_000))


def blocks(framed, lengths_in_front):
    """Plain bytes of framed Snappy blocks; pyarrow's Snappy is the C++ library, not the writer's."""
    codec, plain, at = pa.Codec("snappy"), [], 0
    while at < len(framed):
        *size, stored = (int.from_bytes(framed[at + 4 * n :][:4]) for n in range(lengths_in_front))
        at += 4 * lengths_in_front
        block = framed[at : at + stored]
        size = size[0] if size else varint(block)
        plain.append(codec.decompress(block, size).to_pybytes())
        at += stored
    return plain


def varint(block):
    """Plain length that a raw Snappy block begins with."""
    value = shift = 0
    for byte in block:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def xerial(framed):
    assert framed[:16] == bytes.fromhex("82534e41505059000000000100000001")
    plain = blocks(framed[16:], 1)
    assert all(len(part) <= 32_768 for part in plain)
    return b"".join(plain)


def unzipped(packed):
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.compress_type) == ("the-uuid", zipfile.ZIP_DEFLATED)
        return archive.read(entry)


READERS = {
    "UNCOMPRESSED": bytes,
    "GZIP": gzip.decompress,
    "ZIP": unzipped,
    "Snappy": xerial,
    "HADOOP_SNAPPY": lambda framed: b"".join(blocks(framed, 2)),
}


@pytest.mark.parametrize("plain", [b"", b"abc", LONG], ids=len)
@pytest.mark.parametrize("format", FORMATS)
def test_a_body_is_read_back_by_an_independent_reader(format, plain):
    once = bytes(FORMATS[format].compress(pa.py_buffer(plain), "the-uuid"))
    assert READERS[format](once) == plain
    assert bytes(FORMATS[format].compress(plain, "the-uuid")) == once


def test_snappy_frames_are_those_of_hadoop_and_of_xerial():
    plain = bytes.fromhex("616263616263616263")
    hadoop, java = (bytes(FORMATS[name].compress(plain, "")) for name in ("HADOOP_SNAPPY", "Snappy"))
    assert hadoop.hex() == "000000090000000b0920616263616263616263"
    assert java.hex() == "82534e415050590000000001000000010000000b0920616263616263616263"


def test_content_encodings_are_those_measured():
    encodings = {name: compression.content_encoding for name, compression in FORMATS.items()}
    assert encodings == {
        "UNCOMPRESSED": None,
        "GZIP": "gzip",
        "ZIP": "zip",
        "Snappy": "snappy-java",
        "HADOOP_SNAPPY": "hadoop-snappy",
    }


records = st.lists(st.binary(max_size=20), max_size=30)


@given(records, st.integers(0, 5), st.integers(0, 5))
def test_records_are_joined_with_nothing_between_them_or_a_line_feed_between_two(found, head, tail):
    data = pa.array(found, pa.binary())[head : len(found) - tail]
    kept = found[head : len(found) - tail]
    assert joined(data).to_pybytes() == b"".join(kept)
    assert joined(data, delimited=True).to_pybytes() == b"\n".join(kept)
    assert lengths(data).tolist() == [len(record) for record in kept]
    assert lengths(data, delimited=True).tolist() == [len(record) + 1 for record in kept]


def test_joining_copies_nothing():
    data = pa.array([b"x" * 100] * 10, pa.binary())
    assert joined(data[2:]).address == data.buffers()[2].address + 200
