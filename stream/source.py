"""Capture files, on disk or in S3, as frames: found in event order, and each part of them read once."""

import os
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from pyarrow import fs

from schemas.errors import SourceError
from schemas.frame import Frame, Subject, split
from stream import gzipped, transform
from stream.log import Position

_BLOCK = 4 << 20
_ENDINGS = (".jsonl", ".ndjson", ".json", ".out")  # each also with .gz behind it
LABEL_ENDINGS = (".jsonl", ".ndjson", ".csv")
_HOUR = re.compile(r"(?:^|/)(\d{4}/\d{2}/\d{2}/\d{2})/[^/]+$")
_HEADER = re.compile(rb'"?(?:id|event_?id|inference_?id)"?,', re.IGNORECASE)  # of a CSV file of labels
_LAYOUT = re.compile(r"([^/]+)/([^/]+)/(\d{4}/\d{2}/\d{2}/\d{2})/[^/]+$")
_SETTLED = timedelta(seconds=60)  # a local file unchanged for so long has its last line complete
_HIDDEN = (".", "_")  # as everywhere around Hadoop: half-written files, and notebooks' copies
_BOM = b"\xef\xbb\xbf"
_UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)


class CaptureFile(Struct, frozen=True):
    """One file, whose records it holds, and the hour that its folder names (empty outside the layout).
    `labels`: it holds ground truth, of whichever subject."""

    path: str
    subject: Subject
    hour: str
    size: int
    settled: bool
    filesystem: fs.FileSystem
    labels: bool = False

    @property
    def name(self) -> str:
        """Path without what says that it is compressed."""
        return self.path.removesuffix(".gz")

    def order(self) -> tuple[str, bool, str]:
        """What files are read in the order of: by hour, those without one first, then by path; labels, whose
        hour is that in which they came, after the captures of it."""
        return self.hour, self.labels, self.path

    @property
    def whole_only(self) -> bool:
        """Whether it cannot be read before it is complete: compressed, or one JSON document."""
        return self.name != self.path or (transform.is_document(self.name) and not self.labels)


class Chunk(Struct, frozen=True):
    """Frames read, and how far the file has been read with them."""

    frames: list[Frame]
    path: str
    position: Position


def find(places: Iterable[str], default: Subject) -> list[CaptureFile]:
    """All capture files under `places`, those in SageMaker's layout by hour, others by name.

    A file outside the layout endpoint/variant/yyyy/mm/dd/hh belongs to `default`.

    Raises SourceError when a place does not exist or holds no capture file.
    """
    found: dict[str, CaptureFile] = {}
    for place in places:
        files = list(_files(place, default))
        if not files:
            endings = ", ".join(f"*{ending}" for ending in _ENDINGS)
            raise SourceError(f"{place}: no capture files ({endings}, each also .gz)")
        found.update((file.path, file) for file in files)
    return sorted(found.values(), key=CaptureFile.order)


def find_labels(places: Iterable[str]) -> list[CaptureFile]:
    """All files of ground truth under `places`, in the order of `find`. A directory may be empty: labels come
    late. Raises SourceError when a place does not exist."""
    found = {file.path: file for place in places for file in _files(place, Subject(), labels=True)}
    return sorted(found.values(), key=CaptureFile.order)


def _files(place: str, default: Subject, labels: bool = False) -> Iterator[CaptureFile]:
    endings = LABEL_ENDINGS if labels else _ENDINGS
    try:
        if "://" in place:
            filesystem, root = fs.FileSystem.from_uri(place)
        else:
            filesystem, root = fs.LocalFileSystem(), os.path.abspath(place)
        top = filesystem.get_file_info(root)
        if top.type == fs.FileType.NotFound:
            raise SourceError(f"{place}: no such file or directory")
        if top.type == fs.FileType.File:
            yield _file(top, filesystem, default, labels)
            return
        for info in filesystem.get_file_info(fs.FileSelector(root, recursive=True)):
            if info.type == fs.FileType.File and _is_wanted(info.path[len(root) :], endings):
                yield _file(info, filesystem, default, labels)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{place}: {error}") from error


def _is_wanted(path: str, endings: tuple[str, ...]) -> bool:
    """Whether a path below the place that was named is one to read."""
    hidden = any(part.startswith(_HIDDEN) for part in path.split("/"))
    return not hidden and path.removesuffix(".gz").endswith(endings)


