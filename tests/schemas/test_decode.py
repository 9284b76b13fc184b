"""From a record to rows: encodings, numbers of rows and columns, names."""

import pytest

from making import INPUTS, PEOPLE, base64_of, batch, capture, decoded, payload, reason, rows, rows_of
from schemas.decode import refuse
from schemas.errors import BadRecord
from schemas.layout import Layout

NAMED_OUTPUT = Layout(PEOPLE.columns, outputs=("score",))
ROW = {"score": 0.5, "age": 34, "city": "north"}


def binary(text: str, kind: str | None = None) -> dict[str, str]:
    return payload(base64_of(text), "BASE64", kind)


@pytest.mark.parametrize(
    "given",
    [
        payload("34,north"),
        payload("34,north\n"),
        payload('"34","north"\r\n'),
        payload('[34, "north"]', "JSON"),
        payload('{"age": 34, "city": "north"}', "JSON"),
        payload('{"city": "north", "age": 34}', "JSON"),
        payload('{"instances": [{"features": [34, "north"]}]}', "JSON"),
        payload('{"instances": [[34, "north"]]}', "JSON"),
        binary("34,north", "text/csv"),
        binary('{"age": 34, "city": "north"}', "application/json"),
        binary('{"age": 34, "city": "north"}\n', "application/jsonlines"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "output",
    [
        payload("0.5\n"),
        payload("[0.5]", "JSON"),
        payload("0.5", "JSON"),
        payload('{"score": 0.5}', "JSON"),
        payload('{"predictions": [{"score": 0.5}]}', "JSON"),
        payload('{"predictions": [0.5]}', "JSON"),
        binary("0.5", "text/html; charset=utf-8"),
        binary('{"score": 0.5}', "application/json"),
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", [PEOPLE, NAMED_OUTPUT], ids=["by position", "output named"])
def test_input_and_output_may_be_written_differently(given, output, layout):
    assert rows(capture(given, output), layout) == [ROW]


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ("34,north\n29,south", "0.5\n0.7\n"),
        ('34,north\r\n29,"south"\r\n', "0.5\r\n0.7\r\n"),
        ("34,north\r\n29,south\r\n", "0.5\r0.7\r"),
        ("34,north\r29,south", "0.5\n0.7"),
        ("34,north\n29,south", "0.5,0.7"),
        (payload('[[34,"north"],[29,"south"]]', "JSON"), "0.5,0.7"),
        (payload('{"age":34,"city":"north"}\n{"age":29,"city":"south"}', "JSON"), '"0.5"\n"0.7"'),
        ("34,north\n29,south", payload("[0.5, 0.7]", "JSON")),
        ("34,north\n29,south", payload('{"predictions": [[0.5], [0.7]]}', "JSON")),
        ("34,north\n29,south", binary('{"score":0.5}\n{"score":0.7}', "application/jsonlines")),
    ],
)
def test_several_rows_of_one_request_are_paired(given, output):
    assert rows(capture(given, output), PEOPLE) == [ROW, {"score": 0.7, "age": 29, "city": "south"}]


def test_rows_keep_their_place_in_their_record():
    records = [capture("1,a"), capture("2,b\n3,c\n4,d"), capture("5,e")]
    table = decoded(records).tables[0]
    assert (table.record.tolist(), table.row.tolist()) == ([0, 1, 1, 1, 2], [0, 0, 1, 2, 0])
    assert table.columns["age"].to_pylist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "city",
    [
        "a,b",
        "a\nb",
        "a\r\nb",
        "a\rb",
        'say "hi"',
        " a ",
        "\ta",
        "it's",
        "a\n\nb",
        "\ufeffa",
        "ümlaut 你好 😀",
        "\x00",
        "a;b",
    ],
)
def test_quoted_text_comes_through_whatever_it_holds(city):
    quoted = '34,"{}"'.format(city.replace('"', '""'))
    assert rows([capture(quoted), capture("35,plain"), capture(quoted)]) == [
        {"age": 34, "city": city},
        {"age": 35, "city": "plain"},
        {"age": 34, "city": city},
    ]


def test_quoted_values_of_a_transposed_list_stay_whole():
    layout = Layout({"label": "String", "age": "Integral"})
    record = capture("34\n35", '"a,b","say ""hi"""')
    assert [row["label"] for row in rows(record, layout)] == ["a,b", 'say "hi"']


@pytest.mark.parametrize("blank", ["", "\n", "\r\n", '""'])
def test_a_blank_csv_payload_is_one_missing_value(blank):
    assert rows(capture("34,north", blank), PEOPLE) == [{"age": 34, "city": "north"}]


def test_blank_cells_are_missing_and_blank_lines_of_one_column_are_rows():
    one = Layout({"age": "Integral"})
    assert rows(capture("34,")) == [{"age": 34}]
    assert rows(capture('34,""')) == [{"age": 34}]
    assert rows([capture("1\n\n3"), capture("\n5")], one) == [{"age": 1}, {}, {"age": 3}, {}, {"age": 5}]


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_json_payload_is_refused(blank):
    assert reason(capture(blank, encoding="JSON"))[0] == "payload"


@pytest.mark.parametrize(
    ("given", "output", "message"),
    [
        ("1,a\n2,b", "0.5\n0.6\n0.7", "2 input rows and 3 output rows in one request"),
        ("1,a\n2,b", "0.5", "2 input rows and 1 output rows in one request"),
        ("1,a", "0.5\n0.6", "1 input rows and 2 output rows in one request"),
        ("1,a\n2,b", payload('{"x":1,"y":2}', "JSON"), "2 input rows and 1 output rows in one request"),
        (payload('{"instances":[]}', "JSON"), "0.5", "0 input rows and 1 output rows in one request"),
        (payload('{"instances":[]}', "JSON"), None, "the payload holds no row"),
        (None, payload('{"predictions":[]}', "JSON"), "the payload holds no row"),
        ("1,a\n2", None, "CSV rows of different widths in one payload: [1, 2]"),
        ('1,"a"\n2', None, "CSV rows of different widths in one payload: [1, 2]"),
        ("1,a\n\n2,b", None, "CSV rows of different widths in one payload: [1, 2]"),
        (payload('[[1,"a"],[2]]', "JSON"), None, "JSON rows of different widths in one payload: [1, 2]"),
    ],
)
def test_rows_that_do_not_pair_are_refused(given, output, message):
    assert reason(capture(given, output), PEOPLE) == ("payload", message)


def test_a_record_without_a_side_is_refused():
    assert reason(capture(None)) == ("schema", "captureData holds neither endpointInput nor endpointOutput")


@pytest.mark.parametrize(
    ("given", "output", "layout", "width", "message"),
    [
        ("1", None, INPUTS, 1, "1 columns captured (0 output + 1 input), the baseline has 2"),
        ("1,a,x", None, INPUTS, 3, "3 columns captured (0 output + 3 input), the baseline has 2"),
        ("1,a,x,y", "0.5", PEOPLE, 5, "5 columns captured (1 output + 4 input), the baseline has 3"),
        ("1,a,x", "0.5", NAMED_OUTPUT, 4, "4 columns captured (1 output + 3 input), the baseline has 3"),
        ("1", "0.5", PEOPLE, 2, "2 columns captured (1 output + 1 input), the baseline has 3"),
        ("1,a", "0.5,1", NAMED_OUTPUT, 4, "4 columns captured (2 output + 2 input), the baseline has 3"),
        (
            payload("[1]", "JSON"),
            None,
            INPUTS,
            1,
            "1 columns captured (0 output + 1 input), the baseline has 2",
        ),
        (None, "0.5", PEOPLE, 1, "1 columns captured (1 output + 0 input), the baseline has 3"),
    ],
)
def test_another_number_of_columns_is_refused_with_its_width(given, output, layout, width, message):
    error = decoded([capture(given, output)], layout).bad[0]
    assert (error.code, error.width, str(error)) == ("columns", width, message)


def test_only_column_errors_have_a_width():
    assert decoded([b"{"]).bad[0].width is None


def test_missing_json_keys_are_missing_values():
    records = [capture('{"age": 1}', encoding="JSON"), capture('{"city": "a", "age": null}', encoding="JSON")]
    found = decoded([*records, capture("{}", encoding="JSON"), capture('{"age": 2}', encoding="JSON")])
    assert found.bad == {}
    assert [rows_of(found, index) for index in range(4)] == [
        [{"age": 1}],
        [{"city": "a"}],
        [{}],
        [{"age": 2}],
    ]


def test_a_missing_json_key_beside_an_output_that_the_baseline_does_not_have_is_missing_too():
    assert rows(capture(payload('{"age": 1}', "JSON"), "0.5")) == [{"age": 1, "output_0": "0.5"}]


def test_extra_json_keys_are_kept_as_columns_of_their_own():
    found = decoded([capture('{"age": 1, "city": "a", "tag": 7, "deep": {"er": true}}', encoding="JSON")])
    assert rows_of(found, 0) == [{"age": 1, "city": "a", "tag": "7", "deep.er": "true"}]
    assert found.tables[0].beside == frozenset()


def test_outputs_that_the_baseline_does_not_have_are_beside_it():
    csv = decoded([capture("1,a", "0.5,1")]).tables[0]
    labelled = decoded([capture("1,a", payload('{"score": 0.5}', "JSON"))]).tables[0]
    named = decoded(
        [capture(payload('{"age": 1, "city": "a"}', "JSON"), payload('{"p": 1}', "JSON"))]
    ).tables[0]
    assert [t.beside for t in (csv, labelled, named)] == [{"output_0", "output_1"}, {"score"}, {"p"}]
    assert csv.columns.column_names == ["age", "city", "output_0", "output_1"]


def test_an_unknown_key_beside_a_known_output_is_beside_too_but_not_when_the_input_has_it():
    record = capture(
        payload('{"age":1,"city":"a","id":1}', "JSON"), payload('{"score":1,"id":1,"p":2}', "JSON")
    )
    assert decoded([record], PEOPLE).tables[0].beside == {"p"}


def test_nested_keys_are_matched_by_their_path():
    layout = Layout({"user.age": "Integral", "user.city": "String"})
    record = capture('{"user": {"age": 1, "city": "a"}}', encoding="JSON")
    assert rows(record, layout) == [{"user.age": 1, "user.city": "a"}]


def test_lists_and_objects_inside_a_list_are_kept_as_json_text():
    layout = Layout({"a": "Integral", "b": "String"})
    assert rows(capture('[1, {"x": [1, null]}]', encoding="JSON"), layout) == [
        {"a": 1, "b": '{"x":[1,null]}'}
    ]


def test_outputs_may_stand_at_the_end():
    layout = Layout({"age": "Integral", "city": "String", "score": "Fractional"}, output_position="END")
    assert rows(capture("34,north", "0.5"), layout) == [ROW]


def test_a_batch_transform_row_holds_its_outputs():
    assert rows(batch('{"SageMakerOutput": {"score": 0.5}, "age": 34, "city": "north"}'), PEOPLE) == [ROW]
    assert rows(batch('{"SageMakerOutput": 0.5, "features": [34, "north"]}'), PEOPLE) == [ROW]
    assert rows(batch("0.5,34,north", "CSV"), PEOPLE) == [ROW]
    assert rows(batch("0.5,34,north", "CSV"), NAMED_OUTPUT) == [ROW]


def test_a_value_that_reads_sagemakeroutput_is_only_a_value():
    assert rows(batch('{"age": 1, "city": "SageMakerOutput"}')) == [{"age": 1, "city": "SageMakerOutput"}]


def test_a_side_that_was_not_captured_is_no_side_without_rows():
    """Records of one side only stand in tables of their own, whatever comes before them."""
    both = capture('{"age": 1}', payload('{"score": 0.5}', "JSON"), encoding="JSON")
    output = capture(None, payload('{"score": 0.7}', "JSON"))
    for records in ([both, output], [output, both]):
        found = decoded(records, PEOPLE)
        assert rows_of(found, records.index(both)) == [{"age": 1, "score": 0.5}]
        assert rows_of(found, records.index(output)) == [{"score": 0.7}]


def test_an_empty_batch_decodes_to_nothing():
    found = decoded([])
    assert (len(found), found.bad, found.tables) == (0, {}, [])


def test_bad_records_are_listed_in_order_and_keep_their_ids():
    records = [capture("1", event_id="a"), b"{", capture("1,x", event_id="c"), capture(None, event_id="d")]
    found = decoded(records)
    assert [(index, error.code) for index, error in found.bad.items()] == [
        (0, "columns"),
        (1, "json"),
        (3, "schema"),
    ]
    assert found.event_id.to_pylist() == ["a", None, "c", "d"]


def test_a_refused_frame_keeps_the_reason_of_each_record_that_has_one_of_its_own():
    frame = decoded([capture("1,x"), b"{"]).frame
    found = refuse(frame, BadRecord("baseline", "no baseline"))
    assert [error.code for error in found.bad.values()] == ["baseline", "json"]
    assert (found.tables, len(found)) == ([], 2)


@pytest.mark.parametrize("score", [0.5, '"oops"'])
def test_a_column_that_both_sides_name_has_the_inputs_value_or_else_the_outputs(score):
    """Value by value: a record whose input lacks it does not depend on its neighbours' inputs."""
    output = payload(f'{{"score": {score}, "age": 7}}', "JSON")
    records = [
        capture(payload('{"age": 1, "city": "a"}', "JSON"), output),
        capture(payload('{"city": "a"}', "JSON"), output),
        capture(payload('{"age": "x", "city": "a"}', "JSON"), output),
        capture(payload('{"age": null, "score": 0.25}', "JSON"), output),
    ]
    found = decoded(records, PEOPLE)
    ages = [rows_of(found, index)[0]["age"] for index in range(4)]
    assert [str(age) for age in ages] == ["1", "7", "x", "7"]
    assert float(rows_of(found, 3)[0]["score"]) == 0.25
    for index, record in enumerate(records):
        assert [str(v) for v in rows_of(found, index)[0].values()] == [
            str(v) for v in rows(record, PEOPLE)[0].values()
        ]


def test_a_row_without_any_value_has_all_of_them_missing():
    (table,) = decoded([capture("{}", encoding="JSON")]).tables
    assert table.columns.to_pylist() == [{"age": None, "city": None}]
