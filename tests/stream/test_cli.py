"""The command line: what it says, what it leaves, and its exit codes; no manual needed."""

import gzip
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from made import HOUR, T0, capture, results, same, settings_for, table, traffic
from stream import console as show
from stream.cli import main

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *("baseline", "bias", "explain", "model-server", "replay", "serve"),
    *("topics", "ingest", "worker", "doctor", "page"),
)


pytestmark = pytest.mark.usefixtures("handlers")


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], terminal_width=80)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output and "\x1b" not in result.output
    return result


@pytest.fixture
def baseline(tmp_path) -> Path:
    """A baseline of columns score, age, city."""
    directory: Path = settings_for(tmp_path / "out", tmp_path).baseline
    return directory


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def write(path: Path, records: Sequence[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = b"".join(record + b"\n" for record in records)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def clean() -> list[bytes]:
    """Traffic that is the training data itself, in one hour."""
    rows = table().to_pylist()
    return [capture(T0 + i, [(r["score"], r["age"], r["city"] or "")], f"e{i}") for i, r in enumerate(rows)]


def csv_capture(inputs: str, output: str, when: int = T0) -> bytes:
    record = json.loads(capture(when, [(0.5, 1, "x")], "w"))
    record["captureData"]["endpointInput"]["data"] = inputs
    record["captureData"]["endpointOutput"]["data"] = output
    return json.dumps(record).encode()


def summary(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "summary.json").read_bytes()))


def reports(out: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(out.glob("reports/**/report.json"))]


def letters(out: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in sorted(out.glob("errors/*")) for line in path.read_text().splitlines()
    ]


# what it says


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in COMMANDS)], ids=lambda command: " ".join(command) or "-"
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_fits_a_terminal_and_names_every_option(command, flag):
    result = run(*command, flag)
    assert result.exit_code == 0
    assert all(len(line) <= 80 for line in result.output.splitlines())
    options = main.commands[command[0]].params if command else main.params
    assert all(name in result.output for option in options for name in option.opts if name.startswith("--"))


def test_help_lists_the_commands_in_the_order_of_their_use():
    listed = re.findall(r"^  ([a-z][\w-]*)  +\S.*[^.]\.$", run("--help").output, re.MULTILINE)
    assert listed == list(COMMANDS)  # each with a sentence that is not cut off


def test_help_tells_the_exit_codes_and_what_comes_out():
    assert re.findall(r"^    (\d+) ", run("--help").output, re.MULTILINE) == ["0", "1", "2", "3", "130"]
    told = run("replay", "--help").output
    for name in ("index.html", "reports/", "captures/", "errors/", "alerts.jsonl", "summary.json"):
        assert name in told


