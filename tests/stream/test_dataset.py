"""Data sets for a baseline: every format, with names and types as traffic has them, and clear refusals."""

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from monitors.data_quality import profile
from schemas.errors import SourceError
from stream.dataset import read


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str | bytes) -> Path:
        raw = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(raw) if name.lower().endswith(".gz") else raw)
        return path

    return write


def kinds(table: pa.Table) -> dict[str, str]:
    return {feature.name: feature.inferred_type for feature in profile(table).features}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV.GZ", "a.data"])
@pytest.mark.parametrize(
    "content",
    [
        "age,city\n3,rome\n4,\n",
        "age,city\r\n3,rome\r\n4,",
        '\ufeff"age", city \n\n3,"rome"\n4,""\n\n',
    ],
    ids=["plain", "CRLF, no newline at the end", "byte order mark, quotes, blank lines"],
)
def test_csv_with_a_header(write, name, content):
    table = read(write(name, content))
    assert table.to_pydict() == {"age": ["3", "4"], "city": ["rome", None]}
    assert kinds(table) == {"age": "Integral", "city": "String"}


def test_csv_without_a_header_has_the_names_of_model_monitor(write):
    path = write("a.csv", "1,2.5,x\n2,3,y\n")
    assert read(path).to_pydict() == {"_c0": ["1", "2"], "_c1": ["2.5", "3"], "_c2": ["x", "y"]}
    assert read(path, header=True).to_pydict() == {"1": ["2"], "2.5": ["3"], "x": ["y"]}


def test_a_header_of_text_over_text_can_be_denied(write):
    path = write("a.csv", "red,rome\nblue,oslo\n")
    assert read(path).column_names == ["red", "rome"]
    assert read(path, header=False).to_pydict() == {"_c0": ["red", "blue"], "_c1": ["rome", "oslo"]}


def test_values_and_names_may_hold_commas_quotes_and_newlines(write):
    table = read(write("a.csv", '"a,1","b\n2"\n"x,""y""","z\nz"\n'))
    assert table.to_pydict() == {"a,1": ['x,"y"'], "b\n2": ["z\nz"]}


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz", "a.json"])
@pytest.mark.parametrize("array", [False, True], ids=["lines", "array"])
def test_json_rows(write, name, array):
    rows = ['{"age": 3, "score": 1, "at": "2024-01-01"}', '{"age": null, "score": 0.5, "vip": true}']
    content = f"[{','.join(rows)}]" if array else "\n\n".join(rows)
    table = read(write(name, content))
    assert table.to_pydict() == {
        "age": [3, None],
        "score": [1.0, 0.5],
        "at": ["2024-01-01", None],  # text: a date is no other type in a captured payload either
        "vip": [None, "true"],
    }
    assert kinds(table) == {"age": "Integral", "score": "Fractional", "at": "String", "vip": "String"}


def test_json_that_is_nested_has_the_names_of_a_captured_payload(write):
    table = read(
        write("a.jsonl", '{"who": {"age": 3, "home": {"city": "rome"}}, "features": [7, 0.5], "y": 1}\n')
    )
    assert table.to_pydict() == {
        "who.age": [3],
        "who.home.city": ["rome"],
        "y": [1],
        "_c3": [7],
        "_c4": [0.5],
    }


def test_json_values_of_several_types_are_text_told_apart_later(write):
    table = read(write("a.jsonl", '{"a": 1, "b": 99999999999999999999}\n{"a": "x", "b": 1}\n'))
    assert table.to_pydict() == {"a": ["1", "x"], "b": ["99999999999999999999", "1"]}
    assert kinds(table) == {"a": "String", "b": "Integral"}


def test_parquet_keeps_its_types_without_the_index_of_pandas(tmp_path):
    frame = pd.DataFrame({"age": [3, 4], "score": [0.5, None], "city": ["rome", None]}, index=[7, 9])
    frame.to_parquet(tmp_path / "a.parquet")
    table = read(tmp_path / "a.parquet")
    assert kinds(table) == {"age": "Integral", "score": "Fractional", "city": "String"}


def test_parquet_in_a_hive_directory_gets_no_columns_of_its_folders(tmp_path):
    folder = tmp_path / "endpoint=a" / "date=2024-01-01"
    folder.mkdir(parents=True)
    pyarrow.parquet.write_table(pa.table({"who": [{"age": 3, "city": "rome"}]}), folder / "a.parquet")
    assert read(folder / "a.parquet").to_pydict() == {"who.age": [3], "who.city": ["rome"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "the file is empty"),
        ("a.csv", "\n \n", "the file is empty"),
        ("a.jsonl", "", "the file is empty"),
        ("a.csv", "age,city\n", "holds no rows"),
        ("a.json", "[]", "holds no rows"),
        ("a.csv", "a,b\n1,2\n\n3\n4,5\n", "line 4: 1 columns, and the first line has 2"),
        ("a.csv", 'a,b\n"1\n1",2\n3,4,5\n', "line 4: 3 columns, and the first line has 2"),
        ("a.csv", b"a,b\n1,2\n3,\xff\n", "line 3: invalid UTF-8"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "line 2: invalid UTF-8"),
        ("a.jsonl", '{"a": 1}\n\n{"a": \n{"a": 3}', "line 3: Input data was truncated"),
        ("a.json", '[\n{"a": 1},\n{"a"\n]', "JSON is malformed"),
        ("a.jsonl", '{"f": [1, 2]}\n{"f": [1]}\n', "row 2: a list is not as long"),
        ("a.parquet", "no parquet", "Parquet"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(write, name, content, message):
    path = write(name, content)
    with pytest.raises(SourceError, match=message) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_header_that_names_a_column_twice_is_refused(write):
    with pytest.raises(SourceError, match="names 'a' twice; if it is no header, say --no-header"):
        read(write("a.csv", "a,b,a\n1,2,3\n"), header=True)


@pytest.mark.parametrize("raw", [gzip.compress(b"a,b\n1,2\n" * 99)[:-12], b"a,b\n1,2\n", b""])
def test_damaged_gzip_is_refused(tmp_path, raw):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=r"a\.csv\.gz: "):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.csv"):
        read(tmp_path / "nowhere.csv")


def test_the_training_data_of_model_monitors_introduction(shared):
    table = read(shared / "data/captures/churn/training-dataset-with-header.csv.gz")
    assert table.shape == (2333, 70)
    assert table.column_names[:2] == ["Churn", "Account Length"]


def test_a_real_data_set_without_a_header(shared):
    table = read(shared / "data/captures/sdk-monitor/baseline_dataset.csv")
    assert table.column_names == [f"_c{n}" for n in range(10)]
    assert table.num_rows == 418
