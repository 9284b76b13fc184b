"""Laws of decoding: no record is lost or counted twice, and none depends on its neighbours."""

import base64
import json
import tarfile
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from making import INPUTS, PEOPLE, WHEN, capture, comparable, decoded, payload, rows_of
from schemas.decode import Decoded
from schemas.layout import Layout

LAYOUTS = [
    PEOPLE,
    INPUTS,
    Layout(PEOPLE.columns, outputs=("score",)),
    Layout(PEOPLE.columns, output_position="END"),
    Layout({"age": "Integral"}),
    Layout({}),
]

cells = st.one_of(
    st.sampled_from(
        [
            "1",
            "-2.5",
            "1e5",
            "",
            " ",
            "x",
            "NaN",
            "0x1F",
            ".5",
            "+5",
            "5 ",
            '"a,b"',
            '"a\nb"',
            '"',
            '""',
            "é",
            "a\rb",
            "\ufeff",
            "9" * 20,
        ]
    ),
    st.text(max_size=3),
)
csv_texts = st.lists(st.lists(cells, min_size=1, max_size=4).map(",".join), max_size=3).map("\n".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["age", "city", "score", "x", "", "a.b"]), inner, max_size=4)
    ),
    max_leaves=6,
)
json_texts = json_values.map(json.dumps) | st.lists(json_values.map(json.dumps), max_size=3).map("\n".join)
wrapped = json_values.map(lambda rows: json.dumps({"instances": rows, "SageMakerOutput": rows}))
sides = st.one_of(
    st.none(),
    csv_texts.map(payload),
    (json_texts | wrapped).map(lambda text: payload(text, "JSON")),
    (csv_texts | json_texts).map(
        lambda text: payload(base64.b64encode(text.encode("utf-8", "replace")).decode(), "BASE64", "text/csv")
    ),
    st.just(payload("34,north")),
    st.just(payload('{"age": 3, "city": "a"}', "JSON")),
)
instants = st.sampled_from(
    [
        WHEN,
        "2025-03-04T10:02:11",
        None,
        "?",
        "0000-01-01T00:00:00Z",
        "2025-03-04T10:02:11.5+01:00",
        "9999-12-31T23:59:59Z",
    ]
)
captures = st.builds(lambda given, output, time: capture(given, output, time=time), sides, sides, instants)
transforms = (json_texts | wrapped | csv_texts).map(
    lambda text: capture(
        captureData={"batchTransformOutput": payload(text, "JSON" if text[:1] in "{[" else "CSV")}
    )
)
damaged = st.tuples(captures, st.integers(0, 400), st.binary(max_size=2)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + len(drawn[2]) :]
)
records = st.lists(
    captures | transforms | damaged | st.binary(max_size=30) | json_texts.map(str.encode), max_size=5
)


def fate(found: Decoded) -> Counter[int]:
    """How many times each record is accounted for: in `bad`, or in a table."""
    seen = Counter(found.bad)
    for index in found.bad:
        seen[index] = 1
    for table in found.tables:
        seen.update(set(table.record.tolist()))
    return seen


def check_shape(found: Decoded) -> None:
    for table in found.tables:
        assert len(table) == len(table.record) == len(table.row) > 0
        assert all(len(column) == len(table) for column in table.columns.columns)
        assert table.columns.column_names == list(dict.fromkeys(table.columns.column_names))


@given(records, st.sampled_from(LAYOUTS))
@settings(max_examples=400)
@example([capture("1,x") + b"\n" + capture("2,y"), b""], INPUTS)
@example([capture("{}", encoding="JSON"), capture(None, payload('{"score": 1}', "JSON"))], PEOPLE)
@example([capture("1\n2", '"a,b",c')], PEOPLE)
@example(
    [
        capture(
            captureData={"batchTransformOutput": payload('{"instances": [], "SageMakerOutput": []}', "JSON")}
        )
    ],
    INPUTS,
)
def test_every_record_ends_up_exactly_once_among_the_bad_or_in_a_table(lines, layout):
    found = decoded(lines, layout)
    assert fate(found) == Counter(range(len(lines)))
    assert len(found.event_time) == len(found.event_id) == len(found.inference_id) == len(lines)
    assert (found.event_time >= 0).all()
    check_shape(found)


