"""Types of decoded columns: what counts as a number, and what a stray value does to its neighbours."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from making import capture, decoded, payload, rows, rows_of
from schemas.columns import ARROW, fits
from schemas.layout import Layout

NUMBERS = Layout({"i": "Integral", "f": "Fractional"})
STRAY = [
    "x",
    "NaN",
    "nan",
    "inf",
    "-Infinity",
    "1e400",
    "-1e400",
    "9" * 400,
    "0x1F",
    ".5",
    "5.",
    "5.e3",
    "-.5",
    "1e",
    "1_0",
    " 5",
    "5 ",
    "\t5",
    "5\t",
    "  ",
    "1 2",
    "5f",
    "\uff15",
    "--5",
    "true",
    "1\x00",
]


def types(found) -> list[list[str]]:
    return [[str(field.type) for field in table.columns.schema] for table in found.tables]


@pytest.mark.parametrize("text", STRAY)
@pytest.mark.parametrize("quote", ["", '"'])
def test_what_is_no_number_by_deequs_rules_stays_text_and_as_it_was(text, quote):
    for column, record in (("i", f"{quote}{text}{quote},1"), ("f", f"1,{quote}{text}{quote}")):
        assert rows(capture(record), NUMBERS)[0][column] == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("007", 7),
        ("-0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0" * 30 + "5", 5),
        ("-" + "0" * 5000 + "9223372036854775808", -(2**63)),
    ],
)
def test_integers_of_64_bits_are_integers(text, value):
    assert rows(capture(f"{text},1"), NUMBERS)[0]["i"] == value


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "-9223372036854775809", "1" * 40, "+5", "- 5", "5.0", "1e3"]
)
def test_other_numbers_in_an_integral_column_keep_their_text(text):
    assert rows(capture(f"{text},1"), NUMBERS)[0]["i"] == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5.0), ("-2.50", -2.5), ("+5", 5.0), ("1e5", 1e5), ("1.5E-7", 1.5e-7), ("1e-400", 0.0)],
)
def test_numbers_in_a_fractional_column_are_doubles(text, value):
    assert rows(capture(f"1,{text}"), NUMBERS)[0]["f"] == value


@pytest.mark.parametrize(
    ("text", "i", "f"),
    [
        ("[1, 2]", 1, 2.0),
        ("[null, 2.5]", None, 2.5),
        ("[1.0, 1]", "1.0", 1.0),
        ("[true, false]", "true", "false"),
        ('["1", "2"]', "1", "2"),
        (f"[{2**63}, {2**63}]", str(2**63), float(2**63)),
        (f"[{-(2**63)}, 1]", -(2**63), 1.0),
        (f"[{'9' * 400}, {'9' * 400}]", "9" * 400, "9" * 400),
    ],
)
def test_json_values_have_the_type_that_they_were_written_with(text, i, f):
    row = rows(capture(text, encoding="JSON"), NUMBERS)[0]
    assert (row.get("i"), row.get("f")) == (i, f)


def test_a_json_number_in_a_string_column_is_text():
    layout = Layout({"a": "String", "b": "String"})
    assert rows(capture("[1, 2.50]", encoding="JSON"), layout) == [{"a": "1", "b": "2.5"}]


@pytest.mark.parametrize("encoding", ["CSV", "JSON"])
def test_a_stray_value_does_not_change_the_types_of_its_neighbours(encoding):
    texts = ["1,1.5", "2,oops", "3,2.5"] if encoding == "CSV" else ["[1,1.5]", '[2,"oops"]', "[3,2.5]"]
    found = decoded([capture(text, encoding=encoding) for text in texts], NUMBERS)
    assert types(found) == [["int64", "double"], ["int64", "string"]]
    assert [table.record.tolist() for table in found.tables] == [[0, 2], [1]]


def test_all_rows_of_a_record_have_the_same_types():
    found = decoded([capture("1,1.5\n2,oops"), capture("3,2.5")], NUMBERS)
    assert [table.record.tolist() for table in found.tables] == [[1], [0, 0]]
    assert rows_of(found, 0) == [{"i": 1, "f": "1.5"}, {"i": 2, "f": "oops"}]


def test_an_output_in_the_wrong_type_keeps_its_text():
    layout = Layout({"label": "Integral", "age": "Integral"})
    assert rows([capture("1", "0.03"), capture("2", "1")], layout) == [
        {"label": "0.03", "age": 1},
        {"label": 1, "age": 2},
    ]


def test_a_byte_order_mark_at_the_start_of_a_payload_is_no_value():
    assert rows([capture("\ufeff1,2"), capture("\ufeff3,4")], NUMBERS) == [
        {"i": 1, "f": 2.0},
        {"i": 3, "f": 4.0},
    ]


def test_columns_come_in_the_order_of_the_layout():
    record = capture(payload('{"f": 1.5, "z": 1, "i": 2}', "JSON"))
    assert decoded([record], NUMBERS).tables[0].columns.column_names == ["i", "f", "z"]


@given(st.lists(st.text("+-0123456789.eE x\t") | st.none(), min_size=1), st.sampled_from([*ARROW.values()]))
def test_what_is_said_to_fit_can_be_cast_to_a_finite_number(values, wanted):
    text = pa.array(values, pa.string())
    fitting = fits(text, wanted)
    numbers = text.filter(pa.array(fitting)).cast(wanted)
    assert len(numbers) == int(fitting.sum())
    assert all(n is None or abs(n) < float("inf") for n in numbers.to_pylist())
    assert all(fit for fit, value in zip(fitting, values, strict=True) if value is None)
