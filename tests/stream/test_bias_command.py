"""The command `bias`, and bias of windows in a replay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from click.testing import CliRunner, Result

from made import HOUR, T0, capture, settings_for
from schemas.layout import Layout
from stream.bias import read_config
from stream.cli import main
from stream.replay import Replay
from stream.window_bias import with_output

CONFIG = {
    "label": "label",
    "label_values_or_threshold": [1],
    "predicted_label": "predicted",
    "facet": [{"name_or_index": "sex", "value_or_threshold": ["F"]}],
}


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["bias", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def people(place: Path, n: int, gap: float, seed: int, header: bool = True) -> Path:
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], n)
    predicted = (rng.random(n) < np.where(sex == "F", 0.6 - gap, 0.6)).astype(int)
    table = pa.table(
        {"label": rng.integers(0, 2, n), "predicted": predicted, "sex": sex, "age": rng.integers(18, 80, n)}
    )
    pyarrow.csv.write_csv(table, place, pyarrow.csv.WriteOptions(include_header=header))
    return place


@pytest.fixture
def config(tmp_path) -> Path:
    place = tmp_path / "analysis_config.json"
    place.write_text(json.dumps(CONFIG))
    return place


def test_a_report_is_made_and_held_against_an_earlier_one(tmp_path, config):
    before, fair, unfair = (
        people(tmp_path / f"{name}.csv", 2_000, gap, seed)
        for seed, (name, gap) in enumerate({"before": 0.0, "fair": 0.0, "unfair": 0.3}.items())
    )
    assert run(before, "-c", config, "-o", tmp_path / "base").exit_code == 0
    assert [path.name for path in (tmp_path / "base").iterdir()] == ["analysis.json"]
    assert run(fair, "-c", config, "-b", tmp_path / "base", "-o", tmp_path / "fair").exit_code == 0
    result = run(unfair, "-c", config, "-b", tmp_path / "base/analysis.json", "-o", tmp_path / "unfair")
    assert result.exit_code == 3
    assert "DPPL" in result.output and "violation" in result.output
    found = json.loads((tmp_path / "unfair/constraint_violations.json").read_text())
    assert found["version"] == "1.0"
    first = {v["metric_name"]: v for v in found["violations"]}["DPPL"]
    assert (first["facet"], first["facet_value"]) == ("sex", "F")
    assert first["constraint_check_type"] == "bias_drift_check"
    again = run(fair, "-c", config, "-b", tmp_path / "base", "-o", tmp_path / "fair", "--compatible")
    assert again.exit_code == 3
    assert run(
        fair, "-c", config, "-b", tmp_path / "base", "-o", tmp_path / "x", "--compatible", "--exit-zero"
    ).exit_code == 0  # fmt: skip


def test_headers_name_the_columns_of_a_file_without_any(tmp_path):
    headers = {"headers": ["label", "predicted", "sex", "age"]}
    by_index = CONFIG | headers | {"label": 0, "facet": [{"name_or_index": 2, "value_or_threshold": ["F"]}]}
    for name, chosen in {"named": CONFIG, "index": by_index}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(chosen))
        data = people(tmp_path / f"{name}.csv", 300, 0.1, 5, header=name == "named")
        assert run(data, "-c", tmp_path / f"{name}.json", "-o", tmp_path / name).exit_code == 0
    named, index = (tmp_path / name / "analysis.json" for name in ("named", "index"))
    assert named.read_text() == index.read_text()


def test_clarifys_json_is_read_by_its_paths(shared, tmp_path):
    folder = shared / "data/pairs/adult-bias-monitor-endpoint"
    data, chosen = folder / "validation-dataset.json", folder / "analysis_config.json"
    assert run(data, "-c", chosen, "-b", folder, "-o", tmp_path / "out", "--compatible").exit_code == 0
    ours, theirs = (
        {
            m["name"]: m["value"]
            for m in json.loads((place / "analysis.json").read_text())["pre_training_bias_metrics"]["facets"][
                "Sex"
            ][0]["metrics"]
        }
        for place in (tmp_path / "out", folder)
    )
    assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"facet": [{"name_or_index": "race"}]}, "facet race: its values are not known"),
        ({"label": "truth"}, "the data has no column truth"),
        ({"facet": []}, "facet is missing"),
        (
            {"predicted_label": None, "methods": {"post_training_bias": {"methods": "all"}}},
            "need predicted_label or probability",
        ),
        ({"label_values_or_threshold": None}, "which labels are positive"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, change, said):
    data = people(tmp_path / "data.csv", 50, 0.0, 1)
    (tmp_path / "bad.json").write_text(json.dumps(CONFIG | change))
    result = run(data, "-c", tmp_path / "bad.json", "-o", tmp_path / "out")
    assert result.exit_code == 2 and said in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_a_captured_output_is_the_prediction_though_it_has_the_labels_name(tmp_path):
    (tmp_path / "c.json").write_text(
        json.dumps({k: v for k, v in CONFIG.items() if k != "predicted_label"} | {"label": "y"})
    )
    chosen = read_config(tmp_path / "c.json", ())
    found = with_output(chosen, Layout({"y": "Integral", "sex": "String"}))
    assert (found.label, found.predicted, found.probability) == (None, "y", None)
    found = with_output(chosen, Layout({"y": "Fractional", "sex": "String"}, ("y",)))
    assert (found.label, found.predicted, found.probability) == (None, None, "y")
    found = with_output(chosen, Layout({"sex": "String", "y": "Integral", "p": "Integral"}, ("p",)))
    assert (found.label, found.predicted) == ("y", "p")


def test_windows_of_a_replay_are_judged_by_the_baselines_analysis(tmp_path):
    """Traffic that is fair in its first hours, and then not: score, age and city, of which rome is apart."""
    rng = np.random.default_rng(3)
    captures = tmp_path / "captures.jsonl"
    records = []
    positive: dict[str, list[bool]] = {"rome": [], "oslo": []}
    for i in range(3_000):
        city = str(rng.choice(["rome", "oslo"]))
        hour = i // 750
        score = rng.random() * (0.6 if hour >= 2 and city == "rome" else 1.0)
        if hour == 3:
            positive[city].append(round(score, 6) > 0.5)
        when = T0 + hour * HOUR + i % 750 * 4_000
        records.append(capture(when, [(round(score, 6), int(rng.integers(18, 80)), city)], f"e{i}"))
    captures.write_bytes(b"\n".join(records) + b"\n")
    chosen = {"probability": "score", "label_values_or_threshold": [1]}
    chosen |= {"facet": [{"name_or_index": "city", "value_or_threshold": ["rome"]}]}
    (tmp_path / "bias.json").write_text(json.dumps(chosen))
    settings = settings_for(tmp_path / "out", captures, bias=str(tmp_path / "bias.json"))
    scores = rng.random(2_000)
    table = pa.table({"score": scores, "age": [30] * 2_000, "city": rng.choice(["rome", "oslo"], 2_000)})
    pyarrow.csv.write_csv(table, tmp_path / "training.csv")
    out = settings.baseline
    assert run(tmp_path / "training.csv", "-c", tmp_path / "bias.json", "-o", out).exit_code == 0
    replay = Replay(settings)
    replay.run(lambda done, total: None)
    replay.close()
    reports = sorted((tmp_path / "out/reports").glob("churn/AllTraffic/bias/**/report.json"))
    assert len(reports) == 4
    documents = [json.loads(path.read_text()) for path in reports]
    names = [{v["metric_name"] for v in document["violations"]} for document in documents]
    assert names[:2] == [set(), set()]
    assert all({"DPPL", "DI"} <= found for found in names[2:])
    folder = reports[3].parent
    assert json.loads((folder / "constraint_violations.json").read_text())["version"] == "1.0"
    analysed = json.loads((folder / "analysis.json").read_text())
    metrics = {m["name"]: m for m in analysed["post_training_bias_metrics"]["facets"]["city"][0]["metrics"]}
    dppl = np.mean(positive["oslo"]) - np.mean(positive["rome"])
    assert metrics["DPPL"]["value"] == pytest.approx(dppl, abs=1e-12)
    assert metrics["DPPL"]["interval"][0] < dppl < metrics["DPPL"]["interval"][1]
    assert metrics["AD"]["value"] is None and metrics["AD"]["error"].endswith("a label and a prediction")
    since = {v["metric_name"]: v["first_seen"] for v in documents[3]["violations"]}
    assert since["DPPL"] == documents[2]["window"]["start"]
    alerts = [json.loads(line) for line in (tmp_path / "out/alerts.jsonl").read_text().splitlines()]
    ours = [alert for alert in alerts if alert["monitor"] == "bias"]
    assert len({alert["id"] for alert in ours}) == len(ours) == sum(map(len, names))