def test_the_version_is_told():
    assert re.fullmatch(r"streamgauge, version \S+\n", run("--version").output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["replay", "--widow", "1h"], "No such option: --widow"),
        (["reply"], "No such command 'reply'"),
        (["replay", "x.jsonl", "--window", "an hour"], "'an hour' is not a duration: write 30s, 5m, 1h"),
        (["replay", "x.jsonl", "--config", "nowhere.toml"], "'nowhere.toml' does not exist"),
        (["replay"], "no captures: name files or directories, or set source.captures in --config"),
        (["replay", "x.jsonl"], "no baseline: give --baseline DIR, or set baseline in --config"),
        (["serve"], "no captures: give --captures, or set source.captures in --config"),
        (["serve", "--captures", "x"], "no baseline: give --baseline DIR"),
        (["baseline", "nowhere.csv", "-o", "b"], "'nowhere.csv' does not exist"),
        (["baseline", __file__], "Missing option '--output'"),
        (["page", "nowhere"], "'nowhere' does not exist"),
        (["page", "."], "no reports; name an output directory of replay or serve"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and __file__ not in value else "",
)
def test_wrong_use_is_told_in_one_sentence(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not any(tmp_path.iterdir())


def test_nothing_wrong_is_0(tmp_path, baseline, out):
    result = run("replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "Records  400: 400 rows, 0 bad, 0 late",
        "Windows  1: 0 with violations, 0 without data",
        f"Reports  {out}/reports",
        f"Rows     {out}/captures",
        f"Page     {out}/index.html",
    ]
    assert (out / "index.html").read_text().startswith("<!")
    assert summary(out) == {
        "counts": {"records": 400, "rows": 400, "bad": 0, "late": 0, "filtered": 0},
        "bad_by_reason": {},
        "reports": {"Completed": 1},
        "problems": [],
        "finished": True,
    }


def test_violations_are_3_and_shown_unless_zero_was_asked_for(tmp_path, baseline, out):
    captures = write(tmp_path / "a.jsonl", traffic(1_200))
    result = run("replay", captures, "-b", baseline, "-o", out, "--endpoint", "churn", "--variant", "blue")
    assert result.exit_code == 3
    assert f"\nAlerts   {out}/alerts.jsonl\n" in result.stdout
    title, header, _, *lines = result.stdout.splitlines()
    assert title.strip() == "What drifted when: churn/blue (2023, UTC)"
    assert header.split() == ["feature", "check", "windows", "first", "last", "distance"]
    assert any(
        re.fullmatch(r"age +baseline_drift +\d +11-15 0\d:00 +11-15 05:00 +0\.\d{3}", line) for line in lines
    )
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if str(tmp_path) not in line)
    again = run("replay", captures, "-b", baseline, "-o", f"{out}2", "--exit-zero")
    assert (again.exit_code, again.stdout.count("What drifted when")) == (0, 1)


def test_each_endpoint_has_its_own_table_and_its_own_reports(tmp_path, baseline, out):
    for endpoint in ("fraud", "churn"):
        write(tmp_path / f"in/{endpoint}/blue/2023/11/15/00/a.jsonl.gz", traffic(900))
    result = run("replay", tmp_path / "in", "-b", baseline, "-o", out)
    assert re.findall(r"What drifted when: (\S+)", result.stdout) == ["churn/blue", "fraud/blue"]
    assert {report["subject"]["endpoint"] for report in reports(out)} == {"churn", "fraud"}
    assert (out / "reports/fraud/blue/data_quality/2023/11/15/00/statistics.json").is_file()


def test_paths_are_printed_as_they_are(tmp_path, baseline):
    out = tmp_path / "out [red] :smile: with a name that is much longer than a line of any terminal is wide"
    result = run("replay", write(tmp_path / "[b].jsonl", [*clean(), b"{"]), "-b", baseline, "-o", out)
    assert f"Page     {out}/index.html\n" in result.stdout
    assert f"  1 json, such as {tmp_path}/[b].jsonl:401: Input data was truncated\n" in result.stdout


