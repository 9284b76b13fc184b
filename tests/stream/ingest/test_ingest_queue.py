"""The queue: what was acknowledged stays until it is delivered, under numbers that never repeat."""

import asyncio
import random
import sqlite3
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from doors import a_stream
from schemas.errors import BadFrame, SinkBusy, StateError
from stream.ingest.intake import UnknownStream
from stream.ingest.queue import Queue


def records(*data: bytes) -> pa.BinaryArray:
    return pa.array(data, pa.binary())


def put(queue: Queue, stream: str, *data: bytes, arrived: int = 0) -> int:
    return asyncio.run(queue.append(stream, records(*data), arrived))


async def _all(queue: Queue, puts: list[tuple[str, list[bytes], int]]) -> list[int]:
    appends = (queue.append(stream, records(*data), arrived) for stream, data, arrived in puts)
    return await asyncio.gather(*appends)


def reopened(queue: Queue, path: Path, **more: int) -> Queue:
    queue.close()
    return Queue(path / "queue.db", **more)


def test_records_are_read_as_they_were_put_with_their_times_and_numbers(queue):
    first = put(queue, "a", b"one", b"", b"three", arrived=5)
    second = put(queue, "a", b"four", arrived=7)
    read = queue.read("a", 0, 2**20)
    assert read.data.to_pylist() == [b"one", b"", b"three", b"four"]
    assert read.arrived.tolist() == [5, 5, 5, 7]
    assert read.sequence.tolist() == [first, first + 1, first + 2, second]
    assert len(queue.read("b", 0, 2**20)) == 0


def test_each_of_many_puts_at_once_is_told_where_its_own_records_are(queue):
    puts = [("ab"[n % 2], [f"{n}.{i}".encode() for i in range(n % 3 + 1)], n) for n in range(200)]
    firsts = asyncio.run(_all(queue, puts))
    kept = {}
    for stream in "ab":
        read = queue.read(stream, 0, 2**30)
        assert (read.sequence[1:] > read.sequence[:-1]).all()
        rows = zip(read.sequence.tolist(), read.data.to_pylist(), read.arrived.tolist(), strict=True)
        kept |= {(stream, number): (data, arrived) for number, data, arrived in rows}
    expected = {
        (stream, first + i): (item, arrived)
        for (stream, data, arrived), first in zip(puts, firsts, strict=True)
        for i, item in enumerate(data)
    }
    assert kept == expected


def test_a_read_stops_about_where_it_is_told_and_goes_on_after_what_it_gave(queue):
    for n in range(10):
        put(queue, "a", bytes(1_000), bytes(1_000), arrived=n)
    seen, after = [], 0
    while len(read := queue.read("a", after, 3_000)):
        assert len(read) <= 4
        seen += read.arrived.tolist()
        after = int(read.sequence[-1])
    assert seen == [n for n in range(10) for _ in "xy"]


def test_a_commit_drops_what_it_covers_and_nothing_else(queue, tmp_path):
    first = put(queue, "a", b"1", b"2", b"3")
    put(queue, "a", b"4")
    put(queue, "b", b"other")
    before = queue.waiting("a")
    queue.commit("a", first + 1)  # within the first put: its rest waits
    assert queue.waiting("a") == before
    assert queue.read("a", queue.covered("a"), 2**20).data.to_pylist() == [b"3", b"4"]
    queue.commit("a", first + 2)
    assert queue.waiting("a") < before
    queue = reopened(queue, tmp_path)
    assert (queue.covered("a"), queue.covered("b")) == (first + 2, 0)
    assert queue.read("a", 0, 2**20).data.to_pylist() == [b"4"]
    assert queue.read("b", 0, 2**20).data.to_pylist() == [b"other"]
    queue.close()


def test_an_intention_stays_until_a_commit_and_a_commit_may_leave_another(queue, tmp_path):
    queue.intend("a", b"objects 1 to 3")
    assert (queue.intent("a"), queue.covered("a"), queue.intent("b")) == (b"objects 1 to 3", 0, None)
    queue = reopened(queue, tmp_path)
    assert queue.intent("a") == b"objects 1 to 3"
    queue.commit("a", 7, intent=b"object 4")
    assert (queue.intent("a"), queue.covered("a")) == (b"object 4", 7)
    queue.commit("a", 5)
    assert (queue.intent("a"), queue.covered("a")) == (None, 7)  # never goes back
    queue.close()


def test_numbers_never_repeat_not_even_when_everything_was_delivered_and_the_queue_opened_anew(
    queue, tmp_path
):
    last = put(queue, "a", b"1", b"2") + 1
    queue.commit("a", last)
    queue = reopened(queue, tmp_path)
    assert put(queue, "a", b"3") > last
    asyncio.run(queue.drop("a"))
    asyncio.run(queue.define(a_stream("a")))
    assert put(queue, "a", b"4") > last + 1
    queue.close()


