"""CompressionFormat: the body of an object, its extension and its Content-Encoding."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import pyarrow as pa
import snappy

Body: TypeAlias = bytes | pa.Buffer

_GZIP = 16 + zlib.MAX_WBITS  # a gzip header, in which zlib writes no time and no name
_XERIAL = (
    b"\x82SNAPPY\0" + (1).to_bytes(4) + (1).to_bytes(4)
)  # magic, version, oldest version that can read it
_XERIAL_BLOCK = 32 << 10
_HADOOP_BLOCK = 128 << 10  # Hadoop's readers take blocks of up to 256 KiB
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP archive can hold


class Compression(NamedTuple):
    """One CompressionFormat; `compress` is given the body and the object's UUID."""

    compress: Callable[[Body, str], Body]
    extension: str
    content_encoding: str | None


def _plain(body: Body, _: str) -> Body:
    return body


def _gzip(body: Body, _: str) -> bytes:
    stream = zlib.compressobj(wbits=_GZIP)
    return stream.compress(body) + stream.flush()


def _zip(body: Body, name: str) -> bytes:
    """An archive with one entry."""
    packed = io.BytesIO()
    entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, memoryview(body))
    return packed.getvalue()


def _snappy(body: Body, _: str) -> bytes:
    """The framing of snappy-java (xerial): after the header, blocks behind their compressed length."""
    framed = [_XERIAL]
    for _length, block in _blocks(body, _XERIAL_BLOCK):
        framed += (len(block).to_bytes(4), block)
    return b"".join(framed)


def _hadoop_snappy(body: Body, _: str) -> bytes:
    """Hadoop's framing: blocks behind their plain length and their compressed length."""
    framed: list[bytes] = []
    for plain, block in _blocks(body, _HADOOP_BLOCK):
        framed += (plain.to_bytes(4), len(block).to_bytes(4), block)
    return b"".join(framed)


def _blocks(body: Body, size: int) -> Iterator[tuple[int, bytes]]:
    """Plain length and raw Snappy block of each part of the body."""
    view = memoryview(body)
    for at in range(0, len(view), size):
        part = view[at : at + size]
        yield len(part), snappy.compress(part)


FORMATS: Mapping[str, Compression] = {
    "UNCOMPRESSED": Compression(_plain, "", None),
    "GZIP": Compression(_gzip, ".gz", "gzip"),
    "ZIP": Compression(_zip, ".zip", "zip"),
    "Snappy": Compression(_snappy, ".snappy", "snappy-java"),
    "HADOOP_SNAPPY": Compression(_hadoop_snappy, ".snappy", "hadoop-snappy"),
}