def test_with_verbose_windows_are_told_as_they_close(tmp_path, baseline, out):
    result = run("-v", "replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out)
    assert re.search(
        r"INFO \S+ window closed subject=default/AllTraffic .*start=2023-11-15T00:00:00Z", result.stderr
    )


# captures, baselines and directories that are not right


def test_of_damaged_and_late_records_each_is_kept_with_its_reason(tmp_path, baseline, out):
    good = clean()[:20]
    day_later = capture(T0 + 30 * HOUR, [(0.5, 40, "rome")], "next")
    not_text = good[2].replace(b'"data": "', b'"data": "\xff', 1)
    version = good[0].replace(b'"eventVersion": "0"', b'"eventVersion": "9"')
    lines = [
        *good,
        good[0][:100],
        not_text,
        version,
        b"",
        csv_capture("40", "0.5"),
        day_later,
        good[1],
    ]
    captures = write(tmp_path / "mixed.jsonl", lines)
    result = run("replay", captures, "-b", baseline, "-o", out)
    assert result.exit_code == 3
    found = [(letter["line"], letter["code"]) for letter in letters(out)]
    assert found == [(21, "json"), (22, "utf8"), (23, "version"), (25, "columns"), (27, "late")]
    assert {letter["source"] for letter in letters(out)} == {str(captures)}
    assert [letter.get("record", "").encode() for letter in letters(out)] == [
        lines[20],
        b"",
        version,
        lines[24],
        good[1],
    ]
    totals = summary(out)
    assert totals["counts"] == {"records": 26, "rows": 21, "bad": 4, "late": 1, "filtered": 0}
    assert totals["bad_by_reason"] == {"columns": 1, "json": 1, "utf8": 1, "version": 1}
    summed: Counter[str] = Counter()
    for report in reports(out):
        counts = report["counts"]
        assert counts["records"] == counts["rows"] + counts["bad"] + counts["late"]
        summed.update(counts)
    assert dict(summed) == totals["counts"] | {"late": 1}
    assert f"Errors   {out}/errors" in result.stdout
    assert (
        f"  1 columns, such as {captures}:25: 2 columns captured (1 output + 1 input), the baseline has 3"
        in result.stdout
    )
    assert "  1 late, such as " in result.stdout


def test_files_read_in_the_wrong_order_are_explained(tmp_path, baseline, out):
    write(tmp_path / "in/a.jsonl", [capture(T0 + 9 * HOUR, [(0.5, 40, "rome")], "late")])
    write(tmp_path / "in/b.jsonl", clean())
    result = run("replay", tmp_path / "in", "-b", baseline, "-o", out)
    assert summary(out)["counts"]["late"] == 400
    assert "read in order of their names" in result.stdout
    result = run("replay", tmp_path / "in", "-b", baseline, "-o", out, "--overwrite", "--lateness", "1d")
    assert summary(out)["counts"]["late"] == 0
    assert "read in order of their names" not in result.stdout


@pytest.mark.parametrize(
    ("inputs", "check", "seen"), [("40", "missing_column_check", 2), ("40,rome,x,y", "extra_column_check", 5)]
)
def test_a_baseline_that_does_not_fit_is_a_failure_with_a_reason(
    tmp_path, baseline, out, inputs, check, seen
):
    captures = write(tmp_path / "a.jsonl", [csv_capture(inputs, "0.5", T0 + i) for i in range(50)])
    result = run("replay", captures, "-b", baseline, "-o", out)
    assert result.exit_code == 1
    assert "not one record could be used. Does the baseline belong to this traffic?" in result.stderr
    assert f"  50 columns, such as {captures}:1: {seen} columns captured" in result.stdout
    (report,) = reports(out)
    assert [violation["constraint_check_type"] for violation in report["violations"]] == [check]
    assert (
        f"Number of columns in current dataset: {seen}, Number of columns in baseline constraints: 3"
        in (report["violations"][0]["description"])
    )
    assert report["counts"] == {"records": 50, "rows": 0, "bad": 50, "late": 0, "filtered": 0}
    assert len(letters(out)) == 50


def test_an_endpoint_without_a_baseline_is_told(tmp_path, baseline, out):
    config = tmp_path / "streamgauge.toml"
    config.write_text('[endpoints.fraud]\nbaseline = "baseline"\n')
    result = run("replay", write(tmp_path / "a.jsonl", clean()), "--config", config, "-o", out)
    assert result.exit_code == 1
    assert (
        "400 baseline, such as" in result.stdout and "no baseline is configured for default" in result.stdout
    )


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"features": [{"name": "age", "inferred_type": "Whole"}]}']
)
def test_broken_constraints_are_named(tmp_path, baseline, out, content):
    (baseline / "constraints.json").write_text(content)
    result = run("replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out)
    assert (result.exit_code, out.exists()) == (2, False)
    assert f"streamgauge: {baseline}/constraints.json: " in result.stderr


@pytest.mark.parametrize("name", ["nowhere", "nowhere.jsonl", "empty"])
def test_a_place_without_captures_is_named(tmp_path, baseline, out, name):
    (tmp_path / "empty").mkdir()
    result = run("replay", write(tmp_path / "a.jsonl", clean()), tmp_path / name, "-b", baseline, "-o", out)
    assert (result.exit_code, out.exists()) == (2, False)
    assert f"streamgauge: {tmp_path}/{name}: no " in result.stderr


def test_captures_without_a_record_are_a_failure_that_is_said(tmp_path, baseline, out):
    result = run("replay", write(tmp_path / "a.jsonl", []), "-b", baseline, "-o", out)
    assert (result.exit_code, result.stderr) == (1, "streamgauge: the captures hold no record\n")
    assert result.stdout.startswith("Records  0: 0 rows, 0 bad, 0 late\nWindows  0")


def test_a_damaged_file_is_a_failure_and_the_others_are_reported(tmp_path, baseline, out):
    write(tmp_path / "in/a.jsonl", clean())
    broken = write(tmp_path / "in/b.jsonl.gz", clean()[:50])
    broken.write_bytes(broken.read_bytes()[:-30])
    result = run("replay", tmp_path / "in", "-b", baseline, "-o", out)
    assert result.exit_code == 1
    (problem,) = summary(out)["problems"]
    assert f"streamgauge: {problem}" in result.stderr
    read = re.fullmatch(
        rf"{broken}: cannot be read beyond line (\d+): the compressed data is cut off", problem
    )
    assert read and summary(out)["counts"]["records"] == 400 + int(read[1])


def test_a_directory_of_other_things_is_left_alone(tmp_path, baseline, out):
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    for more in ((), ("--overwrite",)):
        result = run("replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out, *more)
        assert result.exit_code == 2
        assert f"{out}: holds files that streamgauge did not make; choose another directory" in result.stderr
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_an_empty_directory_may_be_the_output(tmp_path, baseline, out):
    out.mkdir()
    assert run("replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out).exit_code == 0


def test_an_output_that_cannot_be_made_is_told(tmp_path, baseline):
    (tmp_path / "file").touch()
    result = run(
        "replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", tmp_path / "file" / "out"
    )
    assert result.exit_code == 2
    assert f"{tmp_path}/file/out" in result.stderr


def test_a_finished_replay_is_replaced_only_when_told(tmp_path, baseline, out):
    captures = write(tmp_path / "a.jsonl", [*traffic(600), b"{"])
    arguments = ["replay", captures, "-b", baseline, "-o", out]
    assert run(*arguments).exit_code == 3
    before = results(out)
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"{out}: holds a finished replay; choose another directory, or --overwrite" in result.stderr
    assert results(out) == before
    (out / "notes.txt").write_text("mine")
    assert run(*arguments, "--overwrite").exit_code == 3
    same(results(out), before)
    write(captures, clean())
    assert run(*arguments, "--overwrite", "--window", "1d").exit_code == 0
    assert (len(reports(out)), letters(out), (out / "alerts.jsonl").exists()) == (1, [], False)
    assert (out / "notes.txt").read_text() == "mine"


def test_every_mistake_of_a_configuration_is_named(tmp_path, baseline, out):
    config = tmp_path / "streamgauge.toml"
    config.write_text('[window]\nsize = "long"\nlatenes = "5m"\n[checkpoint]\nrows = -1\n')
    result = run("replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out, "-c", config)
    assert (result.exit_code, out.exists()) == (2, False)
    assert result.stderr.splitlines() == [
        f"streamgauge: {config}: ",
        "  window.size: 'long' is not a duration: write 30s, 5m, 1h, 1d, or ISO 8601 such as PT1H",
        "  window.latenes: there is no such setting; did you mean window.lateness?",
        "  checkpoint.rows: must be greater than or equal to 1",
    ]


def test_a_configuration_says_it_all_and_options_stand_above_it(tmp_path, baseline):
    config = tmp_path / "conf" / "streamgauge.toml"
    config.parent.mkdir()
    config.write_text(
        'output = "out"\nbaseline = "../baseline"\nrows = "../rows"\n'
        '[source]\ncaptures = ["../in"]\nendpoint = "churn"\n[window]\nsize = "1d"\n'
    )
    write(tmp_path / "in/a.jsonl", clean())
    result = run("replay", "--config", config)
    assert result.exit_code == 0, result.stderr
    assert f"Rows     {tmp_path}/conf/../rows\n" in result.stdout
    assert len(list((tmp_path / "rows").rglob("*.parquet"))) == 1
    folder = "data_quality/2023/11/15/00/report.json"
    assert (tmp_path / "conf/out/reports/churn/AllTraffic" / folder).is_file()
    again = run("replay", "-c", config, "-o", tmp_path / "o2", "--window", "15m", "--endpoint", "fraud")
    assert again.exit_code == 0
    assert (tmp_path / "o2/reports/fraud/AllTraffic/data_quality/2023/11/15/00/00/report.json").is_file()


def test_the_page_is_made_anew(tmp_path, baseline, out):
    run("replay", write(tmp_path / "a.jsonl", traffic(600)), "-b", baseline, "-o", out)
    before = (out / "index.html").read_bytes()
    (out / "index.html").unlink()
    result = run("page", out)
    assert (result.exit_code, result.stdout) == (0, f"Page  {out}/index.html\n")
    assert (out / "index.html").read_bytes() == before


def test_a_sink_that_fails_is_a_failure_and_the_same_command_goes_on_once_it_works(
    tmp_path, baseline, out, monkeypatch
):
    monkeypatch.setattr("stream.replay._DELAYS", ())  # do not wait between tries
    config = tmp_path / "streamgauge.toml"
    config.write_text('rows = "rows"\n[checkpoint]\nrows = 100\n')
    (tmp_path / "rows").touch()  # a file where a directory should be
    arguments = ["replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out, "-c", config]
    result = run(*arguments)
    assert result.exit_code == 1
    assert re.match(rf"streamgauge: {tmp_path}/rows/.*Not a directory", result.stderr)
    assert result.stderr.endswith("; the same command goes on from here\n")
    result = run(*arguments, "--overwrite")
    assert result.stderr.endswith("; the same command without --overwrite goes on from here\n")
    (tmp_path / "rows").unlink()
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "going on where the last run stopped\n")
    assert summary(out)["counts"]["rows"] == 400
    assert pyarrow.dataset.dataset(tmp_path / "rows", format="parquet").count_rows() == 400


# the table of what drifted


def told(*reports: dict[str, Any]) -> str:
    console = Console(width=80, file=io.StringIO())
    for part in show.drift_tables(reports):
        console.print(part)
    return console.file.getvalue()  # type: ignore[attr-defined]


def report(
    start: str, end: str, endpoint: str = "churn", feature: str = "age", **drift: Any
) -> dict[str, Any]:
    violation = {"feature_name": feature, "constraint_check_type": "baseline_drift_check", "description": ""}
    return {
        "subject": {"endpoint": endpoint, "variant": "blue", "model": None},
        "window": {"start": start, "end": end},
        "violations": [violation],
        "drift": [{"feature_name": feature, "distance": 0.25, "method": "Robust", **drift}],
    }


def test_days_are_told_as_days_and_hours_with_their_minutes():
    days = told(report("2013-04-01T00:00:00Z", "2013-04-02T00:00:00Z"))
    assert (
        "churn/blue (UTC)" in days
        and "age      baseline_drift        1  2013-04-01  2013-04-01     0.250" in days
    )
    hours = told(report("2013-04-01T00:00:00Z", "2013-04-01T01:00:00Z"))
    assert "churn/blue (2013, UTC)" in hours and "04-01 00:00  04-01 00:00" in hours
    years = told(*(report(f"{year}-12-31T23:00:00Z", f"{year + 1}-01-01T00:00:00Z") for year in (2013, 2014)))
    assert "churn/blue (UTC)" in years and "2013-12-31  2014-12-31" in years


def test_the_largest_distance_is_shown_or_the_smallest_p_value():
    hours = [(f"2013-04-01T0{hour}:00:00Z", f"2013-04-01T0{hour + 1}:00:00Z") for hour in range(3)]
    distances = (0.1, 0.3, None)
    largest = told(*(report(*hour, distance=d) for hour, d in zip(hours, distances, strict=True)))
    assert re.search(r"baseline_drift +3 .* 0\.300\n", largest)
    smallest = told(
        *(report(*hour, distance=d, method="ChiSquared") for hour, d in zip(hours, distances, strict=True))
    )
    assert re.search(r"baseline_drift +3 .* p=0\.100\n", smallest)


def test_a_long_table_is_cut_and_says_so():
    hour = ("2013-04-01T05:00:00Z", "2013-04-01T06:00:00Z")
    one = told(*(report(*hour, feature=f"feature number {n} of this endpoint") for n in range(40)))
    assert one.count("baseline_drift") == 25 and "and 15 more: see the page" in one
    many = told(*(report(*hour, endpoint=f"e{n}") for n in range(9)))
    assert many.count("What drifted when") == 5 and "and 4 more endpoints: see the page" in many
    assert all(len(line) <= 80 for line in (one + many).splitlines())
    assert told(report(*hour) | {"violations": []}) == ""


# the baseline command


def files(tmp_path: Path) -> dict[str, Path]:
    """The same training data in every format."""
    data = table()
    pyarrow.csv.write_csv(data, tmp_path / "a.csv")
    pyarrow.csv.write_csv(data, tmp_path / "bare.csv", pyarrow.csv.WriteOptions(include_header=False))
    pyarrow.parquet.write_table(data, tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl", [json.dumps(row).encode() for row in data.to_pylist()])
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    return {path.name: path for path in tmp_path.iterdir() if path.is_file()}


def test_the_same_data_gives_the_same_baseline_in_every_format(tmp_path):
    made = {}
    for name, path in files(tmp_path).items():
        result = run("baseline", path, "--output", tmp_path / "made" / name)
        assert result.exit_code == 0, result.stderr
        made[name] = json.loads((tmp_path / "made" / name / "constraints.json").read_bytes())
        assert (
            json.loads((tmp_path / "made" / name / "statistics.json").read_bytes())["dataset"]["item_count"]
            == 400
        )
    bare = made.pop("bare.csv")
    assert [feature["name"] for feature in bare["features"]] == ["_c0", "_c1", "_c2"]
    for feature, name in zip(bare["features"], ("score", "age", "city"), strict=True):
        feature["name"] = name
    assert bare == made["a.csv"] == made["a.csv.gz"] == made["a.jsonl"] == made["a.parquet"]


def test_a_baseline_is_told_in_three_lines(tmp_path):
    path = files(tmp_path)["a.csv"]
    assert run("baseline", path, "-o", tmp_path / "b").stdout.splitlines() == [
        "Rows      400",
        "Columns   3 (1 Fractional, 1 Integral, 1 String): score, age, city",
        f"Baseline  {tmp_path}/b/statistics.json, {tmp_path}/b/constraints.json",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "the file is empty"),
        ("a.csv", "a,b\n1,2\n3\n", "line 3: 1 columns, and the first line has 2"),
        ("a.jsonl", '{"a": 1}\n{"a"', "line 2: Input data was truncated"),
        ("a.parquet", "x", "Parquet"),
    ],
)
def test_data_that_cannot_be_read_is_named_and_leaves_nothing(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    result = run("baseline", tmp_path / name, "-o", tmp_path / "b")
    assert (result.exit_code, (tmp_path / "b").exists()) == (2, False)
    assert result.stderr.startswith(f"streamgauge: {tmp_path}/{name}: ") and message in result.stderr


def test_the_captures_of_model_monitors_introduction(shared, tmp_path, out):
    """Real captures against the baseline of their real training data."""
    captures = shared / "data/captures"
    made = run("baseline", captures / "churn/training-dataset-with-header.csv.gz", "-o", tmp_path / "b")
    assert made.stdout.startswith(
        "Rows      2,333\nColumns   70 (4 Fractional, 66 Integral): Churn, Account Length, "
    )
    result = run("replay", captures / "churn-endpoint-csv.jsonl", "-b", tmp_path / "b", "-o", out)
    assert result.exit_code == 3  # the output is a probability, the column in the training data 0 or 1
    assert "Records  3: 3 rows, 0 bad, 0 late" in result.stdout
    (report,) = reports(out)
    checks = [(v["feature_name"], v["constraint_check_type"]) for v in report["violations"]]
    assert checks == [("Churn", "data_type_check")]
    alerts = [json.loads(line) for line in (out / "alerts.jsonl").read_text().splitlines()]
    assert [alert["violation"] for alert in alerts] == report["violations"]


def test_interrupted_anywhere_the_same_command_goes_on_to_the_same_result(tmp_path, baseline, out):
    """Ctrl-C in a process of its own, each time when it has just closed some windows."""
    captures = write(tmp_path / "a.jsonl", traffic(12_000, hours=120))
    assert run("replay", captures, "-b", baseline, "-o", out, "--endpoint", "churn").exit_code == 3
    elsewhere = tmp_path / "interrupted"
    code = "from stream.cli import main; main()"
    options = ["-v", "replay", captures, "-b", baseline, "-o", elsewhere, "--endpoint", "churn"]
    command = [sys.executable, "-c", code, *map(str, options)]
    for windows in (1, 40):
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        closed = 0
        for line in process.stderr:
            closed += "window closed" in line
            if closed == windows:
                break
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (130, ""), stderr
        assert stderr.endswith("\nstopped; the same command goes on from here\n")
    last = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert last.returncode == 3, last.stderr
    assert "going on where the last run stopped\n" in last.stderr
    same(results(elsewhere), results(out))


def test_overwrite_does_not_mix_old_rows_with_new_ones(tmp_path, baseline, out):
    config = tmp_path / "streamgauge.toml"
    config.write_text('rows = "rows"\n')
    arguments = ["replay", write(tmp_path / "a.jsonl", clean()), "-b", baseline, "-o", out, "-c", config]
    assert run(*arguments).exit_code == 0
    refused = run(*arguments, "--overwrite")
    assert refused.exit_code == 2
    assert "does not take away rows in another place" in refused.stderr
    shutil.rmtree(tmp_path / "rows")
    assert run(*arguments, "--overwrite").exit_code == 0
    assert pyarrow.dataset.dataset(tmp_path / "rows", format="parquet").count_rows() == 400


def test_two_runs_may_share_a_place_for_rows(tmp_path, baseline):
    config = tmp_path / "streamgauge.toml"
    config.write_text('rows = "rows"\n')
    captures = write(tmp_path / "a.jsonl", clean())
    for name in ("one", "two"):
        assert run("replay", captures, "-b", baseline, "-o", tmp_path / name, "-c", config).exit_code == 0
    assert pyarrow.dataset.dataset(tmp_path / "rows", format="parquet").count_rows() == 800


def test_an_output_or_baseline_that_is_not_on_this_machine_is_refused(tmp_path, baseline):
    captures = write(tmp_path / "a.jsonl", clean())
    result = run("replay", captures, "-b", "s3://bucket/base", "-o", "s3://bucket/out")
    assert result.exit_code == 2
    assert "output: s3://bucket/out is not on this machine" in result.stderr
    assert "baseline: s3://bucket/base is not on this machine" in result.stderr


def test_an_endpoint_without_a_baseline_is_a_failure_that_is_said(tmp_path, baseline, out):
    config = tmp_path / "streamgauge.toml"
    config.write_text(f"[endpoints.churn]\nbaseline = {str(baseline)!r}\n")
    write(tmp_path / "in/churn/blue/2023/11/15/00/a.jsonl", clean())
    write(tmp_path / "in/fraud/blue/2023/11/15/00/a.jsonl", clean()[:3])
    result = run("replay", tmp_path / "in", "-o", out, "-c", config)
    assert result.exit_code == 1
    assert "no baseline for the endpoint of 3 records" in result.stderr
    assert summary(out)["counts"] == {"records": 403, "rows": 400, "bad": 3, "late": 0, "filtered": 0}


def test_a_baseline_may_withhold_the_values_of_single_rows(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("age,name\n" + "".join(f"{20 + i},n{i}\n" for i in range(40)))
    for flag, told in (([], True), (["--withhold-values"], False)):
        assert run("baseline", data, "-o", tmp_path / "baseline", *flag).exit_code == 0
        text = (tmp_path / "baseline" / "statistics.json").read_text()
        assert ('"sketch"' in text, '"n7"' in text) == (told, told)
    assert '"n7"' not in (tmp_path / "baseline" / "constraints.json").read_text()
