"""Dynamic partitioning: keys out of records and from Lambda, and the prefixes that they make."""

import json
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from stream.firehose import expressions, partition_query
from stream.firehose.partition_query import Query, names
from stream.firehose.partitioning import EXTRACTION, TOO_MANY, partition

PREFIX = expressions.parse("m=!{partitionKeyFromQuery:model}/")
MODEL = Query("{model: .meta.model}")


def data(*records):
    return pa.array([r if isinstance(r, bytes) else json.dumps(r).encode() for r in records], pa.binary())


def model(value):
    return {"meta": {"model": value}}


def grouped(found):
    return {"".join(map(str, parts)): rows.tolist() for parts, rows in found.groups.items()}


def test_each_distinct_prefix_is_a_group_in_the_order_in_which_it_came():
    found = partition(data(model("b"), model("a"), model("b"), model(7), model(True)), PREFIX, MODEL)
    assert grouped(found) == {"m=b/": [0, 2], "m=a/": [1], "m=7/": [3], "m=true/": [4]}
    assert not found.problems


@pytest.mark.parametrize(
    "record",
    [
        model(""),
        model(None),
        model({}),
        model(["a"]),
        {},
        {"meta": 1},
        [1],
        b"",
        b"{",
        b"\xff",
        b'{"meta":{"model":"a"}}{"meta":{"model":"b"}}',
        model("x" * 513),
        model("\u4e00" * 300),
        model("a\0b"),
        model("a\n"),
        b"[" * 100_000,
        b"[" * 9_000 + b"]" * 9_000,
    ],
    ids=lambda record: repr(record)[:24],
)
def test_a_record_without_a_key_fails_alone(record):
    found = partition(data(model("a"), record, model("a")), PREFIX, MODEL)
    assert grouped(found) == {"m=a/": [0, 2]}
    assert [(row, problem.code) for row, problem in found.problems.items()] == [(1, EXTRACTION)]


def test_records_of_one_partition_too_many_fail_and_those_of_known_ones_do_not():
    records = [model(f"m{n}") for n in range(501)]
    found = partition(data(*records, model("m0"), model("m500")), PREFIX, MODEL)
    assert len(found.groups) == 500 and grouped(found)["m=m0/"] == [0, 501]
    assert {row: problem.code for row, problem in found.problems.items()} == {500: TOO_MANY, 502: TOO_MANY}


def test_keys_from_lambda_and_from_the_query_may_be_mixed():
    prefix = expressions.parse(
        "!{partitionKeyFromLambda:zone}/m=!{partitionKeyFromQuery:model}/!{timestamp:yyyy}"
    )
    given = [{"zone": "eu", "other": 1}, None, {"zone": ""}, {"zone": 4}, {"zone": "\ud800"}]
    found = partition(data(*[model("a")] * 5), prefix, MODEL, given)
    assert [parts[0] for parts in found.groups] == ["eu/m=a/", "4/m=a/"]
    assert list(found.problems) == [1, 2, 4]


def test_partitions_whose_prefix_is_the_same_are_the_same():
    prefix = expressions.parse("!{partitionKeyFromLambda:a}!{partitionKeyFromLambda:b}/")
    found = partition(data({}, {}), prefix, None, [{"a": "x", "b": "yz"}, {"a": "xy", "b": "z"}])
    assert grouped(found) == {"xyz/": [0, 1]}


@pytest.mark.parametrize(
    "query",
    [
        "{model: env.PATH}",
        "{model: input.meta.model}",
        "{model: (now | tostring)}",
        "{model: (1 | halt_error)}",
        "{model: halt}",
        '{model: error("no")}',
        "{model: (1, 2)}",
        "empty",
        ".meta.model",
    ],
)
def test_a_query_sees_its_record_and_nothing_else_and_gives_one_object(query):
    found = Query(query).keys(data(model("a"), model("b")))
    assert len(found) == 2 and all(isinstance(answer, str) for answer in found)


@pytest.mark.parametrize(
    "query", ["{", "{a:.b}] | [", "{a: $ENV.HOME}", "{a: $ ENV.HOME}", 'include "x"; {a:1}', ""]
)
def test_a_query_that_cannot_be_used_is_refused(query):
    with pytest.raises(ConfigError, match="jq"):
        Query(query)


def test_common_queries_of_the_guide_give_their_keys():
    query = '{day: (.at | strftime("%Y-%m-%d")), kind: (.kind // "none") | ascii_downcase, id: .id} # keys'
    assert Query(query).keys(data({"at": 0, "id": 12, "kind": "Big"}, {"at": 86400, "id": 1.5})) == [
        {"day": "1970-01-01", "kind": "big", "id": 12},
        {"day": "1970-01-02", "kind": "none", "id": 1.5},
    ]


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jq", None)
    partition_query._compiled.cache_clear()
    with pytest.raises(ConfigError, match=r"streamgauge\[partitioning\]"):
        Query("{a: .b}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{endpoint: .endpoint, variant: .meta.variant}", {"endpoint", "variant"}),
        (' {"a b": .x, $v, c} ', {"a b", "v", "c"}),
        ('{a: (.t | strftime("%Y,%m")), b: {x: 1, y: [2, 3]}, c: "}"}', {"a", "b", "c"}),
        ("{(.name): 1}", None),
        ("{a: 1} | {b: 2}", None),
        ("{a: 1}, {b: 2}", None),
        (".meta", None),
    ],
)
def test_the_keys_of_an_object_constructor_are_known_before_it_runs(query, expected):
    assert names(query) == expected


answers = st.sampled_from([model("a"), model(""), b"bad", b'{"meta":1}', [1], b"nan", model("a/../b")])


@given(st.lists(answers, max_size=12))
def test_records_together_and_alone_have_the_same_keys(records):
    together = MODEL.keys(data(*records))
    assert together == [MODEL.keys(data(record))[0] for record in records]
