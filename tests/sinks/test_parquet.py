"""Parquet rows: a declared schema, Hive partitions that readers find, the same files for the same range."""

import json

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from schemas.decode import decode
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from schemas.times import parse_time
from sinks.objects import Objects
from sinks.parquet import schema, typed, write

LAYOUT = Layout(
    {"score": "Fractional", "age": "Integral", "city": "String", "vip": "Boolean", "gone": "Unknown"}
)
NOON = parse_time("2024-03-01T12:00:00Z")


def capture(
    row: object, output: str = "0.5", when: str = "2024-03-01T12:00:00Z", event_id: str = "e1"
) -> bytes:
    """A captured request: an input row as JSON (or CSV, when it is text) and a CSV output."""
    is_text = isinstance(row, str)
    given = {"data": row if is_text else json.dumps(row), "encoding": "CSV" if is_text else "JSON"}
    record = {
        "captureData": {"endpointInput": given, "endpointOutput": {"data": output, "encoding": "CSV"}},
        "eventMetadata": {"eventId": event_id, "inferenceId": f"i-{event_id}", "inferenceTime": when},
        "eventVersion": "0",
    }
    return json.dumps(record).encode()


def tables(*records: bytes, layout: Layout = LAYOUT, subject: Subject | None = None) -> list:
    frame = Frame.of(subject or Subject("churn"), pa.array(records, pa.binary()), NOON + 10**9)
    decoded = decode(frame, layout)
    assert not decoded.bad
    return [(decoded.subject, typed(decoded, rows, layout)) for rows in decoded.tables]


def dataset(root) -> pa.Table:
    return pyarrow.dataset.dataset(root, format="parquet", partitioning="hive").to_table()


def test_the_schema_is_declared_by_the_baseline_alone():
    expected = {
        "_event_id": pa.string(),
        "_inference_id": pa.string(),
        "_event_time": pa.timestamp("ms", "UTC"),
        "_row": pa.int32(),
        "_other": pa.map_(pa.string(), pa.string()),
        "score": pa.float64(),
        "age": pa.int64(),
        "city": pa.string(),
        "vip": pa.string(),
        "gone": pa.string(),
    }
    assert schema(LAYOUT) == pa.schema(list(expected.items()))
    for record in (
        capture("30,rome,true,"),
        capture({"age": 30}),
        capture("x,,,"),
        capture("30,rome,true,\n1,oslo,,", "1\n2"),
    ):
        for _, table in tables(record):
            assert table.schema == schema(LAYOUT)


def test_rows_say_which_record_and_row_they_were():
    ((_, table),) = tables(capture("30,rome,true,\n31,oslo,,", "0.5\n1"), capture("9,,,", event_id="e2"))
    columns = table.select(["_event_id", "_inference_id", "_row", "score", "age", "city", "vip"]).to_pylist()
    assert [tuple(row.values()) for row in columns] == [
        ("e1", "i-e1", 0, 0.5, 30, "rome", "true"),
        ("e1", "i-e1", 1, 1.0, 31, "oslo", None),
        ("e2", "i-e2", 0, 0.5, 9, None, None),
    ]


def test_values_that_do_not_fit_are_kept_as_text_in_other():
    records = [
        capture("30,rome,true,"),
        capture("thirty,oslo,,", output="high", event_id="e2"),
        capture(
            {"age": 7, "city": "bern", "vip": True, "gone": None, "colour": "red", "n": 3}, event_id="e3"
        ),
        capture({"age": 7.5}, event_id="e4"),
    ]
    rows = {row["_event_id"]: row for _, table in tables(*records) for row in table.to_pylist()}
    assert (rows["e1"]["age"], rows["e1"]["score"], rows["e1"]["_other"]) == (30, 0.5, None)
    assert (rows["e2"]["age"], rows["e2"]["score"], rows["e2"]["city"]) == (None, None, "oslo")
    assert dict(rows["e2"]["_other"]) == {"age": "thirty", "score": "high"}
    assert (rows["e3"]["age"], rows["e3"]["vip"]) == (7, "true")
    assert dict(rows["e3"]["_other"]) == {"colour": "red", "n": "3"}
    assert (rows["e4"]["age"], dict(rows["e4"]["_other"])) == (None, {"age": "7.5"})


