"""Objects under a prefix, on a local disk or in S3: whole or not there, and safe to write again."""

import os
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
from pyarrow import fs

from schemas.errors import ConfigError, SinkBusy


class Objects:
    """A directory or bucket prefix. Keys are relative, with `/` between their parts."""

    def __init__(self, filesystem: fs.FileSystem, root: str) -> None:
        self._fs = filesystem
        self._root = root.rstrip("/")

    @classmethod
    def at(cls, place: str | Path) -> "Objects":
        """A local path, or a URI that pyarrow knows, such as s3://bucket/prefix. Raises ConfigError."""
        try:
            if "://" in str(place):
                filesystem, root = fs.FileSystem.from_uri(str(place))
                return cls(filesystem, root)
            return cls(fs.LocalFileSystem(), str(Path(place).absolute()))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ConfigError(f"{place}: {error}") from error

    def put(self, key: str, body: bytes | pa.Buffer) -> None:
        """Store `body` under `key`, replacing what was there. Raises SinkBusy.

        On a local disk the object is written beside its place, synced and moved in, so that a crash leaves
        either the old object or the new one. S3 does so itself.
        """
        path = f"{self._root}/{key}"
        try:
            if isinstance(self._fs, fs.LocalFileSystem):
                _put_local(Path(path), body)
            else:
                with self._fs.open_output_stream(path) as stream:
                    stream.write(body)
        except (OSError, pa.ArrowException) as error:
            raise SinkBusy(f"{path}: {error}") from error


def _put_local(path: Path, body: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    with beside.open("wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)


def segment(name: str) -> str:
    """`name` as one part of a key: nothing in it can leave the prefix or start a hidden file.

    >>> segment("flight-delay"), segment("../etc"), segment("..")
    ('flight-delay', '%2E.%2Fetc', '%2E.')
    """
    quoted = quote(name, safe=" ")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted
