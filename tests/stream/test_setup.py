"""What each subject is watched by, and how a baseline directory that does not fit is told."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from msgspec import UNSET

from made import settings_for
from schemas.errors import BadBaseline
from schemas.frame import Subject
from schemas.rows import Rows
from stream.settings import load
from stream.setup import Setups, read_baseline


@pytest.fixture
def directory(tmp_path):
    """A baseline directory of columns score, age and city."""
    return settings_for(tmp_path / "out", tmp_path).baseline


def edit(directory, name, change):
    path = directory / name
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def test_an_endpoint_has_its_own_baseline_and_others_the_default(directory, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(directory, own)
    edit(own, "constraints.json", lambda document: document["features"].pop())
    endpoints = {"fraud": {"baseline": own}, "late": {"columns": {"outputs": ["score"]}}}
    setups = Setups(load(None, {"baseline": directory, "endpoints": endpoints}))
    columns = {name: [*setups.of(Subject(name)).layout.columns] for name in ("churn", "fraud", "late")}
    assert columns == {
        "churn": ["score", "age", "city"],
        "fraud": ["score", "age"],
        "late": ["score", "age", "city"],
    }
    outputs = {name: setups.of(Subject(name)).layout.outputs for name in columns}
    assert outputs == {"churn": None, "fraud": None, "late": ("score",)}
    assert [monitor.name for monitor in setups.monitors(Subject("fraud", "blue"))] == ["data_quality"]


def test_an_endpoint_without_a_baseline_is_watched_by_nothing(directory):
    setups = Setups(load(None, {"endpoints": {"fraud": {"baseline": directory}}}))
    assert setups.of(Subject("churn")) is None
    assert setups.monitors(Subject("churn")) == ()
    assert setups.of(Subject("fraud")) is not None


def test_outputs_may_stand_last(directory):
    settings = load(None, {"baseline": directory, "columns": {"output_position": "END"}})
    assert Setups(settings).of(Subject()).layout.output_position == "END"


def test_outputs_that_the_baseline_does_not_have_are_named(directory):
    settings = load(None, {"baseline": directory, "columns": {"outputs": ["score", "price"]}})
    with pytest.raises(BadBaseline, match="price"):
        Setups(settings)


def test_a_mistake_in_any_baseline_shows_at_the_start(directory, tmp_path):
    settings = load(None, {"baseline": directory, "endpoints": {"fraud": {"baseline": tmp_path / "nowhere"}}})
    with pytest.raises(BadBaseline, match=r"nowhere: no such directory"):
        Setups(settings)


def test_without_statistics_there_are_still_constraints(directory):
    (directory / "statistics.json").unlink()
    baseline = read_baseline(directory)
    assert [*baseline.constraints.rules] == ["score", "age", "city"]
    assert not any(reference.sample for reference in baseline.references.values())


@pytest.mark.parametrize("name", ["constraints.json", "statistics.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"{}"])
def test_a_broken_file_is_named(directory, name, content):
    (directory / name).write_bytes(content)
    with pytest.raises(BadBaseline, match=f"{directory}/{name}: "):
        read_baseline(directory)


def test_a_directory_without_constraints_says_what_a_baseline_is(directory, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadBaseline, match=r"empty: no constraints\.json; .*`streamgauge baseline`"):
        read_baseline(tmp_path / "empty")


def test_a_file_in_place_of_the_directory_is_told(directory):
    with pytest.raises(BadBaseline, match=r"constraints\.json: is a file; name its directory"):
        read_baseline(directory / "constraints.json")


def test_files_that_do_not_belong_together_are_told(directory):
    edit(directory, "statistics.json", lambda document: document["features"].pop())
    with pytest.raises(BadBaseline, match=f"{directory}: .*city"):
        read_baseline(directory)


def test_baselines_of_model_monitor_are_read(shared):
    for place in ("data/pairs/sdk-data-quality", "spec/examples/model-monitor"):
        assert read_baseline(shared / place).layout().columns


def rows_of(ages):
    table = pa.table({"score": pa.array([0.5] * len(ages)), "age": ages, "city": ["rome"] * len(ages)})
    return Rows(table, np.arange(len(ages)), np.zeros(len(ages), np.int64))


def checked(directory, ages, **checks):
    """Checks that fire, and whether the sketch of `age` is told, in a window of these ages."""
    settings = load(None, {"baseline": directory, "checks": checks})
    (monitor,) = Setups(settings).monitors(Subject())
    finding = monitor.finish(monitor.observe(rows_of(ages)))
    fired = {v.constraint_check_type for v in finding.violations if v.feature_name == "age"}
    (age,) = [f for f in finding.documents["statistics.json"].features if f.name == "age"]
    return fired, age.numerical_statistics.distribution.kll.sketch is not UNSET


def test_settings_say_when_a_difference_counts(directory):
    far = [90] * 20
    assert checked(directory, far) == (set(), True)  # fewer than 30
    assert checked(directory, far, minimum_sample_size=20) == ({"baseline_drift_check"}, True)
    assert checked(directory, far, minimum_sample_size=0, false_discovery_rate=1.0) == (
        {"baseline_drift_check"},
        True,
    )
    assert checked(directory, far, minimum_sample_size=20, false_discovery_rate=0.0)[0] == set()


def test_settings_keep_values_of_single_rows_to_themselves(directory):
    assert checked(directory, [30] * 5, withhold_values=True)[1] is False
