"""The embedded log: messages, source positions and stage states in one SQLite file."""

import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from schemas.errors import StateError
from stream.changes import Changes

VERSION = 5  # of the states that are stored
AT_ONCE = 64  # messages read together
_READ_BYTES = 8 << 20
_TABLES = """
CREATE TABLE IF NOT EXISTS message (position INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS state (stage TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (stage, name));
CREATE TABLE IF NOT EXISTS source (path TEXT PRIMARY KEY, position BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


class Position(Struct, frozen=True):
    """How far a capture file was read: bytes after decompression, lines, and whether that was all of it."""

    offset: int = 0
    line: int = 0
    size: int = -1  # of the file when it was read to its end; -1 before


class Log:
    """One file, one process: a second one that opens it is refused.

    Everything is written in transactions that survive a crash; `append` makes messages durable together
    with the position that they were read up to, `commit` makes states durable together with the last
    message that they cover.

    Raises StateError when the file is in use, damaged, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{path}: {error}") from error
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("COMMIT")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            busy = "locked" in str(error) or "busy" in str(error)
            reason = "another streamgauge is using it" if busy else str(error)
            self._db.close()
            raise StateError(f"{path}: {reason}") from error
        if self.get("version", VERSION) != VERSION:
            self._db.close()
            raise StateError(f"{path}: written by another version of streamgauge")
        self.put("version", VERSION)
        if self.get("identity", None) is None:
            self.put("identity", secrets.token_hex(4))

    @property
    def identity(self) -> str:
        """What tells this log's offsets from those of any other."""
        return str(self.get("identity", ""))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def append(self, messages: Iterable[bytes], positions: Mapping[str, Position] | None = None) -> int:
        """Store `messages` and source `positions` at once; gives the last offset."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO message (body) VALUES (?)", ((m,) for m in messages))
            self._db.executemany(
                "INSERT OR REPLACE INTO source VALUES (?, ?)",
                ((path, msgspec.msgpack.encode(at)) for path, at in (positions or {}).items()),
            )
        return self.end()

    def end(self) -> int:
        """The offset of the last message ever appended; 0 before the first."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
        return int(row[0]) if row else 0

    def read(self, after: int, limit: int | None = None, until: int | None = None) -> list[tuple[int, bytes]]:
        """At most `limit` messages (AT_ONCE unless told) that follow offset `after`, none past `until`; few
        of them where they are large."""
        last = self.end() if until is None else until
        query = "SELECT position, body FROM message WHERE position > ? AND position <= ? ORDER BY 1 LIMIT ?"
        found: list[tuple[int, bytes]] = []
        nbytes = 0
        rows = self._db.execute(query, (after, last, AT_ONCE if limit is None else limit))
        for at, body in rows:
            found.append((int(at), bytes(body)))
            nbytes += len(body)
            if nbytes >= _READ_BYTES:
                break
        rows.close()
        return found

    def positions(self) -> dict[str, Position]:
        """How far each source was read."""
        rows = self._db.execute("SELECT path, position FROM source")
        return {path: msgspec.msgpack.decode(raw, type=Position) for path, raw in rows}

    def intend(self, until: int) -> None:
        """Remember that the next commit ends at `until`, before anything up to there is delivered."""
        self.put("intent", until)

    @property
    def intent(self) -> int | None:
        """Where the next commit must end, when a delivery may already have begun."""
        value: int | None = self.get("intent", None)
        return value

    @property
    def covered(self) -> int:
        """The last offset that the stored states cover."""
        return int(self.get("covered", 0))

    def commit(self, covered: int, changes: Mapping[str, Changes]) -> None:
        """Store the stages' `changes` and the offset that they cover; drop the messages up to it."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for stage, changed in changes.items():
                gone = [(stage, name) for name, value in changed.items() if value is None]
                kept = [(stage, name, value) for name, value in changed.items() if value is not None]
                self._db.executemany("DELETE FROM state WHERE stage = ? AND name = ?", gone)
                self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", kept)
            self._db.execute("DELETE FROM message WHERE position <= ?", (covered,))
            self._put("covered", covered)
            self._db.execute("DELETE FROM about WHERE name = 'intent'")

    def states(self, stage: str) -> dict[str, bytes]:
        """Everything that a stage has stored."""
        rows = self._db.execute("SELECT name, value FROM state WHERE stage = ?", (stage,))
        return {name: bytes(value) for name, value in rows}

    def state(self, stage: str, name: str) -> bytes | None:
        """One value of what a stage has stored."""
        row = self._db.execute(
            "SELECT value FROM state WHERE stage = ? AND name = ?", (stage, name)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def get(self, name: str, default: Any) -> Any:
        """A fact about the log as a whole."""
        row = self._db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return default if row is None else msgspec.msgpack.decode(row[0])

    def put(self, name: str, value: Any) -> None:
        """Store a fact about the log as a whole, durably."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._put(name, value)

    def _put(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, msgspec.msgpack.encode(value)))
