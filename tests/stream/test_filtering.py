"""Records left out on purpose: which they are, and that they are counted and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made import HOUR, T0, frames, run_stages
from made import capture as timed
from making import INPUTS, PEOPLE, capture, decoded, payload, rows_of
from schemas.decode import Decoded
from schemas.errors import ConfigError
from schemas.layout import Layout
from schemas.report import Counts
from stream.choices import FilterSettings
from stream.filtering import apply
from stream.settings import load


def dropped(condition: dict, *records: bytes, layout: Layout = INPUTS) -> list[int]:
    return filtered({"drop": [condition]}, *records, layout=layout).filtered


def filtered(chosen: dict, *records: bytes, layout: Layout = INPUTS) -> Decoded:
    return apply(FilterSettings.model_validate(chosen), decoded(records, layout), layout)


def with_about(**about: object) -> bytes:
    record = json.loads(capture())
    record["eventMetadata"] |= about
    return json.dumps(record).encode()


HEADERS = ["test=true,team=fraud", '{"test": true, "team": "fraud"}', "canary", "test=false"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"attribute": {"test": "true"}}, [0, 1]),
        ({"attribute": {"test": True}}, [0, 1]),
        ({"attribute": {"test": {"in": ["true", "false"]}}}, [0, 1, 3]),
        ({"attribute": {"test": "true", "team": {"prefix": "fr"}}}, [0, 1]),
        ({"attribute": {"test": "true", "team": "churn"}}, []),
        ({"attributes": "canary"}, [2]),
        ({"attributes": {"contains": "test"}}, [0, 1, 3]),
        ({"attributes": {"matches": "^test="}}, [0, 3]),
    ],
)
def test_custom_attributes_are_matched_by_name_or_as_a_whole(condition, expected):
    records = [with_about(customAttributes=[header]) for header in HEADERS]
    assert dropped(condition, *records, capture()) == expected


def test_ids_are_matched_and_an_id_that_is_not_there_matches_nothing():
    records = [with_about(eventId="a-1", inferenceId="canary-7"), with_about(eventId="b-1"), capture()]
    assert dropped({"event_id": {"prefix": "a-"}}, *records) == [0]
    assert dropped({"inference_id": {"prefix": "canary-"}}, *records) == [0]
    assert dropped({"inference_id": {"matches": ""}}, *records) == [0]
    assert dropped({"event_id": ["a-1", "b-1"]}, *records) == [0, 1]
    assert dropped({"event_id": ["a-1", "b-1"], "inference_id": {"contains": "7"}}, *records) == [0]


def test_columns_are_matched_by_value_whatever_their_type_in_the_table():
    records = [capture("1,north", "0.50"), capture("2,south", "1.0"), capture("x,south", "1")]
    assert dropped({"column": {"score": 1}}, *records, layout=PEOPLE) == [1, 2]
    assert dropped({"column": {"score": "0.5"}}, *records, layout=PEOPLE) == [0]
    assert dropped({"column": {"age": "x"}}, *records, layout=PEOPLE) == [2]
    assert dropped({"column": {"age": ["1", 2]}}, *records, layout=PEOPLE) == [0, 1]
    assert dropped({"column": {"score": 1, "city": "south", "age": 2}}, *records, layout=PEOPLE) == [1]
    assert dropped({"column": {"nothing": "1"}}, *records, layout=PEOPLE) == []


def test_a_column_that_the_baseline_does_not_know_can_be_matched():
    records = [capture(payload(f'{{"age": 3, "is_test": {flag}}}', "JSON")) for flag in ("true", "false")]
    assert dropped({"column": {"is_test": True}}, *records) == [0]


def test_one_row_that_matches_takes_its_record_with_it():
    found = filtered({"drop": [{"column": {"city": "test"}}]}, capture("1,a\n2,test\n3,b"), capture("4,a"))
    assert found.filtered == [0]
    assert rows_of(found, 0) == []
    assert rows_of(found, 1) == [{"age": 4, "city": "a"}]


def test_entries_on_columns_must_hold_in_one_row():
    condition = {"column": {"age": "1", "city": "b"}}
    assert dropped(condition, capture("1,a\n2,b"), capture("1,b\n2,a")) == [1]


def test_a_bad_record_is_left_out_by_its_ids_when_it_could_be_read_so_far_and_never_by_sampling():
    records = [
        capture("1,2,3", event_id="test-1"),
        capture("{", encoding="JSON", event_id="test-2"),
        b"{",
        capture("1,2,3", event_id="real"),
        capture(time="never", event_id="test-3"),
    ]
    found = filtered({"drop": [{"event_id": {"prefix": "test-"}}]}, *records)
    assert found.filtered == [0, 1]
    assert {index: error.code for index, error in found.bad.items()} == {2: "json", 3: "columns", 4: "time"}
    assert len(filtered({"sample": 1e-9}, *records).bad) == 5


@given(
    ids=st.lists(st.text(max_size=8), min_size=1, max_size=40),
    share=st.floats(0.01, 1.0),
    cut=st.integers(0, 40),
)
def test_a_sample_does_not_depend_on_the_batch(ids, share, cut):
    def kept(names: list[str]) -> list[str]:
        found = filtered({"sample": share}, *(capture(event_id=name) for name in names))
        return [name for index, name in enumerate(names) if index not in found.filtered]

    ids = [name for name in ids if name.isprintable()]
    assert kept(ids[:cut]) + kept(ids[cut:]) == kept(ids)


@pytest.mark.parametrize("form", ["e{}", "00000000-0000-0000-0000-{:012}", "{}"])
def test_a_sample_has_its_share_also_of_ids_that_count_up(form):
    records = [capture(event_id=form.format(i)) for i in range(4_000)]
    for share in (0.1, 0.5):
        left_out = len(filtered({"sample": share}, *records).filtered)
        assert abs(1 - left_out / 4_000 - share) < 0.03


def test_filtered_records_are_counted_and_move_the_watermark():
    """
    window      00:00 ├────────┤ 01:00 ├────────┤ 02:00
    event          a             b(test)           c(test) 02:10
    """
    records = [timed(T0 + at, [(0.5, 40, "rome")], name) for at, name in ((0, "a"), (HOUR, "t1"))]
    records.append(timed(T0 + 2 * HOUR + HOUR // 2, [(0.5, 40, "rome")], "t2"))
    chosen = FilterSettings.model_validate({"drop": [{"event_id": {"prefix": "t"}}]})
    reports = run_stages(frames(records), chosen=chosen, lateness="0s")
    assert {start: (report.status, report.counts) for start, report in reports.items()} == {
        T0: ("Completed", Counts(1, 1)),
        T0 + HOUR: ("NoData", Counts(1, 0, filtered=1)),
        T0 + 2 * HOUR: ("NoData", Counts(1, 0, filtered=1)),
    }


def test_a_filtered_record_is_not_late():
    records = [
        timed(T0 + at, [(0.5, 40, "rome")], name) for at, name in ((0, "a"), (3 * HOUR, "b"), (1, "t"))
    ]
    chosen = FilterSettings.model_validate({"drop": [{"event_id": "t"}]})
    assert run_stages(frames(records), chosen=chosen)[T0].counts == Counts(2, 1, filtered=1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sample = 0", "filter.sample: must be greater than 0"),
        ("sample = 1.1", "filter.sample: must be less than or equal to 1"),
        (
            "drop = [{}]",
            "filter.drop.0: must have one of event_id, inference_id, attributes, attribute, column",
        ),
        ('drop = [{ test = "x" }]', "filter.drop.0.test: there is no such setting"),
        (
            "drop = [{ event_id = {} }]",
            "filter.drop.0.event_id: must have one of equals, in, prefix, contains, matches",
        ),
        ('drop = [{ event_id = { prefix = "a", contains = "b" } }]', "must have one of equals, in, prefix"),
        ('drop = [{ event_id = { matches = "(" } }]', "'(' is not a regular expression"),
        ('drop = [{ column = "x" }]', "filter.drop.0.column: must be a table"),
    ],
)
def test_a_filter_that_says_nothing_clear_is_refused(tmp_path, text, reason):
    path = tmp_path / "streamgauge.toml"
    path.write_text(f"[filter]\n{text}\n")
    with pytest.raises(ConfigError) as error:
        load(path)
    assert reason in str(error.value)
