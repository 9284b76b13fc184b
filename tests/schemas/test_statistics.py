"""statistics.json: real files of all years are read, and written again with the same keys."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from schemas.errors import BadBaseline
from schemas.statistics import parse

REAL = [
    ("data/pairs/sdk-data-quality/statistics.json", 100, 6),
    ("data/pairs/housing-data-quality/statistics.json.gz", 23_432, 14),
    ("data/captures/sdk-monitor/statistics.json", 418, 1),
    ("spec/examples/model-monitor/statistics.json", 12, 4),
]


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def keys(found: Any, path: str = "") -> set[str]:
    """The path of every key, list indices left out."""
    if isinstance(found, dict):
        return {p for key, value in found.items() for p in {f"{path}.{key}"} | keys(value, f"{path}.{key}")}
    return {p for value in found for p in keys(value, path)} if isinstance(found, list) else set()


@pytest.mark.parametrize(("path", "items", "features"), REAL)
def test_a_real_statistics_file_is_read_and_written_again_with_its_keys(shared, path, items, features):
    text = read(shared / path)
    statistics = parse(text)
    assert (statistics.dataset.item_count, len(statistics.features)) == (items, features)
    document = json.loads(text)
    assert keys(msgspec.to_builtins(statistics)) == keys(document)
    assert parse(msgspec.json.encode(statistics)) == statistics


def test_files_of_before_2024_have_no_completeness(shared):
    old = parse(read(shared / "data/pairs/sdk-data-quality/statistics.json")).features[0].numerical_statistics
    new = (
        parse(read(shared / "data/pairs/housing-data-quality/statistics.json.gz"))
        .features[3]
        .numerical_statistics
    )
    assert old is not UNSET and new is not UNSET
    assert (old.completeness, old.approximate_num_distinct_values) == (UNSET, UNSET)
    assert (new.completeness, new.approximate_num_distinct_values) == (1.0, 5097.0)


def test_the_sketch_of_a_small_data_set_holds_every_value(shared):
    numeric = (
        parse(read(shared / "data/pairs/sdk-data-quality/statistics.json")).features[0].numerical_statistics
    )
    assert numeric is not UNSET and numeric.distribution is not UNSET
    sketch = numeric.distribution.kll.sketch
    assert sketch is not UNSET and [len(level) for level in sketch.data] == [100]
    assert (sketch.parameters.k, sketch.parameters.c) == (2048.0, 0.64)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data/pairs/sdk-model-quality-regression/statistics.json", "missing required field"),
        ("data/pairs/sdk-data-quality/constraints.json", "missing required field"),
    ],
)
def test_another_file_is_refused_with_the_place(shared, path, message):
    with pytest.raises(BadBaseline, match=message):
        parse(read(shared / path))


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"dataset": {"item_count": "x"}, "features": []}', b'"\xff"']
)
def test_what_is_no_statistics_file_is_refused_by_its_name(text):
    with pytest.raises(BadBaseline, match=r"b/statistics\.json: not a data-quality statistics file"):
        parse(text, "b/statistics.json")
