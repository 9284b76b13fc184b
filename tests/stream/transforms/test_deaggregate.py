"""Records put as one and taken apart: nothing lost, order kept, whatever stands between them."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.transforms.deaggregate import MOST, deaggregate, split_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text(max_size=4) | st.just("}{"), json_values, max_size=3).map(json.dumps)
between = st.sampled_from(["", "\n", "\r\n", "\n\n", " ", "\n \t"])


def apart(*records: bytes, delimiter: bytes | None = None) -> list[list[bytes]]:
    data, origin = deaggregate(pa.array(records, pa.binary()), delimiter)
    found: list[list[bytes]] = [[] for _ in records]
    for value, row in zip(data.to_pylist(), origin.tolist(), strict=True):
        found[row].append(value)
    assert sorted(origin.tolist()) == origin.tolist()
    return found


@given(st.lists(st.lists(st.tuples(objects, between), max_size=6), max_size=6))
def test_objects_come_apart_as_they_were_put_together(records):
    together = [b"".join((text + space).encode() for text, space in record) for record in records]
    assert apart(*together) == [[text.encode() for text, _ in record] for record in records]


@given(st.lists(st.binary(max_size=30), max_size=6))
def test_of_anything_no_more_than_white_space_is_lost(records):
    space = b" \t\r\n"
    for record, found in zip(records, apart(*records), strict=True):
        assert b"".join(found).translate(None, space) == record.translate(None, space)


@given(
    st.lists(st.lists(st.binary(max_size=5), max_size=6), max_size=6),
    st.sampled_from([b"|", b"\r\n", b"\xff\0"]),
)
def test_delimited_records_come_apart_at_the_delimiter(records, delimiter):
    records = [[part.replace(delimiter[:1], b"x") for part in record] for record in records]
    together = [delimiter.join(record) for record in records]
    assert apart(*together, delimiter=delimiter) == [[part for part in record if part] for record in records]


@pytest.mark.parametrize("separator", [b"", b"\n"])
def test_a_record_of_more_than_500_is_left_whole(separator):
    full, over = separator.join([b'{"a":1}'] * MOST), separator.join([b'{"a":1}'] * (MOST + 1))
    assert apart(b'{"b":2}', over, full, b'{"c":3}') == [
        [b'{"b":2}'],
        [over],
        [b'{"a":1}'] * MOST,
        [b'{"c":3}'],
    ]


def test_an_array_is_not_taken_apart():
    assert apart(b'[{"a": 1}, {"b": 2}]') == [[b'[{"a": 1}, {"b": 2}]']]


def test_an_object_over_several_lines_stays_one():
    assert apart(b'{"a":\n{"b": 1}\n}') == [[b'{"a":\n{"b": 1}\n}']]


def test_what_is_no_json_goes_on_for_the_next_step_to_judge():
    assert apart(b"GET / 200", b'{"a": 1}{"b": ', b"\xff\xfe") == [
        [b"GET / 200"],
        [b'{"a": 1}', b'{"b":'],
        [b"\xff\xfe"],
    ]


def test_deep_nesting_is_one_piece_not_a_crash():
    deep = b'{"a":' * 100_000
    assert split_json(deep) == [deep]


def test_a_slice_of_records_is_read_like_the_same_records():
    data = pa.array([b'{"x": 0}', b'{"a": 1}\n{"b": 2}', b'{"c": 3}{"d": 4}'])[1:]
    found, origin = deaggregate(data, None)
    assert (found.to_pylist(), origin.tolist()) == (
        [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}', b'{"d": 4}'],
        [0, 0, 1, 1],
    )
