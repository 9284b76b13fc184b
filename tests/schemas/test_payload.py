"""Payload text to rows: encodings, CSV dialects and JSON shapes."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from making import base64_of
from schemas.capture import Payload
from schemas.errors import BadRecord
from schemas.payload import csv_rows, csv_text, json_rows, text_of

NONE_KNOWN: frozenset[str] = frozenset()
CASES = [
    "comma_in_quotes",
    "empty",
    "empty_crlf",
    "escaped_quotes",
    "json",
    "newlines",
    "newlines_crlf",
    "quotes_and_newlines",
    "simple",
    "simple_crlf",
    "utf8",
]


def refused(text: str, known: frozenset[str] = NONE_KNOWN) -> str:
    with pytest.raises(BadRecord) as caught:
        json_rows(text, known)
    assert caught.value.code == "payload"
    return str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_csv_spectrum_reads_as_its_authors_say(shared, case):
    folder = shared / "data" / "edge" / "csv-spectrum"
    head, *rows = csv_rows((folder / "csvs" / f"{case}.csv").read_bytes().decode())
    expected = json.loads((folder / "json" / f"{case}.json").read_text())
    assert [dict(zip(head, row, strict=True)) for row in rows] == expected


@given(st.lists(st.lists(st.text(), min_size=2, max_size=4), min_size=1, max_size=4))
def test_csv_written_by_us_reads_back_the_same_here_and_in_pythons_reader(rows):
    assert csv_rows(csv_text(rows)) == rows
    assert [*csv.reader(io.StringIO(csv_text(rows), newline=""))] == rows


@pytest.mark.parametrize("text", ['"a', '"a"b,c', 'a,"b\nc'])
def test_csv_with_a_broken_quotation_is_refused(text):
    with pytest.raises(BadRecord, match="CSV payload") as caught:
        csv_rows(text)
    assert caught.value.code == "payload"


@pytest.mark.parametrize(
    ("kind", "text", "form"),
    [
        ("text/csv", "[1]", "CSV"),
        ("text/csv; charset=utf-8", "1,2", "CSV"),
        ("application/json", "3", "JSON"),
        ("application/jsonlines", "1\n2", "JSON"),
        ("text/html; charset=utf-8", ' {"a": 1}', "JSON"),
        ("text/html", "1,2", "CSV"),
        (None, "[1]", "JSON"),
        (None, "1", "CSV"),
    ],
)
def test_the_form_of_base64_is_told_from_its_type_and_then_from_its_look(kind, text, form):
    assert text_of(Payload(base64_of(text), "BASE64", kind)) == (text, form)


@pytest.mark.parametrize("data", ["*", "YQ", "/w==", "caf\u00e9", "eyJ\n"])
def test_base64_that_holds_no_text_is_refused(data):
    with pytest.raises(BadRecord, match="BASE64 payload holds no text") as caught:
        text_of(Payload(data, "BASE64", "text/csv"))
    assert caught.value.code == "payload"


@pytest.mark.parametrize("encoding", ["CSV", "JSON", "BASE64"])
def test_a_byte_order_mark_is_not_part_of_the_first_value(encoding):
    data = base64_of("\ufeff[1]") if encoding == "BASE64" else "\ufeff[1]"
    assert text_of(Payload(data, encoding))[0] == "[1]"


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        ("[1, 2]", [[1, 2]]),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("0.5", [[0.5]]),
        ('"a"', [["a"]]),
        ("null", [[None]]),
        ('{"predictions": [0.5, 0.7]}', [[0.5], [0.7]]),
        ('{"instances": []}', []),
        ('{"features": [1, [2, 3], {"a": 4}]}', [[1, "[2,3]", '{"a":4}']]),
        ('{"features": [1]}\n{"features": [2]}\n', [[1], [2]]),
        ("1\n2", [[1], [2]]),
        ("[]", [[]]),
        ("{}", [[]]),
    ],
)
def test_json_shapes_become_rows(text, placed):
    assert [row.placed for row in json_rows(text, NONE_KNOWN)] == placed


def test_nested_objects_are_named_by_their_path():
    row = json_rows('{"a": {"b": {"c": 1}}, "d": null}', frozenset({"d"}))[0]
    assert row.named == {"a.b.c": 1, "d": None}


def test_keys_that_nobody_knows_keep_the_first_rows_order():
    """An object has no order: a server may write the same keys in another one in the next row."""
    rows = json_rows('[{"label": 1, "score": 0.5}, {"score": 0.7, "label": 0}]', NONE_KNOWN)
    assert [row.placed for row in rows] == [[1, 0.5], [0, 0.7]]
    assert {row.labels for row in rows} == {("label", "score")}


def test_rows_with_different_unknown_keys_are_refused():
    assert "different keys" in refused('[{"a": 1}, {"b": 1}]')


def test_one_known_key_in_a_payload_names_all_its_rows():
    rows = json_rows('[{"age": 1, "x": 2}, {"x": 3}]', frozenset({"age"}))
    assert [row.named for row in rows] == [{"age": 1, "x": 2}, {"x": 3}]


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", "{'a': 1}", "NaN", "[1e999]", "1\n{", "[" + "9" * 5000 + "]"]
)
def test_what_is_not_json_is_refused(text):
    assert refused(text).startswith("JSON")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 995 + "1" + "}" * 995, "1\n" + "[" * 100_000])
def test_endless_nesting_is_refused_and_not_a_crash(text):
    assert "nested too deeply" in refused(text)