def _file(info: fs.FileInfo, filesystem: fs.FileSystem, default: Subject, labels: bool) -> CaptureFile:
    subject, hour = default, ""
    if labels:
        hour = found[1] if (found := _HOUR.search(info.path)) else ""
    elif layout := _LAYOUT.search(info.path):
        hour = layout[3]
        if not transform.is_manifest(info.path):  # it lies under input/ or output/, which name no variant
            subject = Subject(layout[1], layout[2])
    local = isinstance(filesystem, fs.LocalFileSystem)
    settled = not local or info.mtime is None or datetime.now(UTC) - info.mtime > _SETTLED
    return CaptureFile(info.path, subject, hour, info.size, settled, filesystem, labels)


def read(file: CaptureFile, start: Position, arrived: int, *, whole: bool = True) -> Iterator[Chunk]:
    """Records of `file` after `start`, in frames; `arrived` is stamped on them (ms).

    When not `whole`, the file may still be written: a last line without a newline is left for when it is
    complete, and so is a JSON document.

    Raises SourceError when the file cannot be read, or not to its end; what was read before stands.
    """
    if transform.is_document(file.name) and not file.labels:
        if whole:
            yield _document(file, start, arrived)
        return
    line, offset = start.line, start.offset
    carry = b""
    try:
        for block in chain(_blocks(file, start.offset), [b""]):
            at_end = not block
            text = carry + block
            cut = len(text) if at_end and whole else text.rfind(b"\n") + 1
            ready, carry = text[:cut], text[cut:]
            content = ready.removeprefix(b"" if offset else _BOM)
            frames = list(_frames(file, content, line, arrived))
            offset += cut
            line += ready.count(b"\n")
            size = file.size if at_end and not carry else -1
            if ready or at_end:
                yield Chunk(frames, file.path, Position(offset, line, size))
    except _UNREADABLE as error:
        raise SourceError(f"{file.path}: cannot be read beyond line {line}: {error}") from error


def _blocks(file: CaptureFile, skip: int = 0) -> Iterator[bytes]:
    """Content of a file, decompressed, without its first `skip` bytes; no block is empty."""
    with file.filesystem.open_input_file(file.path) as stream:
        if file.name != file.path:
            yield from filter(None, gzipped.blocks(stream, skip))
            return
        if skip > stream.size():
            raise EOFError("it is shorter than what was read of it before; was it replaced?")
        stream.seek(skip)
        while block := stream.read(_BLOCK):
            yield block


def _frames(file: CaptureFile, text: bytes, lines_before: int, arrived: int) -> Iterator[Frame]:
    """Lines of `text` as frames; blank lines are no records."""
    if not text:
        return
    if b"\r\n" in text:
        text = text.replace(b"\r\n", b"\n")
    lines = pc.split_pattern(pa.array([text], pa.binary()), pattern="\n").values
    number = np.arange(lines_before + 1, lines_before + 1 + len(lines), dtype=np.uint32)
    filled = pc.not_equal(pc.binary_length(pc.ascii_trim_whitespace(lines.cast(pa.string(), safe=False))), 0)
    number = number[np.asarray(filled)]
    records = lines.filter(filled)
    if not file.labels:
        records = transform.to_captures(file.name, records, number)
    elif not lines_before and len(records) and _HEADER.match(records[0].as_py()):
        records, number = records[1:], number[1:]
    whole = Frame.of(file.subject, records, arrived, line=number, source=file.path, labels=file.labels)
    yield from split(whole)


def _document(file: CaptureFile, start: Position, arrived: int) -> Chunk:
    """A file that is one JSON document: a batch transform's manifest, a list of records, or one record.

    Of a document that was read before and has grown, the records that follow.
    """
    try:
        text = b"".join(_blocks(file))
        records, lines = transform.document(file.path, text.removeprefix(_BOM), _reader(file.filesystem))
    except _UNREADABLE as error:
        raise SourceError(f"{file.path}: cannot be read: {error}") from error
    new = slice(start.line, None)
    frame = Frame.of(file.subject, records[new], arrived, line=lines[new], source=file.path)
    return Chunk(list(split(frame)), file.path, Position(len(text), len(records), file.size))


def _reader(filesystem: fs.FileSystem) -> transform.Reader:
    """Read an object that a manifest names: by its URI, or as a path of the manifest's own file system."""

    def read_object(place: str) -> bytes | None:
        where, path = filesystem, place
        if "://" in place:
            where, path = fs.FileSystem.from_uri(place)
        if where.get_file_info(path).type != fs.FileType.File:
            return None
        with where.open_input_stream(path) as stream:
            content: bytes = stream.read()
            return content

    return read_object
