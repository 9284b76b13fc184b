"""An endpoint's two monitors of bias: where labels and predictions are, and what is carried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from made import T0, capture, settings_for
from monitors.bias.joined import ModelBias
from schemas.errors import ConfigError
from schemas.frame import Subject
from schemas.labelled import Labelled
from stream.replay import Replay
from stream.setup import Setups

ROME = {"name_or_index": "city", "value_or_threshold": ["rome"]}
OLD = {"name_or_index": "age", "value_or_threshold": [40], "continuous": True}
CONFIG = {"label": "late", "label_values_or_threshold": [1], "facet": [ROME]}
BINARY = {"problem_type": "BinaryClassification"}
LABELS = {"places": ["truth"]}
OWN = """
from monitors.custom import register

@register
class Mine:
    "Rows."
    name = "model_bias"

    def observe(self, columns):
        return {"rows": len(columns)}

    def finish(self, sums):
        return sums["rows"]
"""


def setups(work: Path, config: dict[str, Any], quality: dict[str, Any], **more: Any) -> Setups:
    (work / "bias.json").write_text(json.dumps(config))
    given = {"bias": str(work / "bias.json"), "quality": quality, "labels": LABELS} | more
    return Setups(settings_for(work / "out", work, **given))


def carried(work: Path, config: dict[str, Any], quality: dict[str, Any]) -> tuple[str, ...]:
    setup = setups(work, config, quality).quality(Subject())
    assert setup is not None and [m.name for m in setup.monitors] == ["model_quality", "model_bias"]
    return setup.attributes.carried


@pytest.mark.parametrize(
    ("config", "quality", "columns"),
    [
        ({"probability": "score"}, {"probability_attribute": "score"}, ("city",)),
        ({"predicted_label": "score"}, {"inference_attribute": "score"}, ("city",)),
        ({}, {"inference_attribute": "score"}, ("city",)),  # the only output is a score, which it predicts
        ({"probability": "score"}, {"inference_attribute": "age"}, ("city", "score")),
        ({"probability": "score"}, {"probability_attribute": "0"}, ("city", "score")),
        (
            {"facet": [ROME, OLD], "intersections": [["city", "age"]], "group_variable": "age"},
            {"probability_attribute": "score"},
            ("city", "age"),
        ),
        ({"group_variable": "country"}, {"probability_attribute": "score"}, ("city", "country")),
    ],
)
def test_predictions_carry_what_their_bias_needs_and_no_more(tmp_path, config, quality, columns):
    assert carried(tmp_path, CONFIG | config, BINARY | quality) == columns


def test_nothing_is_carried_where_no_labels_come_or_no_bias_is_asked_for(tmp_path):
    quality = BINARY | {"probability_attribute": "score"}
    flip = CONFIG | {"methods": {"post_training_bias": {"methods": ["FT"]}}}
    for config, more in ((CONFIG, {"labels": {}}), (CONFIG, {"bias": None}), (flip, {})):
        setup = setups(tmp_path, config, quality, **more).quality(Subject())
        assert setup is not None and setup.attributes.carried == ()
        assert [monitor.name for monitor in setup.monitors] == ["model_quality"]


def test_a_prediction_that_the_configuration_does_not_name_is_that_of_model_quality(tmp_path):
    """Of a model with several outputs."""
    config = {"label": "late", "label_values_or_threshold": ["b"], "facet": [ROME]}
    quality = BINARY | {"inference_attribute": "age"}
    setup = setups(tmp_path, config, quality, columns={"outputs": ["score", "age"]}).quality(Subject())
    assert setup is not None and setup.attributes.carried == ("city",)
    monitor = setup.monitors[1]
    assert isinstance(monitor, ModelBias)
    rows = Labelled(pa.array(["a", "b"]), pa.array(["b", "b"]), columns=pa.table({"city": ["rome", "oslo"]}))
    state = monitor.observe(rows)
    assert np.argwhere(state.tables["city"].counts).tolist() == [[0, 1, 0], [1, 1, 1]]


def test_a_monitor_of_ones_own_cannot_have_its_name(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    quality = BINARY | {"probability_attribute": "score"}
    with pytest.raises(ConfigError, match="two monitors of the name model_bias"):
        setups(tmp_path, CONFIG, quality, monitors=[str(tmp_path / "own.py")])


def replayed(work: Path, config: dict[str, Any], quality: dict[str, Any], rows: list[list[Any]]) -> Path:
    """Requests of three rows (score, age, city, label) within an hour, all labelled."""
    (work / "bias.json").write_text(json.dumps(config))
    requests = [rows[i : i + 3] for i in range(0, len(rows), 3)]
    captures = [
        capture(T0 + i * 1_000, [(score, age, city) for score, age, city, _ in request], f"r{i}")
        for i, request in enumerate(requests)
    ]
    labels = [json.dumps([row[3] for row in request]) for request in requests]
    (work / "captures").mkdir()
    (work / "captures/a.jsonl").write_bytes(b"\n".join(captures) + b"\n")
    truth = [
        json.dumps(
            {
                "groundTruthData": {"data": label, "encoding": "JSON"},
                "eventMetadata": {"eventId": f"r{i}"},
                "eventVersion": "0",
            }
        )
        for i, label in enumerate(labels)
    ]
    (work / "truth.jsonl").write_text("\n".join(truth) + "\n")
    labels_at = {"places": [str(work / "truth.jsonl")]}
    given = {"bias": str(work / "bias.json"), "quality": quality, "labels": labels_at}
    replay = Replay(settings_for(work / "out", work / "captures", **given))
    replay.run()
    replay.close()
    assert replay.problems == []
    return work / "out"


def measured(out: Path, monitor: str) -> dict[str, Any]:
    """Metrics by stage, facet and name."""
    (place,) = out.glob(f"reports/churn/AllTraffic/{monitor}/**/analysis.json")
    found = json.loads(place.read_bytes())
    return {
        f"{facet} {metric['name']}": metric["value"]
        for stage in ("pre_training_bias_metrics", "post_training_bias_metrics")
        for facet, entries in found[stage]["facets"].items()
        for entry in entries
        for metric in entry["metrics"]
    } | {"label": found["pre_training_bias_metrics"]["label"]}


def made(n: int, label: Any, seed: int = 3) -> list[list[Any]]:
    """Rows of which some ages are no numbers and some cities are missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        score = round(float(rng.random()), 6)
        age = "old" if i % 17 == 0 else int(rng.integers(18, 80))
        rows.append([score, age, str(rng.choice(["rome", "oslo", ""])), label(rng, score)])
    return rows


