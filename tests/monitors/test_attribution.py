"""Attribution drift: agreement with Clarify's files and vectors, intervals, and what moved."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from sklearn.metrics import ndcg_score

from monitors.attribution import Attribution
from monitors.marks import of_table
from monitors.ndcg import ndcg
from monitors.ranking_drift import Judging, matched, violation
from monitors.shap.attributions import Attributions
from schemas import analysis
from schemas.analysis import Analysis, Explanations, LabelExplanation, RankingDrift
from schemas.rows import NO_ROWS

AWS = Judging(compatible=True)
FEATURES = {name: "Fractional" for name in "abcde"}


def explained(local, monitor=None, seed=0):
    """A state of a monitor whose rows have these local values, shape (rows, features)."""
    values = np.asarray(local, float)
    monitor = monitor or Attribution(FEATURES)
    marks = np.random.default_rng(seed).permutation(len(values)).astype(np.uint64)
    return monitor.observe(NO_ROWS).explained_by(Attributions.of(values[:, :, None], marks), [0.5], "")


def baseline(**values):
    return Analysis(explanations=Explanations({"label0": LabelExplanation(values, 0.5)}))


def test_aggregates_of_a_real_job_are_the_means_of_absolute_local_values(shared):
    folder = shared / "data/pairs/autopilot-regression-shap"
    real = json.loads((folder / "analysis.json").read_text())["explanations"]["kernel_shap"]["label0"]
    table = pa.csv.read_csv(pa.BufferReader(gzip.decompress((folder / "shap_out.csv.gz").read_bytes())))
    features = {name: "Fractional" for name in real["global_shap_values"]}
    monitor = Attribution(features, captured="{feature}_{label}", baseline=analysis.parse(
        (folder / "analysis.json").read_bytes()))  # fmt: skip
    parts = [monitor.observe(of_table(table.slice(at, 300))) for at in range(0, table.num_rows, 300)]
    state = parts[0]
    for part in parts[1:]:
        state = state.merge(part)
    found = json.loads(json.dumps(analysis.document(monitor.describe(state))))["explanations"]
    ours = found["kernel_shap"]["label0"]["global_shap_values"]
    assert ours == pytest.approx(real["global_shap_values"], rel=1e-12, abs=1e-12)
    assert found["drift"]["label0"]["ndcg"] == pytest.approx(1.0, abs=1e-12)
    assert state.found.n == 2000 and monitor.finish(state).violations == []


def test_ndcg_is_that_of_the_vectors(shared):
    vectors = json.loads((shared / "spec/examples/model-monitor/test-vectors.json").read_text())["ndcg"]
    for case in vectors:
        now = np.array([case["current"][name] for name in case["baseline"]])
        assert ndcg(np.array([*case["baseline"].values()]), now) == pytest.approx(case["ndcg"], abs=1e-12)


def test_ndcg_is_scikit_learns_ties_included():
    random = np.random.default_rng(0)
    for _ in range(50):
        gains, scores = random.random(8).round(1), random.random((3, 8)).round(1)
        theirs = [ndcg_score([gains], [each]) for each in scores]
        np.testing.assert_allclose(ndcg(gains, scores), theirs, atol=1e-12)


def test_a_violation_reads_as_clarifys(shared):
    folder = shared / "spec/examples/model-monitor"
    names = ("baseline", "current")
    known, now = (
        analysis.parse((folder / f"clarify-analysis-explainability-{name}.json").read_bytes())
        for name in names
    )
    real = json.loads((folder / "clarify-explainability-constraint_violations.json").read_text())
    values = now.labels["label0"].global_shap_values
    monitor = Attribution(dict.fromkeys(values, "Fractional"), baseline=known, judging=AWS)
    finding = monitor.finish(explained([[*values.values()]] * 3, monitor))
    (found,) = json.loads(
        analysis.msgspec.json.encode(finding.documents["constraint_violations.json"]["violations"])
    )
    (theirs,) = real["violations"]
    number = theirs["description"].split()[3]
    ours = found["description"].split()[3]
    assert float(ours) == pytest.approx(float(number), abs=1e-12)
    assert found["description"].replace(ours, number) == theirs["description"]
    assert {key: found[key] for key in theirs if key != "description"} == {
        key: theirs[key] for key in theirs if key != "description"
    }


def test_labels_are_matched_by_name_or_by_place():
    one = LabelExplanation({"a": 1.0})
    assert matched({"0.7956783771514893": one}, ["label0"]) == {"label0": {"a": 1.0}}
    assert matched({"no": one, "yes": one}, ["yes"]) == {"yes": {"a": 1.0}}
    assert matched({"no": one, "yes": one}, ["label0"]) == {}


def test_a_constant_model_has_no_ranking_and_no_violation():
    monitor = Attribution(FEATURES, baseline=baseline(a=0.0, b=0.0), judging=AWS)
    finding = monitor.finish(explained(np.ones((40, 5)), monitor))
    drift = finding.documents["analysis.json"]["explanations"]["drift"]["label0"]
    assert drift["ndcg"] is None and "no ranking" in drift["error"] and finding.violations == []
    flat = Attribution(FEATURES, baseline=baseline(a=1.0, b=2.0), judging=AWS)
    assert 0 < flat.describe(explained(np.zeros((40, 5)), flat)).explanations.drift["label0"].ndcg < 1


def test_small_samples_do_not_alert_where_large_ones_do():
    """Two features change places; the values of single rows scatter widely."""
    random = np.random.default_rng(5)
    known = baseline(a=1.0, b=0.3, c=0.2, d=0.1, e=0.05)
    monitor = Attribution(FEATURES, baseline=known)
    scale = np.array([0.05, 0.1, 0.2, 0.3, 1.0])
    few, many = (explained(random.normal(size=(n, 5)) * scale, monitor) for n in (8, 500))
    assert monitor.finish(few).violations == []
    (found,) = monitor.finish(many).violations
    assert "Moved most: " in found.description and "rank" in found.description
    moved = monitor.describe(many).explanations.drift["label0"].moved
    assert [move.feature for move in moved[:2]] == ["e", "a"] or [m.feature for m in moved[:2]] == ["a", "e"]
    assert {m.feature: (m.baseline_rank, m.rank) for m in moved}["a"] == (1, 5)


@pytest.mark.parametrize("n", [5, 10, 30])
def test_false_alarms_are_rare_where_nothing_has_changed(n):
    """Two hundred windows that have the baseline's attributions, scattered: at the very edge, two features
    are alike. Clarify's rule alarms; ours hardly ever."""
    random = np.random.default_rng(n)
    true = np.array([1.0, 0.98, 0.5, 0.4, 0.3])
    known = dict(zip("abcde", true.tolist(), strict=True))
    strict, ours = (Attribution(FEATURES, baseline=baseline(**known), judging=j) for j in (AWS, Judging()))
    local = [random.exponential(size=(n, 5)) ** 2 / 2 * true for _ in range(200)]
    alarms = [sum(bool(m.finish(explained(x, m)).violations) for x in local) for m in (strict, ours)]
    assert alarms[1] <= 2 and alarms[1] <= alarms[0]


def test_the_interval_covers_and_a_state_without_rows_says_why():
    drift = RankingDrift(0.8, 0.9, 100, (0.7, 0.95))
    assert violation("label0", drift, Judging()) is None
    assert violation("label0", drift, AWS) is not None
    monitor = Attribution(FEATURES)
    state = monitor.observe(NO_ROWS)
    assert monitor.finish(state).blind and monitor.finish(state).incomplete == ""
    told = state.explained_by(state.found, [], "the model is gone")
    assert monitor.finish(told).blind and monitor.finish(told).incomplete == "the model is gone"
