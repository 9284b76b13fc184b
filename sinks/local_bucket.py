"""Buckets as directories: `<root>/<bucket>/<key>`, whole or not there, and nothing outside of them."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote

from schemas.errors import SinkBusy
from sinks.bucket import Body, BucketRefused

_LONGEST = 240  # bytes of a name: file systems allow 255
_BUCKET = re.compile(r"(?!\.{1,2}$)[\w.\-]{1,255}", re.ASCII)
_NEVER = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EILSEQ)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class LocalBuckets:
    """Buckets under one directory. Content types, encodings and encryption are not kept."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).absolute()

    def put(
        self,
        bucket: str,
        key: str,
        body: Body,
        *,
        content_type: str = "application/octet-stream",
        content_encoding: str | None = None,
        sse: str | None = None,
    ) -> None:
        """Store `body`, replacing what was there. Raises SinkBusy, and BucketRefused for what no disk takes.

        The object is written beside its place, synced and moved in: a crash leaves the old object or the new
        one, and perhaps a hidden part of a file that the next put of this key replaces.
        """
        if not _BUCKET.fullmatch(bucket):
            raise BucketRefused(f"{bucket!r} is not the name of a bucket")
        *folders, name = names(key)
        try:
            _make(self._root / bucket)
            with _descend(self._root / bucket, folders) as directory:
                _replace(directory, name, body)
        except OSError as error:
            kind = BucketRefused if error.errno in _NEVER else SinkBusy
            raise kind(f"{self._root / bucket}, object {key!r}: {error.strerror}") from error


def _make(top: Path) -> None:
    """The bucket's own directory, which may be a link to another disk."""
    if not top.is_dir():
        top.mkdir(parents=True, exist_ok=True)
        parent = os.open(top.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


@contextmanager
def _descend(top: Path, folders: list[str]) -> Iterator[int]:
    """The open directory at the end of a path below `top`, made where it is missing.

    Each step is taken from the directory before it and follows no link, so that a link put into a bucket
    leads no write out of it. Raises OSError.
    """
    here = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            with suppress(FileExistsError):
                os.mkdir(folder, dir_fd=here)
                os.fsync(here)
            there = os.open(folder, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = there
        yield here
    finally:
        os.close(here)


def _replace(directory: int, name: str, body: Body) -> None:
    beside = f".%{hashlib.sha256(name.encode()).hexdigest()[:32]}"  # no key has such a name
    with suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=directory)
    try:
        with open(os.open(beside, _NEW_FILE, 0o666, dir_fd=directory), "wb") as stream:
            stream.write(body)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(beside, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with suppress(OSError):
            os.unlink(beside, dir_fd=directory)
        raise
    os.fsync(directory)


def names(key: str) -> list[str]:
    """The directories and the file that a key is kept under: its parts, as they are where that is safe.

    `%`, control characters and the parts `.` and `..` are written in hexadecimal, an empty part is `%`, and
    a part that is too long for a disk goes on in further directories, each but the last ending in `%`.
    Different keys have different paths.

    Raises BucketRefused for a key that is empty or no text.

    >>> names("dt=2026-01-02/a b"), names("/../%41/")
    (['dt=2026-01-02', 'a b'], ['%', '%2E%2E', '%2541', '%'])
    """
    try:
        return [name for part in _parts(key) for name in _names(part)]
    except UnicodeEncodeError as error:
        raise BucketRefused(f"the key {key!r} is not text") from error


def _parts(key: str) -> list[str]:
    if not key:
        raise BucketRefused("the key is empty")
    return key.split("/")


def _names(part: str) -> Iterator[str]:
    if part in ("", ".", ".."):
        yield part.replace(".", "%2E") or "%"
        return
    held = ""
    for character in part:
        safe = character if _plain(character) else quote(character, safe="")
        if len((held + safe).encode()) > _LONGEST:
            yield f"{held}%"
            held = ""
        held += safe
    yield held


def _plain(character: str) -> bool:
    return character != "%" and (character.isprintable() or character == " ")


def key(path: list[str]) -> str:
    """The key that is kept under these names: the inverse of `names`."""
    text = "/".join("" if name == "%" else name for name in path)
    return unquote(re.sub(r"%/", "", text))
