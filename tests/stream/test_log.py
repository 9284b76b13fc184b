"""The log: what is in it survives, one process has it, and a commit is all or nothing."""

import sqlite3
import subprocess
import sys
from itertools import pairwise

import pytest

from schemas.errors import StateError
from stream.log import VERSION, Log, Position


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "streamgauge.sqlite"


@pytest.fixture
def log(path):
    log = Log(path)
    yield log
    log.close()


def reopened(log: Log) -> Log:
    log.close()
    return Log(log.path)


def test_a_new_log_is_empty(log):
    assert (log.end(), log.covered, log.intent, log.positions(), log.states("watch")) == (0, 0, None, {}, {})
    assert log.read(0) == []


def test_messages_come_back_in_order_with_ascending_offsets(log):
    assert log.append([b"a", b"b"]) == 2
    assert log.append([]) == 2
    assert log.append([b"c"]) == 3
    assert log.read(0) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert log.read(1, limit=1) == [(2, b"b")]
    assert log.read(0, until=2) == [(1, b"a"), (2, b"b")]
    assert log.read(3) == []


def test_messages_and_positions_are_there_after_reopening(log):
    log.append([b"a"], {"x.jsonl": Position(10, 2), "y.jsonl": Position(5, 1, 5)})
    log.append([b"b"], {"x.jsonl": Position(20, 4, 20)})
    log = reopened(log)
    assert log.read(0) == [(1, b"a"), (2, b"b")]
    assert log.positions() == {"x.jsonl": Position(20, 4, 20), "y.jsonl": Position(5, 1, 5)}
    log.close()


def test_an_append_that_fails_leaves_neither_messages_nor_positions(log):
    def messages():
        yield b"a"
        raise OSError("read error")

    with pytest.raises(OSError, match="read error"):
        log.append(messages(), {"x.jsonl": Position(10, 2)})
    assert (log.read(0), log.positions()) == ([], {})
    assert log.append([b"b"]) == 1  # and the log is free for the next


def test_a_commit_stores_states_drops_messages_and_ends_the_intention(log):
    log.append([b"a", b"b", b"c"])
    log.intend(2)
    log = reopened(log)
    assert log.intent == 2
    log.commit(2, {"watch": {"w1": b"1", "w2": b"2"}, "judge": {"w1": b"x"}})
    assert (log.covered, log.intent, log.read(0)) == (2, None, [(3, b"c")])
    log.commit(3, {"watch": {"w1": None, "w2": b"3"}})
    assert log.states("watch") == {"w2": b"3"}
    assert log.states("judge") == {"w1": b"x"}
    log.close()


def test_offsets_are_never_used_again(log):
    log.append([b"a", b"b"])
    log.commit(2, {})
    log = reopened(log)
    assert (log.end(), log.append([b"c"]), log.covered) == (2, 3, 2)
    log.close()


def test_a_commit_that_fails_changes_nothing(log):
    log.append([b"a"])
    log.commit(0, {"watch": {"w": b"1"}})
    with pytest.raises(sqlite3.Error):
        log.commit(1, {"watch": {"w": b"2"}, "judge": {"w": object()}})  # type: ignore[dict-item]
    assert (log.covered, log.states("watch"), log.read(0)) == (0, {"w": b"1"}, [(1, b"a")])


def test_facts_are_kept(log):
    log.put("kind", "replay")
    log.put("problems", ["a", "b"])
    log = reopened(log)
    assert (log.get("kind", None), log.get("problems", []), log.get("other", 7)) == ("replay", ["a", "b"], 7)
    log.close()


def test_a_second_user_is_refused_and_the_first_goes_on(log, path):
    with pytest.raises(StateError, match=r"streamgauge\.sqlite: another streamgauge is using it"):
        Log(path)
    assert log.append([b"a"]) == 1
    other = f"from stream.log import Log; from pathlib import Path; Log(Path({str(path)!r}))"
    run = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert "another streamgauge is using it" in run.stderr
    log.close()
    Log(path).close()


@pytest.mark.parametrize("content", [b"no database" * 1_000, b"SQLite format 3\0" + b"x" * 5_000])
def test_a_file_that_is_no_log_is_named(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"streamgauge\.sqlite: "):
        Log(path)


def test_a_log_of_another_version_is_refused(log, path):
    log.put("version", VERSION + 1)
    log.close()
    with pytest.raises(StateError, match="written by another version"):
        Log(path)


def test_a_torn_write_ahead_log_loses_only_the_last_transaction(path):
    log = Log(path)
    log.append([b"a"], {"x": Position(1, 1)})
    ahead = path.with_name(path.name + "-wal")
    first = ahead.stat().st_size
    log.append([b"b"], {"x": Position(2, 2)})
    whole, database = ahead.read_bytes(), path.read_bytes()
    log.close()
    sizes = [first, (first + len(whole)) // 2, len(whole) - 1, len(whole)]
    found = []
    for size in sizes:  # as after a crash while the second was written
        path.write_bytes(database)
        ahead.write_bytes(whole[:size])
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        log = Log(path)
        found.append((log.end(), log.positions()["x"].line))
        log.close()
    assert found[0] == (1, 1) and found[-1] == (2, 2)
    assert all(messages == lines for messages, lines in found)
    assert all(a <= b for a, b in pairwise(found))
