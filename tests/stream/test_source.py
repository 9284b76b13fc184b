"""Capture files: found in event order, every record read once, with its line, whatever state a file is in."""

import gzip
import json
import os
import random
import re
from itertools import pairwise
from pathlib import Path

import pyarrow.fs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SourceError
from schemas.frame import MAX_FRAME_BYTES, Subject
from stream import gzipped, source
from stream.log import Position
from stream.source import CaptureFile, Chunk

CHURN = Subject("churn", "blue")
BEGIN = Position()
Numbered = list[tuple[int, bytes]]  # records with their lines


def put(path: Path, content: bytes) -> Path:
    """Write `content`, compressed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def only(path: Path) -> CaptureFile:
    (file,) = source.find([str(path)], CHURN)
    return file


def numbered(chunks: list[Chunk]) -> Numbered:
    frames = [frame for chunk in chunks for frame in chunk.frames]
    return [(int(n), data) for f in frames for n, data in zip(f.line, f.data.to_pylist(), strict=True)]


def read(path: Path, start: Position = BEGIN, *, whole: bool = True) -> tuple[Numbered, Position]:
    chunks = list(source.read(only(path), start, 0, whole=whole))
    return numbered(chunks), chunks[-1].position if chunks else start


def read_until_it_fails(path: Path) -> tuple[Numbered, str]:
    chunks: list[Chunk] = []
    with pytest.raises(SourceError) as failure:
        chunks.extend(source.read(only(path), BEGIN, 0))  # extend keeps what came before
    return numbered(chunks), str(failure.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.json", "a.json.gz"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"n":1}\n{"n":2}\n', [1, 2]),
        (b'{"n":1}\n{"n":2}', [1, 2]),
        (b'{"n":1}\r\n{"n":2}\r\n', [1, 2]),
        (b'\n\n{"n":1}\n  \t\n\r\n{"n":2}\n\n', [3, 6]),
        (b'\xef\xbb\xbf{"n":1}\n{"n":2}', [1, 2]),
    ],
    ids=["lines", "no newline at the end", "CRLF", "blank lines", "byte order mark"],
)
def test_each_line_is_a_record_with_its_number(tmp_path, name, content, expected):
    records, position = read(put(tmp_path / name, content))
    assert records == [(line, b'{"n":%d}' % n) for n, line in enumerate(expected, 1)]
    assert position.size == (tmp_path / name).stat().st_size  # read to its end


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.csv.out"])
def test_an_empty_file_holds_nothing_and_is_done(tmp_path, name):
    path = put(tmp_path / name, b"")
    assert read(path) == ([], Position(0, 0, path.stat().st_size))


def test_a_gzip_file_of_no_bytes_at_all_is_empty_too(tmp_path):
    (tmp_path / "a.jsonl.gz").touch()
    assert read(tmp_path / "a.jsonl.gz") == ([], Position(0, 0, 0))


@pytest.mark.parametrize("name", ["big.jsonl", "big.jsonl.gz"])
def test_lines_are_right_across_blocks_and_frames(tmp_path, name):
    lines = [
        b"" if n % 1000 == 7 else b'{"n": %d, "pad": "%s"}' % (n, b"x" * (n % 2000)) for n in range(1, 9_501)
    ]
    path = put(tmp_path / name, b"\n".join(lines))
    chunks = list(source.read(only(path), BEGIN, 5))
    assert numbered(chunks) == [(n, line) for n, line in enumerate(lines, 1) if line]
    assert sum(bool(chunk.frames) for chunk in chunks) > 1  # of 4 MiB each
    frames = [frame for chunk in chunks for frame in chunk.frames]
    assert all(frame.data.nbytes < MAX_FRAME_BYTES + 100_000 for frame in frames)
    assert {(frame.subject, frame.source, *frame.arrived) for frame in frames} == {
        (CHURN, str(path), *[5])
    } or all(set(frame.arrived.tolist()) == {5} for frame in frames)


def test_a_line_longer_than_a_block_is_one_record(tmp_path):
    long = b'{"pad": "%s"}' % (b"x" * (9 << 20))
    records, _ = read(put(tmp_path / "a.jsonl", b'{"n":1}\n' + long + b'\n{"n":3}\n'))
    assert records == [(1, b'{"n":1}'), (2, long), (3, b'{"n":3}')]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_going_on_after_any_line_reads_the_rest_once(tmp_path, name):
    lines = [b'{"n":%d}\n' % n if n % 5 else b"\n" for n in range(1, 31)]
    path = put(tmp_path / name, b"".join(lines))
    everything, end = read(path)
    for done in range(len(lines) + 1):
        start = Position(sum(map(len, lines[:done])), done)
        assert read(path, start) == ([(n, line) for n, line in everything if n > done], end)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 200), max_size=6), end=st.sampled_from([b"", b"\n"]))
def test_a_file_that_grows_is_read_once_however_it_grows(tmp_path_factory, cuts, end):
    content = b"\n".join(b'{"n":%d}' % n if n % 4 else b"" for n in range(1, 24)) + end
    path = tmp_path_factory.mktemp("grows") / "a.jsonl"
    found: Numbered = []
    position = BEGIN
    for size in [*sorted(cuts), len(content)]:
        path.write_bytes(content[:size])
        records, position = read(path, position, whole=False)
        found += records
    records, position = read(path, position)  # nobody writes it any more
    assert found + records == [(n, b'{"n":%d}' % n) for n in range(1, 24) if n % 4]
    assert position.size == len(content)


def test_a_line_without_an_end_is_left_while_the_file_may_grow(tmp_path):
    path = put(tmp_path / "a.jsonl", b'{"n":1}\n{"n":')
    assert read(path, whole=False) == ([(1, b'{"n":1}')], Position(8, 1, -1))
    assert read(path)[0] == [(1, b'{"n":1}'), (2, b'{"n":')]


def test_a_document_is_left_while_the_file_may_grow(tmp_path):
    path = put(tmp_path / "a.json", b'[{"n":1},')
    assert read(path, whole=False) == ([], BEGIN)
    assert only(path).whole_only and only(put(tmp_path / "b.jsonl.gz", b"")).whole_only


def test_of_a_document_that_has_grown_the_new_records_are_read(tmp_path):
    path = put(tmp_path / "a.json", b'{"n":1}\n')
    _, position = read(path)
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    assert read(path, position)[0] == [(2, b'{"n":2}')]


def test_a_local_file_is_settled_when_it_has_not_changed_for_a_minute(tmp_path):
    path = put(tmp_path / "a.jsonl", b"{}\n")
    assert not only(path).settled
    then = path.stat().st_mtime - 61
    os.utime(path, (then, then))
    assert only(path).settled


def test_a_file_replaced_by_a_shorter_one_is_an_error_not_a_loss(tmp_path):
    path = put(tmp_path / "a.jsonl", b'{"n":1}\n{"n":2}\n')
    _, position = read(path)
    path.write_bytes(b'{"n":9}\n')
    with pytest.raises(SourceError, match="shorter than what was read of it"):
        read(path, position)


def damaged() -> list[tuple[str, bytes]]:
    noise = random.Random(1)
    lines = b"".join(b'{"n":%d,"x":"%s"}\n' % (n, noise.randbytes(6).hex().encode()) for n in range(5_000))
    whole = gzip.compress(lines)
    middle = len(whole) // 2
    broken = bytearray(whole)
    broken[middle : middle + 64] = b"\0" * 64
    checksum = bytearray(whole)
    checksum[-8] ^= 1
    return [
        ("cut off in the middle", whole[:middle]),
        ("cut off at the checksum", whole[:-5]),
        ("bytes overwritten", bytes(broken)),
        ("wrong checksum", bytes(checksum)),
        ("garbage behind it", whole + b"<html>"),
    ]


@pytest.mark.parametrize(("kind", "raw"), damaged(), ids=[kind for kind, _ in damaged()])
def test_of_a_damaged_gzip_file_all_that_can_be_read_is_kept(tmp_path, kind, raw):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(raw)
    records, problem = read_until_it_fails(path)
    assert len(records) >= (2_000 if "middle" in kind or "overwritten" in kind else 5_000)
    for n, record in records[:2_000]:
        assert json.loads(record)["n"] == n - 1
    place = re.fullmatch(f"{path}: cannot be read beyond line ([0-9]+): .+", problem)
    assert place and int(place[1]) >= records[-1][0]


def test_going_on_in_a_damaged_file_gives_nothing_twice(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    whole = gzip.compress(b"".join(b'{"n":%d}\n' % n for n in range(1_000)))
    path.write_bytes(whole[:-20])
    chunks: list[Chunk] = []
    with pytest.raises(SourceError):
        chunks.extend(source.read(only(path), BEGIN, 0))
    path.write_bytes(whole)  # sent again, complete
    rest, _ = read(path, chunks[-1].position)
    assert numbered(chunks) + rest == [(n + 1, b'{"n":%d}' % n) for n in range(1_000)]


def test_a_gzip_file_of_several_members_with_padding_is_one_text(tmp_path):
    parts = [b'{"n":1}\n{"n"', b"", b':2}\n{"n":3}\n']
    (tmp_path / "a.jsonl.gz").write_bytes(b"\0\0".join(map(gzip.compress, parts)) + b"\0" * 9)
    assert [n for n, _ in read(tmp_path / "a.jsonl.gz")[0]] == [1, 2, 3]


@given(st.binary(max_size=300), st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(0, 320))
def test_a_gzip_reader_gives_the_same_whatever_the_size_of_what_it_is_fed(content, sizes, skip):
    class Drip:
        def __init__(self) -> None:
            self.left = gzip.compress(content[:50]) + gzip.compress(content[50:])
            self.turn = 0

        def read(self, size: int, /) -> bytes:
            self.turn += 1
            taken = sizes[self.turn % len(sizes)]
            part, self.left = self.left[:taken], self.left[taken:]
            return part

    assert b"".join(gzipped.blocks(Drip(), skip)) == content[skip:]


def test_a_file_with_the_wrong_name_says_what_is_wrong(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(b'{"n":1}\n')
    records, problem = read_until_it_fails(tmp_path / "a.jsonl.gz")
    assert not records
    assert "cannot be read beyond line 0" in problem and "header" in problem


def test_files_in_the_layout_belong_to_their_endpoint_and_loose_ones_to_the_default(tmp_path):
    put(tmp_path / "captures/churn-2/green/2024/03/01/07/15-02-911-a.jsonl", b"{}")
    put(tmp_path / "captures/loose.jsonl", b"{}")
    put(tmp_path / "captures/churn-2/green/2024/03/01/notes.jsonl", b"{}")  # no hour
    found = {Path(file.path).name: (file.subject, file.hour) for file in source.find([str(tmp_path)], CHURN)}
    assert found == {
        "15-02-911-a.jsonl": (Subject("churn-2", "green"), "2024/03/01/07"),
        "loose.jsonl": (CHURN, ""),
        "notes.jsonl": (CHURN, ""),
    }


def test_the_layout_is_seen_whatever_part_of_it_was_named(tmp_path, monkeypatch):
    path = put(tmp_path / "churn-2/green/2024/03/01/07/a.jsonl.gz", b"{}")
    monkeypatch.chdir(tmp_path / "churn-2")
    for place in (str(path), "green", "green/2024/03", "../churn-2/green/2024/03/01/07/", path.as_uri()):
        (file,) = source.find([place], CHURN)
        assert (file.subject, file.hour) == (Subject("churn-2", "green"), "2024/03/01/07")


def test_files_come_in_order_of_their_hour_over_all_endpoints(tmp_path):
    hours = {
        "b/v/2024/03/01/07": "z",
        "a/v/2024/03/01/08": "y",
        "a/v/2023/12/31/23": "x",
        "a/v/2024/03/01/07": "w",
    }
    for folder, name in hours.items():
        put(tmp_path / folder / f"{name}.jsonl", b"{}")
    put(tmp_path / "loose.jsonl", b"{}")
    names = [Path(file.path).stem for file in source.find([str(tmp_path)], CHURN)]
    assert names == ["loose", "x", "w", "z", "y"]


def test_a_file_named_twice_is_read_once(tmp_path, monkeypatch):
    path = put(tmp_path / "in/a.jsonl", b"{}")
    monkeypatch.chdir(tmp_path)
    assert len(source.find([str(tmp_path), str(path), "in", "./in/../in/a.jsonl"], CHURN)) == 1


def test_what_is_hidden_or_no_capture_is_passed_over(tmp_path):
    for name in (
        ".hidden.jsonl",
        "_SUCCESS",
        "_temporary/0/part.jsonl",
        ".ipynb_checkpoints/a-checkpoint.jsonl",
        "._a.jsonl.gz",
        "notes.txt",
        "data.csv",
        "a.jsonl.gz.tmp",
    ):
        put(tmp_path / name, b"{}")
    put(tmp_path / "seen.jsonl", b"{}")
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "nowhere")
    assert [Path(file.path).name for file in source.find([str(tmp_path)], CHURN)] == ["seen.jsonl"]


def test_a_hidden_place_that_was_named_is_read(tmp_path):
    put(tmp_path / ".cache/_x/a.jsonl", b"{}")
    assert len(source.find([str(tmp_path / ".cache/_x")], CHURN)) == 1
    assert len(source.find([str(tmp_path / ".cache/_x/a.jsonl")], CHURN)) == 1


def test_a_file_that_was_named_needs_no_known_ending(tmp_path):
    assert read(put(tmp_path / "part-00000", b'{"n":1}\n'))[0] == [(1, b'{"n":1}')]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "no such file or directory"),
        ("empty", r"no capture files \(\*\.jsonl, \*\.ndjson, \*\.json, \*\.out, each also \.gz\)"),
        ("nosuch://bucket/x", "nosuch"),
    ],
)
def test_a_place_without_captures_is_named(tmp_path, monkeypatch, place, message):
    (tmp_path / "empty").mkdir()
    put(tmp_path / "full/a.jsonl", b"{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=f"^{place}: .*{message}"):
        source.find(["full", place], CHURN)


def test_a_file_that_is_gone_when_its_turn_comes_is_named(tmp_path):
    file = only(put(tmp_path / "a.jsonl", b"{}"))
    Path(file.path).unlink()
    with pytest.raises(SourceError, match=r"a\.jsonl: cannot be read beyond line 0"):
        list(source.read(file, BEGIN, 0))


def test_positions_only_go_forward(tmp_path):
    path = put(
        tmp_path / "a.jsonl", b"".join(b'{"n":%d,"p":"%s"}\n' % (n, b"x" * 1000) for n in range(9_000))
    )
    positions = [chunk.position for chunk in source.read(only(path), BEGIN, 0)]
    assert all(a.offset <= b.offset and a.line <= b.line for a, b in pairwise(positions))
    assert [position.size for position in positions] == [-1] * (len(positions) - 1) + [path.stat().st_size]


def test_a_file_system_is_whatever_pyarrow_knows(tmp_path):
    put(tmp_path / "a.jsonl", b'{"n":1}\n')
    inside = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())
    file = CaptureFile("a.jsonl", CHURN, "", 8, True, inside)
    assert numbered(list(source.read(file, BEGIN, 0))) == [(1, b'{"n":1}')]
