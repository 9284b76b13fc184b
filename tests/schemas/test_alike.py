"""The fast way of reading captures gives what the general way gives, whatever is done to the records."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from making import INPUTS, PEOPLE, WHEN, WHEN_MS, batch, capture, comparable, decoded, rows_of
from schemas import alike, general, template
from schemas.decode import decode
from schemas.frame import Frame, Subject

cells = st.sampled_from(
    [
        "1",
        "34",
        "-7",
        "0.25",
        "1e3",
        "",
        " 5",
        "x",
        "NaN",
        "Infinity",
        "0x1",
        "é",
        "日本",
        "a b",
        "9" * 25,
        ".5",
        "+3",
    ]
)


def plain(index: int, given: str = "34,north", output: str = "0.5", time: str = WHEN) -> bytes:
    """A record as an endpoint writes it: no blanks, the same keys in the same order."""
    return capture(given, output, event_id=f"e{index}", time=time).replace(b'": ', b'":').replace(b", ", b",")


def json_plain(index: int, age: str = "34", city: str = '"north"', score: str = "0.5") -> bytes:
    """The same with JSON payloads; cells are JSON text."""
    given = f'{{"age": {age}, "city": {city}}}'
    return capture(given, f'{{"score": {score}}}', encoding="JSON", event_id=f"e{index}")


def csv_in_json_out(index: int, given: str, score: str) -> bytes:
    output = {"data": f'{{"predictions": [{{"score": {score}}}]}}', "encoding": "JSON"}
    return capture(given, output, event_id=f"e{index}")


def changed(draw, record: bytes, other: bytes) -> bytes:
    """A record damaged, or another where one of its form was expected; most stay as they are."""
    change = draw(st.sampled_from(["none"] * 10 + ["byte", "cut", "key", "other", "ctl", "escape"]))
    if change == "byte":
        at = draw(st.integers(0, len(record) - 1))
        return record[:at] + draw(st.binary(min_size=1, max_size=1)) + record[at + 1 :]
    if change == "cut":
        return record[: draw(st.integers(0, len(record)))]
    if change == "key":
        return record.replace(b'"eventVersion"', b'"more":1,"eventVersion"')
    if change == "ctl":
        return record.replace(b"north", b"no\trth")
    if change == "escape":
        return record.replace(b'"e', b'"\\u0065')
    return other if change == "other" else record


@st.composite
def batches(draw):
    """Records of one form, some of them damaged or different in some place."""
    records = []
    for i in range(draw(st.integers(1, 24))):
        other = draw(
            st.sampled_from(
                [
                    plain(i, "1,a\n2,b", "0.1\n0.2"),
                    *(plain(i, text) for text in ("1", "1,a,b", "1,a,b,c", "", "\ufeff1,a", '1,"a,b"')),
                    *(plain(i, "1", text) for text in ("0.5,7", "", "0.5\n")),
                    *(plain(i, time=t) for t in ("?", "2099-01-01T00:00:00Z", "1960-01-01T00:00:00Z", "")),
                ]
            )
        )
        record = plain(i, f"{draw(cells)},{draw(cells)}", draw(cells))
        records.append(changed(draw, record, other))
    return records


bare = st.sampled_from(
    [
        *'1 34 -7 0 -0 0.25 1e3 1E+2 null true 01 +1 .5 5. 1e400 NaN 1.0 "x" "5" [1] {} 1,2 0x1 00'.split(),
        *("-01", "1e05", '"x,y"', "", " 7", "9" * 25, "-0.0"),
    ]
)
quoted = st.sampled_from(
    [
        '"a"',
        '""',
        '"a,b"',
        '"null"',
        '"é"',
        '"a b"',
        '"1"',
        "null",
        "5",
        '"\\u00e9"',
        '"a\\"b"',
        '"\\\\"',
        '"x',
    ],
)


@st.composite
def json_batches(draw):
    """The same with JSON payloads, or with CSV in and JSON out."""
    records = []
    both_json = draw(st.booleans())
    for i in range(draw(st.integers(1, 24))):
        if both_json:
            record = json_plain(i, draw(bare), draw(quoted), draw(bare))
        else:
            record = csv_in_json_out(i, f"{draw(cells)},{draw(cells)}", draw(bare))
        other = draw(
            st.sampled_from(
                [
                    plain(i),
                    json_plain(i, "[1, 2]"),
                    json_plain(i, '1, "age": 2'),
                    json_plain(i).replace(b"age", b"agee"),
                    capture('{"city": "a", "age": 3}', '{"score": 1}', encoding="JSON"),
                    capture('{"age": 3}\n{"age": 4}', '{"score": 1}\n{"score": 2}', encoding="JSON"),
                    capture('{"age": 3, "city": "a"}\n', '{"score": 1}\n', encoding="JSON"),
                ]
            )
        )
        records.append(changed(draw, record, other))
    return records


def both(records, layout, monkeypatch=None):
    frame = Frame.of(Subject(), pa.array(records, pa.binary()), WHEN_MS)
    slow = general.read(frame, np.arange(len(records)), layout, 3_600_000)
    return decode(frame, layout), slow


@settings(max_examples=500, deadline=None)
@given(batches() | json_batches(), st.sampled_from([PEOPLE, INPUTS]))
@example([json_plain(0), json_plain(1, "2", '"a"', "0.7"), json_plain(2, "null", '"b"')], PEOPLE)
@example([csv_in_json_out(0, "1,a", "0.5"), csv_in_json_out(1, "2,b", "1")], PEOPLE)
@example([plain(0, "1,a", "0.5\n"), plain(1, "2,b", "0.25\n")], PEOPLE)
@example([plain(0, "1", "0.5,7"), plain(1)], PEOPLE)
@example([plain(0), plain(1), plain(2).replace(b"CSV", b"JSN")], PEOPLE)
@example([plain(0), plain(1)[:-1] + b" "], PEOPLE)
def test_both_ways_of_reading_agree_on_every_record(records, layout):
    least, alike._LEAST = alike._LEAST, 1
    try:
        fast, slow = both(records, layout)
    finally:
        alike._LEAST = least
    assert fast.bad.keys() == slow.bad.keys()
    for index, error in slow.bad.items():
        assert (error.code, str(error), error.width) == (
            fast.bad[index].code,
            str(fast.bad[index]),
            fast.bad[index].width,
        )
    assert fast.event_id.to_pylist() == slow.event_id.to_pylist()
    good = [index for index in range(len(records)) if index not in slow.bad]
    assert fast.event_time[good].tolist() == slow.event_time[good].tolist()
    for index in good:
        quick, plain_way = rows_of(fast, index), rows_of(_whole(slow), index)
        assert [comparable(r, layout) for r in quick] == [comparable(r, layout) for r in plain_way]


def _whole(part):
    """A part in the shape that `rows_of` reads."""
    return type("Whole", (), {"tables": part.tables})()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(plain, id="CSV"),
        pytest.param(lambda i: plain(i, output="0.5\n"), id="CSV that ends in a newline"),
        pytest.param(json_plain, id="JSON"),
        pytest.param(
            lambda i: json_plain(i, score="null" if i == 0 else "1"), id="JSON with a missing value"
        ),
        pytest.param(lambda i: csv_in_json_out(i, "1,a", str(i)), id="CSV in, JSON out"),
        pytest.param(lambda i: capture('[1, "a"]', "[0.5]", encoding="JSON", event_id=f"e{i}"), id="lists"),
        pytest.param(lambda i: plain(i) if i else b"{", id="the first cut off"),
        pytest.param(lambda i: plain(i, output="0." + "3" * (i + 1)), id="of any length"),
    ],
)
def test_what_endpoints_write_every_day_is_read_the_fast_way(make):
    frame = Frame.of(Subject(), pa.array([make(i) for i in range(20)], pa.binary()), WHEN_MS)
    part = alike.read(frame, np.arange(len(frame)), PEOPLE, 3_600_000)
    assert part is not None
    assert len(part.record) >= 19
    assert len(part.tables) == 1


def test_records_of_several_forms_are_read_the_fast_way_form_by_form(monkeypatch):
    forms = [plain, json_plain, lambda i: plain(i, "1,2,3", "4"), lambda i: b"{"]
    records = [forms[i % 4](i) for i in range(120)]
    slow: list[int] = []
    general_read = general.read

    def read(frame, indices, *more):
        slow.extend(indices.tolist())
        return general_read(frame, indices, *more)

    monkeypatch.setattr(general, "read", read)
    found = decoded(records, PEOPLE)
    assert slow == [i for i in range(120) if i % 4 == 3] == list(found.bad)
    assert found.event_id.to_pylist() == [None if i % 4 == 3 else f"e{i}" for i in range(120)]
    assert sorted(int(i) for table in found.tables for i in table.record) == [
        i for i in range(120) if i % 4 < 3
    ]


def test_records_of_one_form_are_read_the_fast_way_and_others_beside_them_in_general():
    records = [plain(i) for i in range(20)]
    records[3] = plain(3, "1,a\n2,b", "0.1\n0.2")
    records[7] = capture('{"age": 3, "city": "a"}', "0.5", event_id="e7")
    frame = Frame.of(Subject(), pa.array(records, pa.binary()), WHEN_MS)
    part = alike.read(frame, np.arange(len(frame)), PEOPLE, 3_600_000)
    assert part is not None
    assert part.record.tolist() == [i for i in range(20) if i not in (3, 7)]
    found = decoded(records, PEOPLE)
    assert not found.bad or list(found.bad) == [7]
    assert found.event_id.to_pylist() == [f"e{i}" for i in range(20)]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(batch('{"a": 1}'), id="a batch transform"),
        pytest.param(capture('{"age": "\\n"}', '{"score": 1}', encoding="JSON"), id="an escape in an escape"),
        pytest.param(capture("1,a"), id="no output"),
        pytest.param(capture("1,a\n2,b", "1\n2"), id="an escape"),
        pytest.param(b"{", id="no record"),
        pytest.param(
            json.dumps(
                {
                    "captureData": {
                        "endpointInput": {"data": "1,a", "data ": "x", "encoding": "CSV"},
                        "endpointOutput": {"data": "1", "data": "2", "encoding": "CSV"},  # noqa: F601
                    },
                    "eventMetadata": {"eventId": "a"},
                    "eventVersion": "0",
                }
            )
            .encode()
            .replace(b'"data": "2"', b'"data": "1", "data": "2"'),
            id="a key twice",
        ),
    ],
)
def test_a_record_without_the_plain_form_has_no_template_or_one_that_reads_it_right(record):
    learned = template.learn(record)
    if learned is None:
        return
    matched = template.match(learned, pa.array([record], pa.binary()))
    assert matched is not None
    parsed = json.loads(record)
    assert matched.values("output").to_pylist() == [parsed["captureData"]["endpointOutput"]["data"]]


def test_a_template_of_a_slice_of_an_array_reads_only_the_slice():
    records = pa.array([b"junk", *[plain(i) for i in range(4)], b"more junk"], pa.binary()).slice(1, 4)
    learned = template.learn(records[0].as_py())
    assert learned is not None
    matched = template.match(learned, records)
    assert matched is not None
    assert matched.values("event_id").to_pylist() == ["e0", "e1", "e2", "e3"]
    assert matched.lines(["input"]) == b"34,north\n" * 4
    assert matched.lines(["output", "input"]) == b"0.5,34,north\n" * 4


@pytest.mark.parametrize("length", [100, 5_000])
def test_long_payloads_on_both_sides_give_the_same_whichever_way_they_are_read(length):
    records = [plain(i, "1," + "a" * length, "0." + "3" * length) for i in range(20)]
    fast, slow = both(records, PEOPLE)
    assert fast.tables[0].columns.equals(slow.tables[0].columns)
