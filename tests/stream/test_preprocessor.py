"""Scripts with a `preprocess_handler`, written as users of Model Monitor write them."""

from __future__ import annotations

import json
import logging
import sys
from textwrap import dedent

import pyarrow as pa
import pytest

from making import INPUTS, PEOPLE, WHEN_MS, batch, capture, payload, rows_of
from schemas.decode import Decoded, decode
from schemas.errors import BadRecord, ConfigError, SourceError
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from stream import prepared_dataset
from stream.preprocessor import Preprocessor

PLACED = Layout({"label": "Integral", "age": "Integral", "city": "String"})


@pytest.fixture
def script(tmp_path):
    """Writes a script and loads it."""

    def script(text: str, name: str = "handler.py") -> Preprocessor:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(dedent(text).lstrip("\n"))
        return Preprocessor(path)

    return script


def prepared(handler: Preprocessor, *records: bytes, layout: Layout = PEOPLE) -> Decoded:
    frame = Frame.of(Subject(), pa.array(records, pa.binary()), WHEN_MS)
    return decode(frame, layout, handler=handler)


def rows(found: Decoded) -> list[dict]:
    assert not found.bad, found.bad
    return [row for index in range(len(found)) for row in rows_of(found, index)]


CONCATENATED = """
    def preprocess_handler(inference_record):
        input_data = inference_record.endpoint_input.data
        output_data = inference_record.endpoint_output.data.rstrip("\\n")
        data = output_data + "," + input_data
        return {str(i).zfill(20): d for i, d in enumerate(data.split(","))}
"""


def test_output_and_input_joined_under_padded_keys_are_matched_by_position(script):
    found = prepared(script(CONCATENATED), capture("34,north", "1\n"), layout=PLACED)
    assert rows(found) == [{"label": 1, "age": 34, "city": "north"}]


def test_keys_without_padding_are_sorted_as_text_as_model_monitor_does(script):
    handler = script("""
        def preprocess_handler(inference_record):
            return {f"feature{i}": d for i, d in enumerate(inference_record.endpoint_input.data.split(","))}
    """)
    layout = Layout({f"c{i:02}": "Integral" for i in range(11)})
    [row] = rows(prepared(handler, capture(",".join(map(str, range(11)))), layout=layout))
    assert row["c02"] == 10  # feature10 stands before feature2


def test_as_many_keys_as_the_baseline_has_columns_or_the_record_is_bad(script):
    found = prepared(script(CONCATENATED), capture("34", "1"), layout=PLACED)
    assert (found.bad[0].code, found.bad[0].width) == ("columns", 2)


def test_nested_json_is_flattened_and_matched_by_name(script):
    handler = script("""
        import json

        def flatten(item, prefix=""):
            flat = {}
            for key, value in item.items():
                if isinstance(value, dict):
                    flat.update(flatten(value, key + "_"))
                else:
                    flat[prefix + key] = value
            return flat

        def preprocess_handler(inference_record):
            given = flatten(json.loads(inference_record.endpoint_input.data))
            given["score"] = json.loads(inference_record.endpoint_output.data)["predictions"][0]["score"]
            return given
    """)
    layout = Layout({"score": "Fractional", "home_city": "String", "age": "Integral"})
    given = payload('{"age": 34, "home": {"city": "north"}}', "JSON")
    record = capture(given, payload('{"predictions": [{"score": 0.5}]}', "JSON"))
    [row] = rows(prepared(handler, record, layout=layout))
    assert row == {"score": 0.5, "home_city": "north", "age": 34}


def test_none_nan_and_an_empty_text_are_missing(script):
    handler = script("""
        def preprocess_handler(inference_record):
            age, city = inference_record.endpoint_input.data.split(",")
            return {"age": None if age == "-1" else age, "city": city, "score": float("nan")}
    """)
    found = prepared(handler, capture("-1,north"), capture("5,"))
    assert rows(found) == [{"city": "north"}, {"age": 5}]


SKIPPING = """
    import json

    def preprocess_handler(inference_record, logger):
        attribute = inference_record.event_metadata.custom_attribute
        if attribute is not None and json.loads(attribute[0]).get("testIndicator") == "true":
            logger.info("test traffic: %s", inference_record)
            print("skipped", inference_record.event_metadata.event_id)
            return []
        age, city = inference_record.endpoint_input.data.split(",")
        return {"age": int(age), "city": city}
"""


def with_attributes(text: str, event_id: str = "e1") -> bytes:
    record = json.loads(capture("34,north", event_id=event_id))
    record["eventMetadata"]["customAttributes"] = [text]
    return json.dumps(record).encode()


def test_test_traffic_is_skipped_by_its_custom_attribute_and_is_neither_row_nor_bad(script, caplog, capsys):
    handler = script(SKIPPING)
    with caplog.at_level(logging.INFO):
        found = prepared(handler, with_attributes('{"testIndicator": "true"}'), capture("35,south"))
    assert (found.filtered, found.bad) == ([0], {})
    assert rows(found) == [{"age": 35, "city": "south"}]
    assert "test traffic" in caplog.text and "skipped e1" in capsys.readouterr().out