def test_a_value_that_fits_stays_typed_beside_one_that_does_not():
    ((_, table),) = tables(capture("30,rome,true,\nthirty,oslo,,", "0.5\n1"))
    assert table["age"].to_pylist() == [30, None]
    assert [other and dict(other) for other in table["_other"].to_pylist()] == [None, {"age": "thirty"}]


def test_rows_lie_in_the_hour_of_their_event(tmp_path):
    times = ["2024-03-01T12:59:59Z", "2024-03-01T13:00:00Z", "2024-02-29T00:00:00Z", "1970-01-01T00:00:00Z"]
    records = [capture("1,a,,", when=when, event_id=when) for when in times]
    assert write(Objects.at(tmp_path), tables(*records), 2, 7) == 4
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.parquet"))
    name = "00002-00000000000000000007.parquet"
    assert written == [
        f"endpoint=churn/variant=AllTraffic/date=1970-01-01/hour=00/{name}",
        f"endpoint=churn/variant=AllTraffic/date=2024-02-29/hour=00/{name}",
        f"endpoint=churn/variant=AllTraffic/date=2024-03-01/hour=12/{name}",
        f"endpoint=churn/variant=AllTraffic/date=2024-03-01/hour=13/{name}",
    ]
    rows = {row["_event_id"]: row for row in dataset(tmp_path).to_pylist()}
    assert {when: (row["date"], row["hour"]) for when, row in rows.items()} == {
        when: (when[:10], int(when[11:13])) for when in times
    }


@pytest.mark.parametrize("name", ["a b", "a=b", "ü/é", "50%", "x&y?", "..", "_x", "a:b", "a\nb"])
def test_names_that_need_quoting_come_back_as_they_were(tmp_path, name):
    subject = Subject(name, name, model=name)
    write(Objects.at(tmp_path), tables(capture("1,a,,"), subject=subject), 0, 1)
    (row,) = dataset(tmp_path).to_pylist()
    assert (row["endpoint"], row["variant"], row["age"]) == (name, name, 1)


def test_a_subject_without_a_name_is_a_missing_value(tmp_path):
    for endpoint in ("churn", ""):
        write(Objects.at(tmp_path), tables(capture("1,a,,"), subject=Subject(endpoint)), 0, 1)
    assert {row["endpoint"] for row in dataset(tmp_path).to_pylist()} == {"churn", None}


def test_features_named_like_partitions_or_like_our_own_columns_do_not_hide_them(tmp_path):
    names = ["y", "hour", "hour_", "date", "endpoint", "variant", "_row", "_other"]
    layout = Layout(dict.fromkeys(names, "Integral"))
    write(
        Objects.at(tmp_path),
        tables(capture("1,2,3,4,5,6,7", output="0", when="2024-03-01T12:30:00Z"), layout=layout),
        0,
        1,
    )
    (row,) = dataset(tmp_path).to_pylist()
    assert [
        row[n] for n in ("y", "hour_", "hour__", "date_", "endpoint_", "variant_", "_row_", "_other_")
    ] == [*range(8)]
    assert (row["endpoint"], row["variant"], row["date"], row["hour"]) == (
        "churn",
        "AllTraffic",
        "2024-03-01",
        12,
    )
    assert (row["_row"], row["_other"]) == (0, None)


def test_the_same_range_written_twice_is_the_same_files(tmp_path):
    batches = [
        *tables(capture("1,a,,"), capture("x,b,,", when="2024-03-01T13:00:00Z")),
        *tables(capture({"age": 3})),
    ]
    objects = Objects.at(tmp_path)
    write(objects, batches, 0, 1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    write(objects, batches, 0, 1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_ranges_and_models_do_not_overwrite_each_other(tmp_path):
    objects = Objects.at(tmp_path)
    for partition, first, model in ((0, 1, None), (0, 2, None), (1, 1, None), (0, 1, "a"), (0, 1, "b")):
        write(objects, tables(capture("1,a,,"), subject=Subject("e", "v", model)), partition, first)
    assert dataset(tmp_path).num_rows == 5


def test_a_range_without_rows_writes_nothing(tmp_path):
    assert write(Objects.at(tmp_path), [], 0, 1) == 0
    assert not list(tmp_path.iterdir())
