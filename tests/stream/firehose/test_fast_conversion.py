"""Reading whole runs of records gives what reading them one by one gives, or is not done."""

import json

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.firehose import careful, fast, hive_types
from stream.firehose.shape import Shape

TYPES = {
    "t": "tinyint",
    "s": "smallint",
    "i": "int",
    "n": "bigint",
    "f": "float",
    "d": "double",
    "b": "boolean",
    "x": "string",
    "y": "binary",
    "day": "date",
    "at": "timestamp",
    "l": "array<double>",
    "ll": "array<array<string>>",
}
SCHEMA = hive_types.schema([{"Name": name, "Type": type} for name, type in TYPES.items()])
SERDES = [
    {"OpenXJsonSerDe": {}},
    {"OpenXJsonSerDe": {"CaseInsensitive": False}},
    {"OpenXJsonSerDe": {"ConvertDotsInJsonKeysToUnderscores": True, "ColumnToJsonKeyMappings": {"x": "X.y"}}},
    {"HiveJsonSerDe": {}},
    {"HiveJsonSerDe": {"TimestampFormats": ["millis", "yyyy-MM-dd'T'HH:mm:ss'Z'"]}},
]
SHAPES = [Shape.of(SCHEMA, serde) for serde in SERDES]


def number(text):
    """A number as it is written: json.dumps would write it its own way."""
    return f"@{text}@"


plain_texts = st.text(st.sampled_from('aZ0 é"\\:,{}[]\n\0NI'), max_size=6)
stamps = st.from_regex(r"20[012]\d-[01]\d-[0-3]\d[T ][012]\d:[0-5]\d:[0-6]\d(\.\d{1,9})?Z?", fullmatch=True)
fractions = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["1.0", "-0.0", "1e3", "1E400", "1e-400", "0.1", "16777217.0", "1767323045.123", "1e38", "4e38"]
    ),
).map(number)
integers = (
    st.integers(-(2**70), 2**70) | st.integers(-200, 200) | st.sampled_from([1767323045, 1767323045123])
)
dates = st.dates().map(str) | st.sampled_from(["2026-1-2", "2026-02-30", "0001-01-01", "2026-01-02 "])
GOOD = {
    "t": st.integers(-129, 128),
    "s": st.integers(-(2**15) - 1, 2**15),
    "i": st.integers(-(2**31) - 1, 2**31),
    "n": integers,
    "f": fractions | integers,
    "d": fractions | integers,
    "b": st.booleans(),
    "x": plain_texts,
    "y": plain_texts,
    "day": dates,
    "at": stamps | integers | fractions,
    "l": st.lists(fractions | integers | st.none(), max_size=3),
    "ll": st.lists(st.none() | st.lists(plain_texts, max_size=2), max_size=2),
}
odd = st.recursive(
    st.none()
    | st.booleans()
    | integers
    | fractions
    | plain_texts
    | st.sampled_from(["1", "1.5", "true", "1e2"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("aAxX"), inner, max_size=2),
    max_leaves=4,
)
KEYS = [*TYPES, "X", "x.y", "X.Y", "x_y", "other", "\u212a", "Day"]
rarely = st.sampled_from([False] * 15 + [True])


@st.composite
def documents(draw, columns):
    """One object of one kind of values mostly, so that many runs can be read at once."""
    fields = {}
    for name in columns:
        value = draw(odd if draw(rarely) else GOOD.get(name, odd))
        fields[name] = value
    text = json.dumps(fields, ensure_ascii=draw(st.booleans()))
    for mark in ('"@', '@"'):
        text = text.replace(mark, "")
    return text


@st.composite
def runs(draw):
    columns = draw(st.lists(st.sampled_from(KEYS[: len(TYPES)]), max_size=3, unique=True))
    if draw(rarely):
        columns = [*columns, draw(st.sampled_from(KEYS))]
    texts = draw(st.lists(documents(columns), min_size=1, max_size=4))
    glue = draw(st.sampled_from(["", "", "\n", " ", "\n\n"]))
    records = [text + glue for text in texts]
    if draw(rarely):
        at = draw(st.integers(0, len(records) - 1))
        cut = draw(st.integers(0, len(records[at])))
        end = draw(st.sampled_from(["", "}", '"}', ' null {"n":1}', " {}", "NaN}", "null"]))
        records[at : at + 1] = draw(
            st.sampled_from([[records[at][:cut] + end], [records[at][:cut], records[at][cut:]]])
        )
    return [record.encode() for record in records]


def same(records, shape):
    """Whether the run was read at once; if so it is what the careful way gives."""
    data = pa.array(records, pa.binary())
    found = fast.table(data, shape)
    if found is None:
        return False
    expected, problems = careful.table(data, shape)
    assert not problems
    assert found.equals(expected), (found.to_pylist(), expected.to_pylist())
    return True


@settings(max_examples=1_500)
@given(runs(), st.sampled_from(SHAPES))
def test_a_run_read_at_once_equals_its_records_read_one_by_one(records, shape):
    same(records, shape)


@settings(max_examples=300)
@given(
    st.lists(
        st.text(st.sampled_from('{}[]":,xn1N \n\\u004'), max_size=12).map("{{{}}}".format),
        min_size=1,
        max_size=3,
    )
)
@example(['{"x":"}', '{"}'])
@example(['{"n":1,"z":[{}', "{}]}"])
@example(['{"n":1} null {"n":2}'])
@example(['{"n":NaN}'])
@example(['{"d":NaN}', '{"d":-Infinity }'])
@example(['{"z":"\\ud800"}'])
@example(['{"n":1,"n":2}'])
@example(['{"\\u004e":1}'])
@example(['{"N\\"":1}', '{"a\\\\":1}'])
@example(["null}", "{null}"])
@example(["{" * 2000 + "}" * 2000])
def test_texts_that_are_hardly_json_are_not_taken_for_it(texts):
    for shape in SHAPES:
        same([text.encode() for text in texts], shape)


@pytest.mark.parametrize(
    "record",
    [
        b'{"x":"a","n":1,"d":1.5,"b":true}\n',
        b'{"at":"2026-01-02T03:04:05Z"}',
        b'{"at":"2026-01-02T03:04:05.123456789Z"}',
        b'{"at":1767323045}',
        b'{"at":1767323045.5}',
        b'{"day":"2026-01-02","l":[1,2.5],"ll":[["a"],null]}',
        b'{"unknown":{"deep":[1,{}]},"f":0.1}',
        '{"x":"é \U0001f600 \\u0000"}'.encode(),
        b"{ }",
    ],
)
def test_common_records_are_read_at_once(record):
    assert same([record] * 3, SHAPES[0])


def test_invalid_utf8_is_left_to_the_careful_way():
    assert not same([b'{"x":"\xff"}'], SHAPES[1])
    assert not same([b'{"z":"\xff"}'], SHAPES[1])
