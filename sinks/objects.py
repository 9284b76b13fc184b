"""Objects under a prefix, on a local disk or in S3: whole or not there, and safe to write again."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
from pyarrow import fs

from schemas.errors import ConfigError, SinkBusy

_LONGEST = 180  # of a segment in bytes: file systems allow 255, and names stand behind a key or before an end
_TIMEOUT = 30.0  # seconds
_NOTHING = "__HIVE_DEFAULT_PARTITION__"  # what readers of Hive partitions take for a missing value


class Objects:
    """A directory or bucket prefix. Keys are relative, with `/` between their parts."""

    def __init__(self, filesystem: fs.FileSystem, root: str) -> None:
        self._fs = filesystem
        self._root = root.rstrip("/")

    @classmethod
    def at(
        cls,
        place: str | Path,
        endpoint: str | None = None,
        region: str | None = None,
        *,
        timeout: float = _TIMEOUT,
    ) -> "Objects":
        """A local path, or a URI that pyarrow knows, such as s3://bucket/prefix.

        `endpoint` is the URL of another service than AWS's that speaks S3. `timeout`, in seconds, is that of
        each of the two tries that a request has there. Raises ConfigError.
        """
        try:
            if str(place).startswith("s3://") and (endpoint or region):
                return cls(_s3(endpoint, region, timeout), str(place).removeprefix("s3://"))
            if "://" in str(place):
                filesystem, root = fs.FileSystem.from_uri(str(place))
                return cls(filesystem, root)
            return cls(fs.LocalFileSystem(), str(Path(place).absolute()))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ConfigError(f"{place}: {error}") from error

    def is_empty(self) -> bool:
        """Whether no object is there; what cannot be looked into holds none."""
        try:
            return not self._fs.get_file_info(fs.FileSelector(self._root, allow_not_found=True))
        except (pa.ArrowException, OSError):
            return True

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

    def get(self, key: str) -> bytes:
        """The object under `key`. Raises SinkBusy when it cannot be read."""
        path = f"{self._root}/{key}"
        try:
            with self._fs.open_input_stream(path, compression=None) as stream:
                body: bytes = stream.read()
        except (OSError, pa.ArrowException) as error:
            raise SinkBusy(f"{path}: {error}") from error
        return body

    def delete(self, key: str) -> None:
        """Take away the object under `key`; that it is not there is no mistake. Raises SinkBusy."""
        path = f"{self._root}/{key}"
        try:
            self._fs.delete_file(path)
        except FileNotFoundError:
            pass
        except (OSError, pa.ArrowException) as error:
            raise SinkBusy(f"{path}: {error}") from error


def _s3(endpoint: str | None, region: str | None, timeout: float) -> fs.S3FileSystem:
    """Credentials are found where AWS's own tools find them."""
    scheme, _, host = (endpoint or "").rpartition("://")
    options = {"endpoint_override": host, "scheme": scheme or "https", "region": region}
    given = {name: value for name, value in options.items() if value}
    return fs.S3FileSystem(
        connect_timeout=min(timeout, 5),
        request_timeout=timeout,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
        **given,
    )


def _put_local(path: Path, body: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    with beside.open("wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    """Without this a power failure may take a file's new name back, after its rows were counted as stored."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def range_name(log: str, partition: int, first_offset: int) -> str:
    """The name of what a range of a log gives: it depends on nothing but where the range begins.

    >>> range_name("6f2a", 3, 71), range_name("", 0, 1)
    ('6f2a-00003-00000000000000000071', '00000-00000000000000000001')
    """
    return f"{log}-{partition:05d}-{first_offset:020d}".removeprefix("-")


def segment(name: str) -> str:
    """`name` as one part of a key: nothing in it can leave the prefix, hide it, or be too long for a disk.

    Different names give different segments; a long one ends in a digest of all of it.

    >>> segment("flight-delay"), segment("../etc"), segment(".."), segment("_x")
    ('flight-delay', '%2E.%2Fetc', '%2E.', '%5Fx')
    """
    if not name:
        return _NOTHING
    quoted = _quote(name)
    if len(quoted) <= _LONGEST:
        return quoted
    kept = name[:_LONGEST]
    while len(_quote(kept)) > _LONGEST - 17:
        kept = kept[:-1]
    return f"{_quote(kept)}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _quote(name: str) -> str:
    """A leading `.` or `_` is quoted too: files of such names are passed over by readers of data sets."""
    quoted = quote(name, safe=" ")
    return f"%{ord(quoted[0]):02X}{quoted[1:]}" if quoted[0] in "._" else quoted
