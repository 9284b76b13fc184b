"""Buckets as directories: whole objects, any key, and nothing written outside of the bucket."""

import os

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.errors import SinkBusy
from sinks.bucket import BucketRefused
from sinks.local_bucket import LocalBuckets, key, names

HOSTILE = [
    "../outside",
    "../../../../tmp/outside",
    "a/../../../outside",
    "/etc/passwd",
    "//a//",
    "..",
    ".",
    "/",
    "a/./b",
    "a\0b/c",
    "a\nb\x1b[0m",
    "%2E%2E/x",
    "%/a%",
    "~/x",
    "-rf",
    "a\\..\\b",
    "x" * 1024,
    "é" * 512,
    "%" * 1024,
    f"{'x' * 300}/{'y' * 300}",
]


def files(root):
    return sorted(path for path in root.rglob("*") if path.is_file() or path.is_symlink())


def test_an_object_lies_under_its_bucket_and_key_and_is_replaced_whole(tmp_path):
    buckets = LocalBuckets(tmp_path / "root")
    buckets.put("lake", "raw/dt=2026-01-02/hr=03/s-1.gz", b"old and longer", content_encoding="gzip")
    buckets.put("lake", "raw/dt=2026-01-02/hr=03/s-1.gz", pa.py_buffer(b"new"), sse="arn:aws:kms:x")
    (path,) = files(tmp_path)
    assert path.relative_to(tmp_path).as_posix() == "root/lake/raw/dt=2026-01-02/hr=03/s-1.gz"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda name: ascii(name[:12]))
def test_no_key_leaves_its_bucket(tmp_path, hostile):
    LocalBuckets(tmp_path / "root").put("lake", hostile, b"{}")
    (path,) = files(tmp_path)
    parts = path.relative_to(tmp_path / "root" / "lake").parts
    assert ".." not in parts and key(list(parts)) == hostile


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), st.integers(1, 3))
@example("%", 1)
@example("a%/b", 1)
def test_a_path_tells_its_key_and_every_disk_takes_its_names(text, repeats):
    text *= repeats
    made = names(text)
    assert key(made) == text
    for name in made:
        assert 0 < len(name.encode()) <= 241
        assert name not in (".", "..") and "/" not in name and name.isprintable()


@given(*[st.lists(st.sampled_from(["", ".", "..", "%", "a", "a%", "x" * 240, "x"]), min_size=1)] * 2)
def test_different_keys_have_different_paths(a, b):
    a, b = "/".join(a) + "!", "/".join(b) + "!"
    assert (names(a) == names(b)) == (a == b)


@pytest.mark.parametrize("refused", ["", "a\ud800"])
def test_a_key_that_is_empty_or_no_text_is_refused(tmp_path, refused):
    with pytest.raises(BucketRefused, match="key"):
        LocalBuckets(tmp_path).put("lake", refused, b"")
    assert not files(tmp_path)


@pytest.mark.parametrize("bucket", ["", ".", "..", "a/b", "a\0", "/etc", "x" * 256, "lake\n"])
def test_a_bucket_is_one_directory_under_the_root(tmp_path, bucket):
    with pytest.raises(BucketRefused, match="bucket"):
        LocalBuckets(tmp_path).put(bucket, "key", b"")
    assert not files(tmp_path)


def test_a_link_inside_a_bucket_leads_no_write_out_of_it(tmp_path):
    outside, lake = tmp_path / "outside", tmp_path / "root" / "lake"
    outside.mkdir()
    lake.mkdir(parents=True)
    (outside / "kept").write_bytes(b"kept")
    (lake / "folder").symlink_to(outside)
    (lake / "file").symlink_to(outside / "kept")
    buckets = LocalBuckets(tmp_path / "root")
    with pytest.raises(BucketRefused, match=r"folder/x"):
        buckets.put("lake", "folder/x", b"new")
    buckets.put("lake", "file", b"new")
    assert files(outside) == [outside / "kept"] and (outside / "kept").read_bytes() == b"kept"
    assert (lake / "file").read_bytes() == b"new" and not (lake / "file").is_symlink()


def test_a_bucket_may_itself_be_a_link_to_another_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "lake").symlink_to(tmp_path / "disk")
    LocalBuckets(tmp_path / "root").put("lake", "a/b", b"1")
    assert (tmp_path / "disk" / "a" / "b").read_bytes() == b"1"


def test_what_a_crash_left_behind_is_hidden_and_replaced(tmp_path, monkeypatch):
    buckets = LocalBuckets(tmp_path)

    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "rename", crash)
        buckets.put("lake", "a/object", b"half")
    (left,) = files(tmp_path)
    assert left.name.startswith(".%") and key(names(f"a/{left.name}")) == f"a/{left.name}"
    assert names(f"a/{left.name}")[1] != left.name, "no key is kept under the name of a part of a file"
    buckets.put("lake", "a/object", b"whole")
    assert [path.name for path in files(tmp_path)] == ["object"]


def test_a_full_disk_is_busy_and_the_old_object_stands(tmp_path, monkeypatch):
    buckets = LocalBuckets(tmp_path)
    buckets.put("lake", "object", b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(SinkBusy, match="No space left"):
        patch.setattr(os, "fsync", full)
        buckets.put("lake", "object", b"new")
    assert [path.read_bytes() for path in files(tmp_path)] == [b"old"]


def test_a_key_below_another_object_is_refused_on_a_disk(tmp_path):
    buckets = LocalBuckets(tmp_path)
    buckets.put("lake", "a", b"object")
    with pytest.raises(BucketRefused, match="a/b"):
        buckets.put("lake", "a/b", b"below")
    buckets.put("lake", "c/d", b"object")
    with pytest.raises(BucketRefused, match="'c'"):
        buckets.put("lake", "c", b"above")
    assert [path.read_bytes() for path in files(tmp_path)] == [b"object", b"object"]