@given(records, st.sampled_from(LAYOUTS))
@settings(max_examples=400)
@example([capture("1,x"), capture("oops,y"), capture("1.5,z")], INPUTS)
@example([capture("\ufeff1,x"), capture("\ufeff2,x")], INPUTS)
@example([capture(" 1,x"), capture("0x1F,x"), capture("a,x")], INPUTS)
def test_a_record_decodes_the_same_alone_as_in_a_batch(lines, layout):
    together = decoded(lines, layout)
    for index, line in enumerate(lines):
        alone = decoded([line], layout)
        assert [comparable(row, layout) for row in rows_of(together, index)] == [
            comparable(row, layout) for row in rows_of(alone, 0)
        ]
        assert together.event_id[index] == alone.event_id[0]
        assert (index in together.bad) == (0 in alone.bad)
        if alone.bad:
            error, same = together.bad[index], alone.bad[0]
            assert (error.code, error.width, str(error)) == (same.code, same.width, str(same))
        else:
            assert together.event_time[index] == alone.event_time[0]


@given(records, st.randoms())
def test_the_order_of_a_batch_does_not_matter_to_a_record(lines, random):
    order = list(range(len(lines)))
    random.shuffle(order)
    straight, shuffled = decoded(lines), decoded([lines[i] for i in order])
    for place, index in enumerate(order):
        assert rows_of(shuffled, place) == rows_of(straight, index)


@pytest.fixture(scope="session")
def json_suite(shared) -> dict[str, bytes]:
    """The texts of the JSON test suite by name."""
    texts: dict[str, bytes] = {}
    with tarfile.open(shared / "data" / "edge" / "jsontestsuite_test_parsing.tar.gz") as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is not None:
                texts[member.name.rpartition("/")[2]] = file.read()
    return texts


def test_each_json_test_text_as_a_record_is_refused_once_with_a_reason(json_suite):
    texts = list(json_suite.values())
    assert len(texts) == 318
    found = decoded(texts)
    assert sorted(found.bad) == list(range(318))
    assert all(str(error) for error in found.bad.values())
    assert {error.code for error in found.bad.values()} <= {"json", "utf8", "schema", "version"}


@pytest.mark.parametrize("encoding", ["JSON", "BASE64"])
def test_each_json_test_text_as_a_payload_ends_up_once(json_suite, encoding):
    def record(text: bytes) -> bytes:
        if encoding == "BASE64":
            return capture(payload(base64.b64encode(text).decode(), "BASE64", "application/json"))
        return capture(payload(text.decode("utf-8", "replace"), "JSON"))

    found = decoded([record(text) for text in json_suite.values()], Layout({"a": "Integral"}))
    assert fate(found) == Counter(range(len(json_suite)))
    check_shape(found)


def test_json_that_must_not_parse_is_refused_inside_a_payload(json_suite):
    """Left out: several values on lines of their own are JSON Lines, and a leading mark is let through."""
    lenient = {"n_structure_double_array.json", "n_structure_array_trailing_garbage.json"}
    for name, text in json_suite.items():
        if name.startswith("n_") and name not in lenient:
            found = decoded(
                [capture(payload(base64.b64encode(text).decode(), "BASE64", "application/json"))], Layout({})
            )
            assert found.bad[0].code in ("payload", "columns"), name
            if not text.startswith(b"\xef\xbb\xbf") and b"\n" not in text.strip():
                assert found.bad[0].code == "payload", name


def test_json_that_must_parse_is_never_called_broken(json_suite):
    for name, text in json_suite.items():
        if name.startswith("y_"):
            found = decoded(
                [capture(payload(base64.b64encode(text).decode(), "BASE64", "application/json"))], Layout({})
            )
            assert all(error.code == "columns" for error in found.bad.values()), (name, found.bad)


def test_csv_spectrum_payloads_decode_to_what_their_authors_say(shared):
    folder = shared / "data" / "edge" / "csv-spectrum"
    for path in sorted((folder / "csvs").glob("*.csv")):
        text = path.read_bytes().decode()
        expected = json.loads((folder / "json" / f"{path.stem}.json").read_text())
        if path.stem == "location_coordinates":  # its answer is no list, and has another number
            expected = [expected | {"Contact Phone Number": "2095257564"}]
        head, *values = ([*expected[0]], *([*row.values()] for row in expected))
        layout = Layout({f"c{i}": "String" for i in range(len(head))})
        found = decoded([capture(text), capture(",".join("x" * len(head)))], layout)
        assert not found.bad
        assert [[row.get(name, "") for name in layout.columns] for row in rows_of(found, 0)] == [
            head,
            *values,
        ], path.name
