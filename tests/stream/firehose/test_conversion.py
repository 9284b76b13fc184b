"""Record format conversion: what JSON values become in a column, which records fail, and the files."""

import datetime
import io
import json
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.firehose import careful, catalog, columnar, conversion, hive_types, joda
from stream.firehose.documents import documents
from stream.firehose.shape import Shape

OPENX, HIVE = {"OpenXJsonSerDe": {}}, {"HiveJsonSerDe": {}}
UTC = datetime.UTC
BAD = "does not match"


def read(type, value, serde=OPENX):
    """One value of one column, or why it is none."""
    shape = Shape.of(hive_types.schema([{"Name": "c", "Type": type}]), serde)
    record = b'{"c": %s}' % (value if isinstance(value, bytes) else json.dumps(value).encode())
    table, problems = careful.table(pa.array([record], pa.binary()), shape)
    return BAD if problems and BAD in problems[0].message else table["c"].to_pylist()[0]


def at(text):
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("type", "value", "openx", "hive"),
    [
        ("int", 7, 7, 7),
        ("int", "7", 7, BAD),
        ("int", "oops", BAD, BAD),
        ("int", b"7.0", 7, 7),
        ("int", 7.5, BAD, BAD),
        ("int", True, BAD, BAD),
        ("int", 2**31, BAD, BAD),
        ("tinyint", -128, -128, -128),
        ("bigint", b"1e400000000", BAD, BAD),
        ("bigint", b"9" * 4000, BAD, BAD),
        ("bigint", None, None, None),
        ("double", "1e3", 1000.0, BAD),
        ("double", 3, 3.0, 3.0),
        ("double", "NaN", BAD, BAD),
        ("float", 0.1, pytest.approx(0.1), pytest.approx(0.1)),
        ("boolean", True, True, True),
        ("boolean", "TRUE", True, BAD),
        ("boolean", 1, BAD, BAD),
        ("string", b"1.50", "1.50", "1.50"),
        ("string", False, "false", "false"),
        ("string", {"Key": [1, {"B": "x"}]}, '{"key":[1,{"b":"x"}]}', BAD),
        ("varchar(3)", "abcd", "abcd", "abcd"),
        ("binary", "é", "é".encode(), "é".encode()),
        ("decimal(5,2)", b"123.455", Decimal("123.46"), Decimal("123.46")),
        ("decimal(5,2)", "-1.005", Decimal("-1.01"), BAD),
        ("decimal(5,2)", 1000, BAD, BAD),
        ("date", "2026-1-2", datetime.date(2026, 1, 2), datetime.date(2026, 1, 2)),
        ("date", "2026-02-30", BAD, BAD),
        ("timestamp", "2026-01-02T03:04:05.123456789Z", at("2026-01-02T03:04:05.123"), BAD),
        ("timestamp", "2026-1-2 03:04:05.5", at("2026-01-02T03:04:05.5"), at("2026-01-02T03:04:05.5")),
        ("timestamp", "2026-01-02 03:04:05", at("2026-01-02T03:04:05"), at("2026-01-02T03:04:05")),
        ("timestamp", 1767323045, at("2026-01-02T03:04:05"), BAD),
        ("timestamp", 1767323045123, at("2026-01-02T03:04:05.123"), BAD),
        ("timestamp", "1767323045", at("2026-01-02T03:04:05"), BAD),
        ("timestamp", b"1767323045.25", at("2026-01-02T03:04:05.25"), BAD),
        ("timestamp", "yesterday", BAD, BAD),
        ("timestamp", b"1e300", BAD, BAD),
        ("array<int>", [1, None, 3], [1, None, 3], [1, None, 3]),
        ("array<int>", 1, [1], BAD),
        ("array<int>", ["a"], BAD, BAD),
        ("map<string,int>", {"A": 1, "b": None}, [("a", 1), ("b", None)], [("A", 1), ("b", None)]),
        ("map<int,string>", {"1": "x"}, [(1, "x")], BAD),
        ("map<string,int>", [1], BAD, BAD),
        ("struct<a:int,b:string>", {"A": 1, "z": 2}, {"a": 1, "b": None}, {"a": 1, "b": None}),
        ("struct<a:int,b:string>", [1], {"a": 1, "b": None}, BAD),
        ("array<struct<t:timestamp>>", [{"t": 0}], [{"t": at("1970-01-01T00:00:00")}], BAD),
    ],
)
def test_a_value_becomes_what_its_column_and_deserializer_say(type, value, openx, hive):
    assert read(type, value) == openx
    assert read(type, value, HIVE) == hive