def test_what_needs_no_label_is_the_same_in_both_reports_once_all_have_one(tmp_path):
    """Values of a wrong type cost neither their own row its other facet nor a neighbour anything."""
    config = CONFIG | {"label": "score", "facet": [ROME, OLD], "intersections": [["city", "age"]]}
    config |= {"group_variable": "age"}
    rows = made(600, lambda rng, score: bool(rng.random() < score))
    out = replayed(tmp_path, config, BINARY | {"probability_attribute": "score"}, rows)
    of_captures, of_joined = measured(out, "bias"), measured(out, "model_bias")
    for facet in ("city", "age", "city & age"):
        for name in ("CI", "DPPL", "DI", "CDDPL"):
            assert of_joined[f"{facet} {name}"] == of_captures[f"{facet} {name}"] is not None
        assert of_captures[f"{facet} AD"] is None is not of_joined[f"{facet} AD"]
    assert (of_captures["label"], of_joined["label"]) == ("score", "score")


def test_a_label_that_is_a_quantity_is_held_against_its_threshold(tmp_path):
    """A regression, whose output has the label's name: both are positive above 0.4."""
    rows = made(600, lambda rng, score: round(score + float(rng.normal(0, 0.3)), 6))
    config = {"label": "score", "label_values_or_threshold": [0.4], "facet": [ROME]}
    out = replayed(tmp_path, config, {"problem_type": "Regression", "inference_attribute": "score"}, rows)
    found = measured(out, "model_bias")
    known = [row for row in rows if row[2]]
    d = np.array([row[2] == "rome" for row in known])
    predicted, label = (np.array([row[at] > 0.4 for row in known]) for at in (0, 3))
    right = predicted == label
    assert found["city AD"] == pytest.approx(right[~d].mean() - right[d].mean(), abs=1e-12)
    assert found["city DPL"] == pytest.approx(label[~d].mean() - label[d].mean(), abs=1e-12)
    dppl = pytest.approx(predicted[~d].mean() - predicted[d].mean(), abs=1e-12)
    assert found["city DPPL"] == dppl == measured(out, "bias")["city DPPL"]
