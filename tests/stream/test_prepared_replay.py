"""Handler, filter, monitors of one's own and segments together, through the host that runs them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from made import HOUR, SUBJECT, T0, capture, frames, results, same, settings_for, table, traffic
from schemas.errors import BadBaseline, ConfigError
from schemas.frame import Frame
from schemas.times import END_OF_TIME
from stream.baseline import make_baseline
from stream.cli import main
from stream.embedded import Embedded, Outputs
from stream.log import Log
from stream.settings import load
from stream.setup import Setups

EXAMPLES = Path(__file__).parents[2] / "examples"
RECORDS = traffic(150)
CHOSEN: dict[str, Any] = {
    "preprocessor": EXAMPLES / "preprocessors/by_name.py",
    "filter": {"sample": 0.8, "drop": [{"event_id": {"matches": "5$"}}, {"column": {"age": [18, "95"]}}]},
    "monitors": [EXAMPLES / "monitors/unsure.py"],
    "monitor_settings": {"unsure": {"at_most": 0.2}},
    "segments": ["city"],
    "max_segments": 2,
}


class Crash(Exception):
    """Stands for SIGKILL: nothing after it happens."""


def host(out: Path, store: Log, rows: int = 1_000, **chosen: Any) -> Embedded:
    made = settings_for(out, out.parent / "none", checkpoint={"rows": rows}, **chosen)
    return Embedded(made, store, Setups(made), Outputs.of(made), lambda action: action())


def run(out: Path, parts: list[Frame], rows: int = 1_000, crash_at: int = 0, **chosen: Any) -> Any:
    """Everything that comes of `parts`; with `crash_at`, the host dies at that commit and starts again."""
    store = Log(out / "streamgauge.sqlite")
    work = host(out, store, rows, **chosen)
    work.append([*parts, Frame.completion(SUBJECT, END_OF_TIME)])
    if crash_at:
        crash(work, store, crash_at)
        store.close()
        store = Log(out / "streamgauge.sqlite")
        work = host(out, store, rows, **chosen)
    work.pump()
    work.checkpoint()
    work.write_summary()
    store.close()
    return results(out)


def crash(work: Embedded, store: Log, at: int) -> None:
    commit, done = store.commit, 0

    def crashing(*arguments: Any) -> None:
        nonlocal done
        done += 1
        if done >= at:
            raise Crash
        commit(*arguments)

    store.commit = crashing  # type: ignore[method-assign]
    with contextlib.suppress(Crash):
        work.pump()
        work.checkpoint()


@cache
def undisturbed(records: tuple[bytes, ...] = tuple(RECORDS)) -> Any:
    with tempfile.TemporaryDirectory() as directory:
        return run(Path(directory) / "out", frames(records), **CHOSEN)


def test_every_record_is_accounted_for_and_every_monitor_reports():
    found = undisturbed()
    counts = found["summary"]["counts"]
    reports = {name: document for name, document in found.items() if name.endswith("report.json")}
    monitors = {document["monitor"] for document in reports.values()}
    assert monitors == {"data_quality", "data_quality.city", "unsure"}
    assert counts["records"] == 150 and counts["bad"] == 1 and counts["filtered"] > 30
    assert found["letters"] == [["", 0, "json"]]
    events = {row[0] for row in found["rows"]}
    assert len(events) == 150 - counts["bad"] - counts["late"] - counts["filtered"]
    assert not [name for name in events if name.endswith("5")]
    for monitor in monitors:
        own = [document["counts"] for document in reports.values() if document["monitor"] == monitor]
        assert sum(count["filtered"] for count in own) == counts["filtered"]
    values = [document["unsure"] for name, document in found.items() if name.endswith("metrics.json")]
    assert values and all(0 < value < 0.5 for value in values if value is not None)
    segments = [document for name, document in found.items() if name.endswith("segments.json")]
    listed = sum(entry["rows"] for document in segments for entry in document["segments"])
    assert listed + sum(document["other"]["rows"] for document in segments) == counts["rows"]
    assert all(len(document["segments"]) == 2 for document in segments)


@settings(max_examples=12, deadline=None)
@given(
    cuts=st.lists(st.integers(1, len(RECORDS) - 1), max_size=20),
    rows=st.sampled_from([15, 60, 1_000]),
    crash_at=st.integers(0, 4),
)
def test_any_frames_and_any_crash_give_the_same_reports(cuts, rows, crash_at):
    readable = [record for record in RECORDS if record.endswith(b"}")]
    with tempfile.TemporaryDirectory() as directory:
        found = run(Path(directory) / "out", frames(readable, cuts), rows, crash_at, **CHOSEN)
    same(found, undisturbed(tuple(readable)))


def test_what_is_filtered_is_in_no_parquet_and_no_error_file(tmp_path):
    records = [capture(T0, [(0.5, 40, "rome")], name) for name in ("real", "test-1")]
    chosen = {"drop": [{"event_id": {"prefix": "test-"}}]}
    found = run(tmp_path / "out", frames(records), filter=chosen)
    assert found["summary"]["counts"] == {"records": 2, "rows": 1, "bad": 0, "late": 0, "filtered": 1}
    assert [row[0] for row in found["rows"]] == ["real"]
    assert not list((tmp_path / "out/errors").glob("*"))


def test_a_handler_that_raises_keeps_the_record_with_its_line(tmp_path):
    script = tmp_path / "handler.py"
    script.write_text("def preprocess_handler(record):\n    raise KeyError('gone')\n")
    records = [capture(T0, [(0.5, 40, "rome")], "e1")]
    out = tmp_path / "out"
    store = Log(out / "streamgauge.sqlite")
    work = host(out, store, preprocessor=script)
    work.append(frames(records))
    work.pump()
    work.checkpoint()
    store.close()
    [letter] = [json.loads(line) for line in next((out / "errors").iterdir()).read_text().splitlines()]
    assert letter["code"] == "preprocessor"
    assert letter["reason"] == f"{script}, line 2: KeyError: 'gone'"
    assert letter["record"].encode() == records[0]


def test_a_monitor_that_raises_takes_no_window_and_no_other_monitor_down(tmp_path):
    (tmp_path / "fragile.py").write_text(
        "from monitors.custom import register\n\n@register\nclass Fragile:\n"
        "    '''Breaks.'''\n    name = 'fragile'\n"
        "    def observe(self, columns):\n        return {'n': 1 / 0}\n"
        "    def finish(self, sums):\n        return 1.0\n"
    )
    records = [capture(T0, [(0.5, 40, "rome")], "e1"), capture(T0 + 2 * HOUR, [(0.5, 40, "rome")], "e2")]
    monitors = [tmp_path / "fragile.py", EXAMPLES / "monitors/unsure.py"]
    found = run(tmp_path / "out", frames(records), monitors=monitors)
    folder = "reports/churn/AllTraffic/{}/2023/11/15/00/{}.json"
    [violation] = found[folder.format("fragile", "report")]["violations"]
    assert violation["constraint_check_type"] == "monitor_error"
    assert found[folder.format("unsure", "metrics")] == {"unsure": 1.0}
    assert "data_quality" in str(sorted(found))


def test_what_is_printed_counts_a_window_once_and_names_segments(tmp_path, monkeypatch):
    monkeypatch.setattr("sinks.page.write_page", lambda directory: None)
    make_baseline(table(), tmp_path / "baseline", [["city"]])
    records = [capture(T0 + i, [(0.5, 60 + i % 20, "rome")], f"e{i}") for i in range(60)]
    records += [capture(T0 + i, [(0.1 + i / 100, 18 + i % 60, "oslo")], f"t{i}") for i in range(60)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(records) + b"\n")
    (tmp_path / "streamgauge.toml").write_text(
        'baseline = "baseline"\noutput = "out"\nsegments = ["city"]\n'
        'filter.drop = [{ event_id = { in = ["e1", "e2"] } }]\n'
    )
    arguments = ["replay", str(tmp_path / "a.jsonl"), "-c", str(tmp_path / "streamgauge.toml")]
    printed = CliRunner().invoke(main, arguments).stdout
    assert "Records  120: 118 rows, 0 bad, 0 late, 2 filtered" in printed
    assert "Windows  1: 1 with violations, 0 without data" in printed
    assert "age [rome]" in printed
    (tmp_path / "streamgauge.toml").write_text('baseline = "baseline"\nfilter.sample = 1e-12\n')
    result = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "none")])
    assert "every record was left out" in result.output


def with_baseline(tmp_path: Path, *segments: list[str], **chosen: Any) -> Setups:
    make_baseline(table(), tmp_path / "baseline", segments, 2)
    return Setups(load(None, {"baseline": tmp_path / "baseline", **chosen}))


def names(setups: Setups) -> list[str]:
    return [monitor.name for monitor in setups.monitors(SUBJECT)]


def test_segments_of_the_baseline_are_used_where_it_has_them(tmp_path, caplog):
    setups = with_baseline(tmp_path, ["city"], segments=["city"])
    assert names(setups) == ["data_quality", "data_quality.city"]
    assert not caplog.records
    with_baseline(tmp_path / "without", segments=["city"])
    assert "held against the baseline of all rows" in caplog.text


def test_segments_may_be_listed_or_be_combinations(tmp_path):
    listed = [{"columns": ["age"], "values": [40, "41"]}, ["city", "age"], {"columns": ["city"]}]
    setups = with_baseline(tmp_path, ["city", "age"], segments=listed)
    assert names(setups)[1:] == ["data_quality.age", "data_quality.city-age", "data_quality.city"]


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"segments": ["age"]}, "has not counted the values of age.*baseline --segments age"),
        ({"segments": ["gate"]}, "has no column gate"),
        ({"segments": ["city", "city"]}, "two monitors of the name data_quality.city"),
        ({"segments": [["city", "city"]]}, "segments.0: names a column twice"),
        ({"segments": [{"columns": ["age"], "values": [["1", "2"]]}]}, "each of values must be of 1 columns"),
        (
            {"segments": [{"columns": ["age"], "values": [1, 2, 3]}], "max_segments": 2},
            "3 values are listed, and max_segments is 2",
        ),
        ({"monitor_settings": {"unsure": {"at_most": 1}}}, "there is no monitor unsure"),
        ({"monitors": ["nowhere.py"]}, "nowhere.py: No such file"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_told_at_the_start(tmp_path, chosen, reason):
    with pytest.raises(ConfigError, match=reason):
        with_baseline(tmp_path, **chosen)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", "registers no monitor; put @register above its class"),
        (
            "from monitors.custom import register\n@register\nclass A:\n    name = 'a'\n",
            "line 2: A has no docst",
        ),
        ("x =", "line 1: SyntaxError"),
        (
            "from monitors.custom import register\n@register\nclass A:\n    'A.'\n    name = 'a'\n"
            "    def __init__(self, x): pass\n    def observe(self, c): pass\n"
            "    def finish(self, s): pass\n",
            "A cannot be made without arguments",
        ),
    ],
)
def test_a_file_of_monitors_that_cannot_be_used_is_told_at_the_start(tmp_path, text, reason):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ConfigError, match=rf"mine\.py.*{reason}"):
        with_baseline(tmp_path, monitors=[tmp_path / "mine.py"])


def test_two_files_cannot_have_monitors_of_one_name(tmp_path):
    text = (EXAMPLES / "monitors/unsure.py").read_text()
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match="two monitors of the name unsure"):
        with_baseline(tmp_path, monitors=[tmp_path / "a.py", tmp_path / "b.py"])


def test_an_endpoint_has_its_own_in_place_of_those_for_all(tmp_path):
    chosen = {
        "endpoints": {"churn": {"filter": {"sample": 0.5}, "monitors": []}, "fraud": {"segments": ["city"]}},
        "monitors": [EXAMPLES / "monitors/unsure.py"],
        "preprocessor": CHOSEN["preprocessor"],
    }
    setups = with_baseline(tmp_path, **chosen)
    assert names(setups) == ["data_quality"]
    churn, fraud = (setups.of(type(SUBJECT)(name)) for name in ("churn", "fraud"))
    assert [monitor.name for monitor in fraud.monitors] == ["data_quality", "data_quality.city", "unsure"]
    assert (churn.filter.sample, fraud.filter.sample) == (0.5, 1.0)
    assert churn.handler is fraud.handler is not None


def test_a_damaged_baseline_of_a_segment_is_told(tmp_path):
    make_baseline(table(), tmp_path / "baseline", [["city"]])
    (tmp_path / "baseline/segments/city/rome/statistics.json").write_text("{")
    with pytest.raises(BadBaseline, match=r"rome/statistics\.json"):
        Setups(load(None, {"baseline": tmp_path / "baseline", "segments": ["city"]}))


def test_rows_of_a_handler_are_delivered_as_any_others(tmp_path):
    run(tmp_path / "out", frames(RECORDS), **CHOSEN)
    stored = pyarrow.dataset.dataset(tmp_path / "out/captures", format="parquet").to_table()
    assert stored["age"].type == "int64" and stored["score"].type == "double"