def test_hive_reads_times_in_the_patterns_it_is_given():
    serde = {
        "HiveJsonSerDe": {"TimestampFormats": ["millis", "dd/MM/yyyy HH:mm:ss.SSS", "yyyyMMdd'T'HHmmssZ"]}
    }
    assert read("timestamp", 1767323045123, serde) == at("2026-01-02T03:04:05.123")
    assert read("timestamp", "02/01/2026 03:04:05.120", serde) == at("2026-01-02T03:04:05.120")
    assert read("timestamp", "20260102T040405+0100", serde) == at("2026-01-02T03:04:05")
    assert read("timestamp", "2026-01-02 03:04:05", serde) == BAD
    with pytest.raises(ValueError, match="not supported"):
        joda.reader(["w"])


def test_keys_are_found_by_the_options_of_openx():
    columns = [{"Name": name, "Type": "string"} for name in ("a_b", "ts", "plain")]
    record = b'{"A.b":"1","timestamp":"2","PLAIN":"3","ts":"no"}'

    def values(**options):
        shape = Shape.of(hive_types.schema(columns), {"OpenXJsonSerDe": options})
        return [*careful.table(pa.array([record], pa.binary()), shape)[0].to_pylist()[0].values()]

    mapped = {"ColumnToJsonKeyMappings": {"ts": "Timestamp"}}
    assert values() == [None, "no", "3"]
    assert values(ConvertDotsInJsonKeysToUnderscores=True, **mapped) == ["1", "2", "3"]
    assert values(CaseInsensitive=False, **mapped) == [None, None, None]


def test_a_record_holds_any_number_of_documents():
    assert documents(b'{"a":1}{"a":2}\n {"a":3} ') == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert documents(b" \n") == []
    hardly = [
        b"[{}]",
        b"1",
        b'{"a":1} x',
        b'{"a":NaN}',
        b"\xff",
        b'{"a":"\\ud800"}',
        b"{" * 10**5,
        b'{}"',
        b"null",
    ]
    for record in hardly:
        with pytest.raises(ValueError, match="the data is"):
            documents(record)


TABLE = [
    {"Name": "id", "Type": "string"},
    {"Name": "n", "Type": "bigint"},
    {"Name": "score", "Type": "double"},
    {"Name": "at", "Type": "timestamp"},
    {"Name": "price", "Type": "decimal(10,2)"},
    {"Name": "tags", "Type": "array<string>"},
    {"Name": "day", "Type": "date"},
    {"Name": "ok", "Type": "boolean"},
]
TABLES = {
    "capture": {"inference": {"1": TABLE[:1], "10": {"StorageDescriptor": {"Columns": TABLE}}, "9": []}}
}
PARQUET, ORC = {"ParquetSerDe": {}}, {"OrcSerDe": {}}


def configured(serializer=PARQUET, deserializer=OPENX, tables=TABLES, **schema):
    schema = {
        "RoleARN": "arn:aws:iam::1:role/r",
        "DatabaseName": "capture",
        "TableName": "inference",
    } | schema
    document = {
        "InputFormatConfiguration": {"Deserializer": deserializer},
        "OutputFormatConfiguration": {"Serializer": serializer},
        "SchemaConfiguration": schema,
    }
    return conversion.of(document, tables, "000000000000", "us-east-1")


def rows(count):
    return [
        {
            "id": f"r{n}",
            "n": n,
            "score": n / 7,
            "at": f"2026-01-02T03:{n // 60 % 60:02d}:{n % 60:02d}.500Z",
            "price": n % 100,
            "tags": ["a", f"t{n}"],
            "day": "2026-01-02",
            "ok": n % 2 == 0,
        }
        for n in range(count)
    ]


def records(documents):
    return pa.array([json.dumps(each).encode() for each in documents], pa.binary())


def expected(row):
    return {
        **row,
        "at": at(row["at"][:-1]),
        "price": Decimal(row["price"]).quantize(Decimal("0.01")),
        "day": datetime.date(2026, 1, 2),
    }


@pytest.mark.parametrize("compression", ["UNCOMPRESSED", "GZIP", "SNAPPY"])
@pytest.mark.parametrize("version", ["V1", "V2"])
def test_parquet_is_read_by_two_readers_and_equal_to_the_input(tmp_path, compression, version):
    made = configured({"ParquetSerDe": {"Compression": compression, "WriterVersion": version}})
    converted = conversion.convert(records(rows(300)), made)
    (tmp_path / "o.parquet").write_bytes(made.format.write(converted.table))
    want = [expected(row) for row in rows(300)]
    assert made.format.extension == ".parquet" and not converted.problems
    assert pyarrow.parquet.read_table(tmp_path / "o.parquet").to_pylist() == want
    with duckdb.connect() as other:
        found = other.execute(f"select * from '{tmp_path / 'o.parquet'}'").fetchall()
    assert [dict(zip(want[0], row, strict=True)) for row in found] == want


@pytest.mark.parametrize("compression", ["NONE", "ZLIB", "SNAPPY"])
def test_orc_is_equal_to_the_input(compression):
    made = configured({"OrcSerDe": {"Compression": compression, "BloomFilterColumns": ["id"]}})
    written = made.format.write(conversion.convert(records(rows(300)), made).table)
    assert made.format.extension == ".orc" and bytes(written[:3]) == b"ORC"
    found = pyarrow.orc.read_table(io.BytesIO(written))
    assert found.to_pylist() == [expected(row) for row in rows(300)]