def test_the_older_event_data_is_there(script):
    handler = script("""
        def preprocess_handler(inference_record):
            event_data = inference_record.event_data
            age, city = event_data.endpointInput.data.split(",")
            assert event_data.endpointInput["encoding"] == inference_record.endpoint_input.encoding
            return {"score": event_data.endpointOutput.data, "age": age, "city": city}
    """)
    assert rows(prepared(handler, capture("34,north", "0.5"))) == [{"score": 0.5, "age": 34, "city": "north"}]


def test_a_list_of_dicts_is_several_rows(script):
    handler = script("""
        def preprocess_handler(inference_record):
            lines = inference_record.endpoint_input.data.splitlines()
            return [dict(zip(("age", "city"), line.split(","))) for line in lines]
    """)
    found = prepared(handler, capture("34,north\n35,south"), capture("36,east"))
    assert rows(found) == [
        {"age": 34, "city": "north"},
        {"age": 35, "city": "south"},
        {"age": 36, "city": "east"},
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return {}", "the handler returned {}; to skip a record, return []"),
        ("return [{}]", "the handler returned {}; to skip a record, return []"),
        ("return None", "the handler returned nothing; rows are a dict or a list of dicts"),
        ("return inference_record", "the handler returned a InferenceRecord; rows are"),
        ("return ['34']", "the handler returned a list that holds a str; rows are"),
        ("return {'age': [1]}", "the handler returned a list for 'age'; values are text or numbers"),
        ("return {'city': '\\ud800'}", "the handler returned a value that cannot be written"),
        ("return [{'a': 1}, {'b': 1}]", "rows with different keys, none of which the baseline knows"),
        ("return 1 / 0", "line 2: ZeroDivisionError: division by zero"),
        ("return inference_record.endpoint_output.data", "line 2: AttributeError: 'NoneType' object"),
        ("raise SystemExit(3)", "line 2: SystemExit: 3"),
    ],
)
def test_what_is_no_row_is_a_bad_record_with_its_reason(script, body, reason):
    handler = script(f"def preprocess_handler(inference_record):\n    {body}\n")
    found = prepared(handler, capture("34,north"))
    assert found.bad[0].code == "preprocessor"
    assert reason in str(found.bad[0])
    assert not found.tables


def test_a_record_that_is_none_never_reaches_the_handler(script):
    found = prepared(script(CONCATENATED), b"{", capture("34,north", "1"), layout=PLACED)
    assert {index: error.code for index, error in found.bad.items()} == {0: "json"}


def test_a_handler_may_change_what_it_is_given(script):
    handler = script("""
        def preprocess_handler(inference_record):
            record = inference_record.as_dict()
            record["eventMetadata"].clear()
            record.pop("captureData")
            inference_record.event_metadata.event_id = None
            age, city = inference_record.endpoint_input.data.split(",")
            return {"age": age, "city": city}
    """)
    found = prepared(handler, capture("34,north", event_id="mine"))
    assert found.event_id.to_pylist() == ["mine"]
    assert rows(found) == [{"age": 34, "city": "north"}]


def test_a_stray_text_in_a_number_is_kept_as_it_is_without_a_handler(script):
    handler = script("""
        def preprocess_handler(inference_record):
            return dict(zip(("age", "city"), inference_record.endpoint_input.data.split(",")))
    """)
    found = prepared(handler, capture("34,north"), capture("old,south"), layout=INPUTS)
    assert rows(found) == [{"age": 34, "city": "north"}, {"age": "old", "city": "south"}]


def test_columns_do_not_depend_on_the_neighbours_of_a_record(script):
    handler = script("""
        import json

        def preprocess_handler(inference_record):
            return json.loads(inference_record.endpoint_input.data)
    """)
    given = [capture(payload(text, "JSON")) for text in ('{"age": 1}', '{"age": 2, "city": "x"}')]
    names = {
        tuple(table.columns.column_names) for table in prepared(handler, *given * 2, layout=INPUTS).tables
    }
    assert names == {("age",), ("age", "city")}


def test_everything_of_the_guide_is_there(script):
    handler = script("""
        def preprocess_handler(inference_record):
            r = inference_record
            assert (r.endpoint_input.encoding, r.endpoint_input.data) == ("CSV", "34,north")
            assert (r.endpoint_input.observedContentType, r.endpoint_input.mode) == ("text/csv", None)
            assert r.endpoint_input.observed_content_type == "text/csv"
            assert r.endpoint_output is r.batch_transform_output is None
            assert r.ground_truth.data == "1"
            about = r.event_metadata
            assert (about.event_id, about.event_time) == ("e1", "2025-03-04T10:02:11Z")
            assert about.custom_attribute is about.inference_id is None
            assert r.event_version == "0"
            assert r.event_dict is r.as_dict() and r.event_dict["custom"] == 5
            assert "34,north" in str(r)
            return {"age": 1}
    """)
    given = payload("34,north", kind="text/csv")
    record = capture(given, groundTruthData={"data": "1", "encoding": "CSV"}, custom=5)
    assert rows(prepared(handler, record)) == [{"age": 1}]