def test_a_stream_dropped_takes_its_records_along_and_none_more(queue):
    put(queue, "a", b"1")
    put(queue, "b", b"2")
    queue.intend("a", b"x")
    asyncio.run(queue.drop("a"))
    assert (queue.waiting("a"), len(queue.read("a", 0, 9)), queue.intent("a")) == (0, 0, None)
    with pytest.raises(UnknownStream):
        put(queue, "a", b"late")
    queue.commit("a", 10**6)  # a delivery that was under way brings nothing of it back
    assert queue.covered("a") == 0
    assert queue.read("b", 0, 9).data.to_pylist() == [b"2"]


def test_definitions_are_there_again_after_a_restart(queue, tmp_path):
    stream = a_stream("c")
    asyncio.run(queue.define(stream))
    queue = reopened(queue, tmp_path)
    assert queue.streams["c"] == stream
    assert sorted(queue.streams) == ["a", "b", "c"]
    queue.close()


def test_a_full_queue_refuses_keeps_what_it_has_and_takes_again_when_there_is_room(tmp_path, queue, caplog):
    queue = reopened(queue, tmp_path, max_waiting_bytes=10_000)
    first = put(queue, "a", bytes(6_000))
    for _ in range(2):
        with pytest.raises(SinkBusy, match="full"):
            put(queue, "b", bytes(6_000))
    assert [r.levelname for r in caplog.records if r.message == "queue is full, puts are refused"] == [
        "ERROR"
    ]
    queue = reopened(queue, tmp_path, max_waiting_bytes=10_000)  # what waits is counted after a restart too
    with pytest.raises(SinkBusy, match="full"):
        put(queue, "b", bytes(6_000))
    queue.commit("a", first)
    put(queue, "b", bytes(6_000))
    queue.close()


def test_empty_records_fill_the_queue_as_well(tmp_path, queue):
    queue = reopened(queue, tmp_path, max_waiting_bytes=1_000)
    with pytest.raises(SinkBusy):
        put(queue, "a", *[b""] * 100)
    queue.close()


def test_a_full_disk_refuses_what_it_cannot_hold_and_loses_nothing(queue, caplog):
    writing = queue._writer._db
    pages = writing.execute("PRAGMA page_count").fetchone()[0]
    put(queue, "a", b"kept")
    writing.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(SinkBusy, match="full"):
        put(queue, "a", _noise(500_000))
    assert "queue cannot be written, puts are refused" in caplog.messages
    assert queue.read("a", 0, 2**20).data.to_pylist() == [b"kept"]
    waiting = queue.waiting("a")
    writing.execute("PRAGMA max_page_count = 1000000")
    put(queue, "a", b"again")
    assert "queue is written again" in caplog.messages
    assert queue.read("a", 0, 2**20).data.to_pylist() == [b"kept", b"again"]
    assert queue._waiting == queue.waiting("a") > waiting


def _noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def test_a_second_process_is_told_that_the_queue_is_in_use(queue, tmp_path):
    with pytest.raises(StateError, match="another streamgauge is using it"):
        Queue(tmp_path / "queue.db")
    queue = reopened(queue, tmp_path)
    queue.close()


def test_what_is_no_queue_is_refused(tmp_path):
    (tmp_path / "text.db").write_text("this is no database at all, however long it may be " * 50)
    with pytest.raises(StateError, match=r"text\.db"):
        Queue(tmp_path / "text.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StateError, match="another version"):
        Queue(tmp_path / "other.db")
    (tmp_path / "file").touch()
    with pytest.raises(StateError):
        Queue(tmp_path / "file" / "queue.db")


def test_the_queue_is_for_its_owner_alone(queue, tmp_path):
    put(queue, "a", b"1")
    files = [path for path in tmp_path.glob("queue.db*") if path.suffix != ".lock"]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_damaged_message_is_told_and_not_passed_over(queue):
    put(queue, "a", b"1")
    with queue._writer._db as db:
        db.execute("UPDATE message SET body = substr(body, 1, 40)")
    with pytest.raises(BadFrame):
        queue.read("a", 0, 2**20)


def test_a_closed_queue_refuses_at_once(queue, tmp_path):
    reopened(queue, tmp_path).close()
    with pytest.raises(SinkBusy, match="closed"):
        put(queue, "a", b"1")


def test_delivery_reads_and_commits_while_puts_go_on(queue):
    got: list[bytes] = []
    done = threading.Event()

    def deliver() -> None:
        while not done.is_set() or queue.waiting("a"):
            read = queue.read("a", queue.covered("a"), 5_000)
            if len(read):
                got.extend(read.data.to_pylist())
                queue.commit("a", int(read.sequence[-1]))

    thread = threading.Thread(target=deliver)
    thread.start()
    sent = [[f"{n}.{i}".encode() for i in range(20)] for n in range(300)]

    async def putting() -> None:
        for at in range(0, len(sent), 20):
            await _all(queue, [("a", data, 0) for data in sent[at : at + 20]])

    asyncio.run(putting())
    done.set()
    thread.join()
    assert sorted(got) == sorted(item for data in sent for item in data)
