"""The file that the door writes: definitions of streams, records that wait, and how far each was delivered.

A message is one frame of a stream. Its key is the sequence number of its last record: numbers are handed out
over the whole file, so that a stream deleted and created again does not repeat any.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.delivery_stream import DeliveryStream
from schemas.errors import StateError

Connection = sqlite3.Connection

_VERSION = 1
_PAGE = 16_384  # bytes; messages are large, and at 4,096 bytes a page writing one took 1.6 times as long
_CHECKPOINT = 4_096  # pages of the write-ahead log, 64 MiB: most messages are delivered and gone before that
_TABLES = """
CREATE TABLE IF NOT EXISTS message (
    last INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL,
    records INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS message_of ON message (stream, last, size);
CREATE TABLE IF NOT EXISTS stream (name TEXT PRIMARY KEY, definition BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (stream TEXT PRIMARY KEY, covered INTEGER NOT NULL, intent BLOB);
"""


class Message(Struct, frozen=True):
    """A frame as it is stored: the sequence number of its last record, how many it has, and what they count
    for in bytes."""

    last: int
    records: int
    size: int
    body: bytes


def prepare(path: Path) -> Connection:
    """The connection that writes; makes the file when there is none. Raises StateError."""
    try:
        path.touch(mode=0o600)  # definitions hold what endpoints are opened with
        db = _connect(path)
    except (OSError, sqlite3.Error) as error:
        raise StateError(f"{path}: {error}") from error
    try:
        _set_up(db)
    except sqlite3.Error as error:
        db.close()
        raise StateError(f"{path}: {error}") from error
    return db


def _set_up(db: Connection) -> None:
    db.execute(f"PRAGMA page_size = {_PAGE}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError("written by another version of streamgauge")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
    with transaction(db):
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_VERSION}")


def reading(path: Path) -> Connection:
    """A further connection, for another thread."""
    return _connect(path)


def _connect(path: Path) -> Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """All or nothing, durable when it returns."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # after some errors SQLite has rolled back by itself
            db.execute("ROLLBACK")
        raise


def end(db: Connection) -> int:
    """The highest sequence number ever stored."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
    return int(row[0]) if row else 0


def add(db: Connection, stream: str, message: Message) -> None:
    """Store a message."""
    row = (message.last, stream, message.records, message.size, message.body)
    db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", row)


def messages(db: Connection, stream: str, after: int) -> Iterator[Message]:
    """The messages of a stream that hold a record after `after`, in order."""
    query = "SELECT last, records, size, body FROM message WHERE stream = ? AND last > ? ORDER BY last"
    return (Message(*row) for row in db.execute(query, (stream, after)))


def waiting(db: Connection) -> dict[str, int]:
    """Bytes that wait, by stream."""
    return dict(db.execute("SELECT stream, sum(size) FROM message GROUP BY stream"))


def discard(db: Connection, stream: str, until: int) -> int:
    """Remove messages that end at `until` or before; gives the bytes that they counted for."""
    where = "FROM message WHERE stream = ? AND last <= ?"
    size = db.execute(f"SELECT total(size) {where}", (stream, until)).fetchone()[0]
    db.execute(f"DELETE {where}", (stream, until))
    return int(size)


def definitions(db: Connection) -> dict[str, DeliveryStream]:
    """All streams, by name."""
    rows = db.execute("SELECT name, definition FROM stream")
    return {name: msgspec.json.decode(raw, type=DeliveryStream) for name, raw in rows}


def define(db: Connection, stream: DeliveryStream) -> None:
    """Store a definition."""
    db.execute("INSERT OR REPLACE INTO stream VALUES (?, ?)", (stream.name, msgspec.json.encode(stream)))


def remove(db: Connection, stream: str) -> None:
    """Forget a stream, with how far it was delivered; not its messages."""
    db.execute("DELETE FROM stream WHERE name = ?", (stream,))
    db.execute("DELETE FROM delivery WHERE stream = ?", (stream,))


def delivered(db: Connection, stream: str) -> tuple[int, bytes | None]:
    """The last sequence number that was delivered, and the intention for what comes next."""
    row = db.execute("SELECT covered, intent FROM delivery WHERE stream = ?", (stream,)).fetchone()
    return (0, None) if row is None else (int(row[0]), row[1])


def deliver(db: Connection, stream: str, covered: int, intent: bytes | None) -> None:
    """Store how far a stream was delivered; one that is gone stays gone."""
    query = "INSERT OR REPLACE INTO delivery SELECT name, ?, ? FROM stream WHERE name = ?"
    db.execute(query, (covered, intent, stream))


def known(db: Connection, stream: str) -> bool:
    """Whether the stream is defined."""
    return db.execute("SELECT 1 FROM stream WHERE name = ?", (stream,)).fetchone() is not None