def test_parquet_options_are_in_the_file():
    def described(**options):
        table = pa.table({"x": ["same"] * 20_000})
        return pyarrow.parquet.ParquetFile(columnar.of({"ParquetSerDe": options}).write(table)).metadata

    plain = described().row_group(0).column(0)
    assert plain.compression == "SNAPPY" and not plain.has_dictionary_page
    assert described(EnableDictionaryCompression=True).row_group(0).column(0).has_dictionary_page
    assert described(Compression="GZIP").row_group(0).column(0).compression == "GZIP"
    assert described().num_row_groups == 1


@pytest.mark.parametrize(
    ("serializer", "why"),
    [
        ({}, "either"),
        ({"ParquetSerDe": {}, "OrcSerDe": {}}, "either"),
        ({"ParquetSerDe": {"BlockSizeBytes": 67108863}}, "BlockSizeBytes"),
        ({"ParquetSerDe": {"PageSizeBytes": 65535}}, "PageSizeBytes"),
        ({"ParquetSerDe": {"Compression": "ZSTD"}}, "Compression"),
        ({"ParquetSerDe": {"WriterVersion": "V3"}}, "WriterVersion"),
        ({"OrcSerDe": {"StripeSizeBytes": 1}}, "StripeSizeBytes"),
        ({"OrcSerDe": {"RowIndexStride": 999}}, "RowIndexStride"),
        ({"OrcSerDe": {"DictionaryKeyThreshold": 1.1}}, "DictionaryKeyThreshold"),
    ],
)
def test_options_out_of_range_are_refused(serializer, why):
    with pytest.raises(ValueError, match=why):
        columnar.of(serializer)


def test_a_bad_record_fails_alone_and_the_others_keep_their_order():
    data = [json.dumps(row).encode() for row in rows(1_000)]
    data[7], data[500], data[999] = b'{"n":"oops"}', b"not json", b'{"n":1}{"n":[]}'
    found = conversion.convert(pa.array(data, pa.binary()), configured())
    assert {at: problem.code.rpartition(".")[2] for at, problem in found.problems.items()} == {
        7: "MalformedData",
        500: "ParseError",
        999: "MalformedData",
    }
    assert found.problems[7].message == 'Data does not match the schema. For input string: "oops"'
    kept = [f"r{n}" for n in range(1_000) if n not in found.problems]
    assert found.table["id"].to_pylist() == kept


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([b"bad", b'{"id":"x","n":1}', b'{"N":"2"}{"n":3}', b"{}", b" "]), max_size=300)
)
def test_runs_and_single_records_give_the_same(data):
    found = conversion.convert(pa.array(data, pa.binary()), configured())
    one = [conversion.convert(pa.array([record], pa.binary()), configured()) for record in data]
    assert found.table.to_pylist() == [row for each in one for row in each.table.to_pylist()]
    assert sorted(found.problems) == [at for at, each in enumerate(one) if each.problems]


def test_a_table_is_found_by_its_version_and_a_missing_one_fails_every_record():
    assert catalog.table(TABLES, "capture", "inference").names == [column["Name"] for column in TABLE]
    assert catalog.table(TABLES, "capture", "inference", "1").names == ["id"]
    missing = configured(TableName="other", VersionId="3", CatalogId="1" * 12)
    assert missing.table["catalogId"] == "1" * 12 and missing.table["region"] == "us-east-1"
    found = conversion.convert(records(rows(2)), missing)
    assert [problem.code for problem in found.problems.values()] == [
        "DataFormatConversion.EntityNotFound"
    ] * 2
    with pytest.raises(ValueError, match="each name once"):
        catalog.table(TABLES, "capture", "inference", "9")


@pytest.mark.parametrize(
    "type",
    [
        "uniontype<int,string>",
        "array<int",
        "map<int>",
        "struct<a>",
        "struct<a:int,a:int>",
        "decimal(39,0)",
        "text",
    ],
)
def test_a_type_that_cannot_be_written_is_refused(type):
    with pytest.raises(ValueError, match="type"):
        hive_types.parse(type)


@pytest.mark.parametrize(
    ("type", "arrow"),
    [
        ("STRUCT<a:int,b:map<string,array<decimal(4,1)>>>", None),
        ("char(10)", pa.string()),
        ("decimal", pa.decimal128(10, 0)),
        ("array< map<string, bigint> >", pa.list_(pa.map_(pa.string(), pa.int64()))),
    ],
)
def test_types_may_be_nested(type, arrow):
    nested = pa.struct([("a", pa.int32()), ("b", pa.map_(pa.string(), pa.list_(pa.decimal128(4, 1))))])
    assert hive_types.parse(type) == (arrow or nested)