def test_of_a_batch_transform_a_handler_gets_the_line_or_the_dict(script):
    handler = script("""
        def preprocess_handler(inference_record):
            if isinstance(inference_record, str):
                return dict(zip(("age", "city"), inference_record.split(",")))
            return inference_record
    """)
    found = prepared(handler, batch("34,north", "CSV"), batch('{"age": 35, "city": "south"}'))
    assert rows(found) == [{"age": 34, "city": "north"}, {"age": 35, "city": "south"}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def preprocess_handler(x)\n    pass", r"handler\.py, line 1: SyntaxError: "),
        ("import json\nimport nowhere_to_be_found", r"handler\.py, line 2: ModuleNotFoundError: "),
        ("x = 1\n\ny = x / 0", r"handler\.py, line 3: ZeroDivisionError: "),
        ("def handle(record):\n    pass", r"handler\.py: defines no function preprocess_handler"),
        ("preprocess_handler = 3", r"handler\.py: defines no function preprocess_handler"),
        ("def preprocess_handler(a, b, c):\n    pass", r"handler\.py: preprocess_handler\(a, b, c\) takes"),
        ("def preprocess_handler():\n    pass", r"handler\.py: preprocess_handler\(\) takes"),
    ],
)
def test_a_script_that_cannot_be_used_is_told_at_the_start(script, text, reason):
    with pytest.raises(ConfigError, match=reason):
        script(text)


def test_a_script_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.py: No such file"):
        Preprocessor(tmp_path / "nowhere.py")


def test_each_script_has_its_own_neighbours_and_leaves_no_trace(script, tmp_path):
    before = (list(sys.path), "helper" in sys.modules)
    text = """
        import helper

        def preprocess_handler(inference_record):
            import helper_of_late
            return {"city": helper.NAME + helper_of_late.NAME}
    """
    handlers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"NAME = {name!r}")
        (tmp_path / name / "helper_of_late.py").write_text("NAME = '!'")
        handlers.append(script(text, f"{name}/handler.py"))
    for _ in range(2):
        cities = [rows(prepared(handler, capture("34,north")))[0]["city"] for handler in handlers]
        assert cities == ["one!", "two!"]
    assert (list(sys.path), "helper" in sys.modules) == before
    assert "helper_of_late" not in sys.modules


def test_a_dataclass_in_a_script_works(script):
    handler = script("""
        from __future__ import annotations
        from dataclasses import asdict, dataclass

        @dataclass
        class Row:
            age: int
            city: str

        def preprocess_handler(inference_record):
            age, city = inference_record.endpoint_input.data.split(",")
            return asdict(Row(int(age), city))
    """)
    assert rows(prepared(handler, capture("34,north"))) == [{"age": 34, "city": "north"}]


def test_a_baseline_is_made_of_lines_and_the_line_with_names_is_no_row(script, tmp_path):
    handler = script("""
        def preprocess_handler(inference_record):
            return {str(i).zfill(3): d for i, d in enumerate(inference_record.split(","))}
    """)
    (tmp_path / "data.csv").write_text("label,age,city\r\n1,34,north\r\n0,,south\r\n")
    table = prepared_dataset.read(tmp_path / "data.csv", handler)
    assert table.to_pylist() == [
        {"000": "1", "001": "34", "002": "north"},
        {"000": "0", "001": None, "002": "south"},
    ]


def test_a_handler_that_skips_or_dislikes_the_line_with_names_works_as_well(script, tmp_path):
    handler = script("""
        def preprocess_handler(inference_record):
            label, age, city = inference_record.split(",")
            if city == "test":
                return []
            return {"label": int(label), "age": float(age)}
    """)
    (tmp_path / "data.csv").write_text("label,age,city\n1,34,north\n0,2,test\n")
    assert prepared_dataset.read(tmp_path / "data.csv", handler).to_pylist() == [
        {"age": "34.0", "label": "1"}
    ]
    (tmp_path / "data.csv").write_text("label,age,city\n1,34,north\nx,2,south\n")
    with pytest.raises(SourceError, match=r"data\.csv: row 3: .*handler\.py, line 5: ValueError"):
        prepared_dataset.read(tmp_path / "data.csv", handler)


def test_a_baseline_is_made_of_dicts_where_the_data_is_json(script, tmp_path):
    handler = script("def preprocess_handler(record):\n    return {'age': record['person']['age']}")
    (tmp_path / "data.jsonl").write_text('{"person": {"age": 3}}\n{"person": {"age": 4}}\n')
    assert prepared_dataset.read(tmp_path / "data.jsonl", handler).to_pylist() == [{"age": "3"}, {"age": "4"}]


def test_a_call_that_fails_is_a_bad_record_of_its_own_code(script):
    with pytest.raises(BadRecord) as error:
        script(CONCATENATED)("a line, not a record")
    assert error.value.code == "preprocessor"
