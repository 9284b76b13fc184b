"""Objects: whole or not there, safe to write again, and never outside their prefix."""

from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError, SinkBusy
from sinks.objects import Objects, segment

HOSTILE = [
    "..",
    ".",
    "../../etc",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "",
    " ",
    "_x",
    ".x",
    "~",
    "a\0b",
    "é" * 300,
    "x" * 300,
]


def test_an_object_holds_what_was_put_and_replaces_what_was_there(tmp_path):
    objects = Objects.at(tmp_path)
    objects.put("a/b/c.json", b"old and longer")
    objects.put("a/b/c.json", pa.py_buffer(b"new"))
    assert (tmp_path / "a/b/c.json").read_bytes() == b"new"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["c.json"]


def test_an_object_is_given_back_and_can_be_deleted(tmp_path):
    objects = Objects.at(tmp_path)
    objects.put("a/b.gz", b"as it was put")
    assert objects.get("a/b.gz") == b"as it was put"
    for _ in range(2):
        objects.delete("a/b.gz")
    with pytest.raises(SinkBusy, match="gz"):
        objects.get("a/b.gz")
    (tmp_path / "directory").mkdir()
    with pytest.raises(SinkBusy, match="directory"):
        objects.delete("directory")


def test_what_a_crash_left_behind_is_harmless(tmp_path):
    (tmp_path / ".c.json.partial").write_bytes(b"half an obj")
    Objects.at(tmp_path).put("c.json", b"whole")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("c.json", b"whole")]


def test_a_full_disk_is_busy_and_the_old_object_stands(tmp_path):
    objects = Objects.at(tmp_path)
    objects.put("c.json", b"old")
    beside = tmp_path / ".c.json.partial"
    beside.symlink_to("/dev/full")
    with pytest.raises(SinkBusy, match=r"c\.json: .*No space left"):
        objects.put("c.json", b"new")
    assert (tmp_path / "c.json").read_bytes() == b"old"
    beside.unlink()
    objects.put("c.json", b"new")
    assert (tmp_path / "c.json").read_bytes() == b"new"


def test_a_uri_is_a_place_too_and_an_unknown_one_is_refused(tmp_path):
    Objects.at(tmp_path.as_uri()).put("c.json", b"{}")
    assert (tmp_path / "c.json").read_bytes() == b"{}"
    with pytest.raises(ConfigError, match="nosuch://bucket"):
        Objects.at("nosuch://bucket/prefix")


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_no_name_leaves_the_prefix(tmp_path, name):
    root = tmp_path / "root"
    Objects.at(root).put(f"{segment(name)}/{segment(name)}/report.json", b"{}")
    (written,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert written.resolve().relative_to(root).parts == (segment(name), segment(name), "report.json")


@given(st.text(max_size=400))
def test_a_segment_is_one_visible_part_of_a_path_that_every_disk_takes(name):
    made = segment(name)
    assert "/" not in made and "\0" not in made
    assert not made.startswith((".", "_")) or not name
    assert 0 < len(made.encode()) <= 180
    if name and "~" not in made:
        assert unquote(made) == name


@given(st.text(max_size=8), st.text(max_size=8), st.integers(0, 400))
def test_different_names_give_different_segments(a, b, common):
    a, b = "x" * common + a, "x" * common + b
    assert (segment(a) == segment(b)) == (a == b)


def test_a_long_segment_is_cut_between_characters():
    assert unquote(segment("é" * 300), errors="strict").startswith("éééé")
    assert Path(segment("x" * 300)).name == segment("x" * 300)
