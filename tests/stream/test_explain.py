"""Explanations of windows and data sets; endpoints that are slow, fail, answer nonsense, or are gone."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from made import capture, settings_for, table, traffic
from models_made import Flaky, slow, well
from schemas.errors import ConfigError, ModelFailed
from schemas.frame import Subject
from stream.cli import main
from stream.models import payloads
from stream.models.budget import Budget
from stream.models.endpoint import Endpoint, Form, Refused, sagemaker
from stream.models.local import TRUST, Onnx, function, pickled
from stream.models.server import ModelServer
from stream.replay import Replay
from stream.setup import Setups

HERE = Path(__file__).parent
MODEL = f"{HERE / 'models_made.py'}:score"
SHAPE = {"rows": 20, "features": ("age", "city"), "timeout": "300ms", "retries": 1, "time": "20s"}


@pytest.fixture
def flaky():
    started = []

    def start(how):
        started.append(Flaky(how))
        return started[-1]

    yield start
    for server in started:
        server.close()


def replayed(tmp_path, chosen, n=120):
    """A replay with [explain]: its reports of the monitor, and those of data quality, by window."""
    captures = tmp_path / "captures.jsonl"
    tmp_path.mkdir(exist_ok=True)
    captures.write_bytes(b"\n".join(traffic(n, hours=3.0)) + b"\n")
    settings = settings_for(tmp_path / "out", captures, explain={**SHAPE, **chosen})
    run = Replay(settings)
    run.run()
    run.close()
    places = tmp_path / "out/reports/churn/AllTraffic"
    return tuple(
        [json.loads(p.read_text()) | {"folder": p.parent} for p in sorted(places.glob(f"{m}/**/report.json"))]
        for m in ("attribution", "data_quality")
    )


def baseline_with(tmp_path, **values):
    """A baseline whose analysis.json has these global values."""
    settings_for(tmp_path / "out", tmp_path / "captures.jsonl")
    document = {"version": "1.0", "explanations": {"kernel_shap": {"0.79": {"global_shap_values": values}}}}
    (tmp_path / "baseline/analysis.json").write_text(json.dumps(document))


def test_windows_are_explained_and_a_changed_ranking_is_a_violation_that_names_what_moved(tmp_path):
    baseline_with(tmp_path, age=0.1, city=0.9)
    reports, quality = replayed(tmp_path, {"model": MODEL, "rows": 60, "local": "csv"})
    assert len(reports) == len(quality) == 3
    assert {report["status"] for report in reports} == {"CompletedWithViolations"}
    found = reports[0]["violations"][0]
    assert found["constraint_check_type"] == "feature_attribution_drift_check"
    assert found["label"] == "0.79" and "age (rank 2 to 1" in found["description"]
    assert reports[2]["violations"][0]["first_seen"] == reports[0]["window"]["start"]
    folder = reports[0]["folder"]
    document = json.loads((folder / "constraint_violations.json").read_text())
    assert document["version"] == "1.0" and document["violations"][0]["metric_name"] == "shap"
    values = json.loads((folder / "analysis.json").read_text())["explanations"]["kernel_shap"]["0.79"]
    local = pa.csv.read_csv(folder / "explanations_shap/out.csv")
    assert local.column_names == ["age_0.79", "city_0.79"] and local.num_rows == 60
    means = {name: float(np.abs(local[f"{name}_0.79"]).mean()) for name in ("age", "city")}
    assert values["global_shap_values"] == pytest.approx(means, rel=1e-12)
    assert (tmp_path / "out/index.html").exists()


def test_the_same_ranking_is_no_violation_and_a_second_run_says_the_same(tmp_path):
    baseline_with(tmp_path, age=0.9, city=0.1)
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "baseline").symlink_to(tmp_path / "baseline")
        reports, _ = replayed(tmp_path / name, {"model": MODEL})
        assert {report["status"] for report in reports} == {"Completed"}
        texts.append([(report["folder"] / "analysis.json").read_text() for report in reports])
    assert texts[0] == texts[1]


GONE = "http://127.0.0.1:9/invocations"


@pytest.mark.parametrize(
    ("how", "chosen", "said", "most_calls"),
    [
        (None, {"model": GONE}, "cannot be reached", None),
        (slow, {}, "did not answer within", 2),
        (lambda call, rows: (500, "oh dear"), {}, "answered 500: oh dear", 2),
        (lambda call, rows: (400, "bad input"), {}, "answered 400: bad input", 1),
        (lambda call, rows: (200, "0.5\n0.25"), {}, "answered 2 rows to 1", 1),
        (lambda call, rows: (200, "spam\n" * len(rows)), {}, "no number", 1),
        (lambda call, rows: (200, "1,2\n" * len(rows)), {}, "2 outputs, and 1 are expected", None),
        (well, {"calls": 1}, "budget of 1 calls is spent", 1),
        (well, {"time": "0s"}, "budget of 0 s is spent", 0),
    ],
    ids=["gone", "slow", "fails", "refuses", "short", "nonsense", "wide", "calls", "time"],
)
def test_a_window_that_cannot_be_explained_says_why_and_the_traffic_is_judged_all_the_same(
    tmp_path, flaky, how, chosen, said, most_calls
):
    server = flaky(how) if how else None
    whole = {"model": server.url} if server else {}
    began = time.monotonic()
    reports, quality = replayed(tmp_path, {**whole, **chosen})
    assert time.monotonic() - began < 12
    assert len(reports) == len(quality) == 3
    for report in reports:
        assert report["status"] == "NoData" and said in report["incomplete"]
        assert not (report["folder"] / "analysis.json").exists()
    assert {report["status"] for report in quality} <= {"Completed", "CompletedWithViolations"}
    assert all("incomplete" not in report for report in quality)
    if server and most_calls is not None:
        assert server.calls <= 3 * most_calls


def test_a_budget_that_ends_midway_leaves_a_part_and_says_how_much(tmp_path, flaky):
    server = flaky(well)
    reports, _ = replayed(
        tmp_path, {"model": server.url, "calls": 4, "batch": 10, "concurrency": 1, "rows": 40}
    )
    for report in reports:
        assert report["status"] == "Completed"
        assert "of 40 sampled rows were explained: the budget of 4 calls is spent" in report["incomplete"]
    assert server.calls == 3 * 4


def test_an_endpoint_that_fails_once_is_asked_again(tmp_path, flaky):
    server = flaky(lambda call, rows: (503, "") if call == 1 else well(call, rows))
    reports, _ = replayed(tmp_path, {"model": server.url})
    assert all("incomplete" not in report for report in reports)


def test_an_endpoint_that_is_gone_costs_later_windows_one_try_until_it_is_back(flaky):
    from stream.models.endpoint import http

    server = flaky(lambda call, rows: (503, "") if call <= 5 else well(call, rows))
    form, rows = Form(), pa.table({"age": [30.0], "city": ["rome"]})
    budget = Budget(10, 10)
    model = Endpoint(http(server.url, form, 1), form, budget, retries=2, pauses=(0.0,))
    calls = []
    for _ in range(4):
        budget.start()
        try:
            model.predict(rows)
            calls.append((server.calls, "answered"))
        except ModelFailed:
            calls.append((server.calls, "failed"))
    model.close()
    assert calls == [(3, "failed"), (4, "failed"), (5, "failed"), (6, "answered")]


def test_requests_run_side_by_side_and_no_faster_than_is_allowed(flaky):
    def paused(call, rows):
        time.sleep(0.05)
        return well(call, rows)

    server = flaky(paused)
    rows = pa.table({"age": [30.0] * 40, "city": ["rome"] * 40})
    from stream.models.endpoint import http

    form = Form()
    model = Endpoint(http(server.url, form, 4), form, Budget(100, 10), batch=2, concurrency=4)
    assert model.predict(rows).shape == (40, 1) and 1 < server.most_at_once <= 4
    model.close()
    began = time.monotonic()
    model = Endpoint(http(server.url, form, 4), form, Budget(100, 10, per_second=40), batch=2, concurrency=4)
    model.predict(rows)
    model.close()
    assert time.monotonic() - began >= 19 / 40


def test_a_rate_is_kept_and_turns_beyond_the_time_are_refused():
    now, slept = [0.0], []
    budget = Budget(100, 1.0, per_second=8, now=lambda: now[0], sleep=slept.append)
    for _ in range(8):
        budget.take()
    assert slept == pytest.approx([i / 8 for i in range(1, 8)])
    with pytest.raises(ModelFailed, match="1 s is spent"):
        budget.take()
    budget.start()
    assert budget.spent == 0


@pytest.mark.parametrize("content", payloads.TYPES)
def test_the_model_server_answers_each_form_as_the_function_itself(content, tmp_path):
    model = function(MODEL)
    server = ModelServer(model, columns=("age", "city"))
    try:
        chosen = {"model": f"http://127.0.0.1:{server.port}/invocations", "content": content, "timeout": "5s"}
        reports, _ = replayed(tmp_path / "http", chosen)
        direct, _ = replayed(tmp_path / "local", {"model": MODEL})
        for one, other in zip(reports, direct, strict=True):
            a, b = (json.loads((r["folder"] / "analysis.json").read_text()) for r in (one, other))
            values = [x["explanations"]["kernel_shap"]["label0"]["global_shap_values"] for x in (a, b)]
            assert values[0] == pytest.approx(values[1], rel=1e-9)
    finally:
        server.close()


def test_answers_of_all_forms_are_read():
    rows = np.array([[0.25], [0.75]])
    for body, kind in [
        (b"0.25\n0.75\n", "text/csv; charset=utf-8"),
        (b"0.25,0.75", "text/csv"),
        (b'{"predictions": [{"score": 0.25}, {"score": 0.75}]}', "application/json"),
        (b'{"predictions": [0.25, 0.75]}', "application/json"),
        (b"[[0.25], [0.75]]", "application/json"),
        (b'{"score": 0.25}\n{"score": 0.75}\n', "application/jsonlines"),
    ]:
        np.testing.assert_array_equal(payloads.read(body, kind, 2), rows)
    two = b'{"predictions": [{"late": "no", "p": 0.25}, {"late": "yes", "p": 0.75}]}'
    np.testing.assert_array_equal(payloads.read(two, "application/json", 2), rows)
    np.testing.assert_array_equal(payloads.read(b"1,0.25\n0,0.75", "text/csv", 2, (1,)), rows)
    np.testing.assert_array_equal(payloads.read(two, "application/json", 2, ("p",)), rows)


def test_sagemaker_is_asked_through_boto3(monkeypatch):
    from botocore.exceptions import ClientError

    asked = []

    class Client:
        def invoke_endpoint(self, **request):
            asked.append(request)
            if len(asked) == 1:
                meta = {"HTTPStatusCode": 503}
                raise ClientError(
                    {"Error": {"Code": "X", "Message": "busy"}, "ResponseMetadata": meta}, "Invoke"
                )
            import io

            return {"Body": io.BytesIO(b"0.5\n0.25\n")}

    import boto3

    monkeypatch.setattr(boto3, "client", lambda *_, **__: Client())
    form = Form()
    invoke = sagemaker("churn", form, "blue")
    model = Endpoint(invoke, form, Budget(5, 10), pauses=(0.0,))
    found = model.predict(pa.table({"age": [30.0, 40.0], "city": ["rome", None]}))
    model.close()
    assert found.tolist() == [[0.5], [0.25]] and len(asked) == 2
    assert asked[1] == {
        "EndpointName": "churn", "Body": b"30,rome\n40,", "ContentType": "text/csv", "Accept": "text/csv",
        "TargetVariant": "blue",
    }  # fmt: skip
    assert Refused("x", True).transient


def test_pickles_are_run_only_where_the_settings_say_so_in_words(tmp_path):
    import pickle

    from sklearn.linear_model import LinearRegression

    x = np.arange(12.0).reshape(6, 2) ** 2
    place = tmp_path / "model.pkl"
    place.write_bytes(pickle.dumps(LinearRegression().fit(x, x @ [1.0, 2.0])))
    for words in (None, "yes", "true"):
        with pytest.raises(ConfigError, match="reading one runs what it holds"):
            pickled(place, words)
    rows = pa.table({"a": x[:, 0], "b": x[:, 1]})
    np.testing.assert_allclose(pickled(place, TRUST).predict(rows)[:, 0], x @ [1.0, 2.0])


def test_a_model_that_knows_its_attributions_is_not_asked(tmp_path):
    data = tmp_path / "data.csv"
    rows = np.random.default_rng(0).normal(size=(50, 2))
    pyarrow.csv.write_csv(pa.table({"a": rows[:, 0], "b": rows[:, 1]}), data)
    place = f"{HERE / 'models_made.py'}:numbers"
    run = CliRunner().invoke(main, ["explain", str(data), "-m", place, "-o", str(tmp_path / "out")])
    assert run.exit_code == 0, run.output
    found = json.loads((tmp_path / "out/analysis.json").read_text())["explanations"]["kernel_shap"]["label0"]
    assert found["expected_value"] == pytest.approx(0.5 + rows.mean(axis=0) @ [2.0, -1.0])


def test_a_tree_librarys_attributions_are_used():
    class Trees:
        def predict(self, rows):
            return rows.sum(axis=1)

        def attributions(self, rows):  # as LightGBM's pred_contrib gives them, the expected value apart
            return rows - 1.0, 2.0

    from monitors.shap.kernel import Background
    from stream.models.local import Function

    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = Function(Trees()).attributions(rows, Background.of(np.zeros((1, 2))))
    assert found.values[:, :, 0].tolist() == (rows - 1).tolist() and found.expected.tolist() == [2.0]


def test_onnx_answers_as_a_callable(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx", reason="onnx, to make a model, is not installed")
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    w = helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [2.0, -1.0])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    found = Onnx(tmp_path / "m.onnx").predict(pa.table({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    assert found.tolist() == [[-1.0], [0.0]]


def test_explain_writes_a_baseline_that_windows_are_judged_by(tmp_path):
    settings_for(tmp_path / "out", tmp_path / "captures.jsonl")
    data = tmp_path / "training.csv"
    pyarrow.csv.write_csv(table().select(["age", "city"]), data)
    config = tmp_path / "analysis_config.json"
    shap = {"baseline": [[40, "oslo"]], "num_samples": 100, "seed": 1, "save_local_shap_values": True}
    config.write_text(json.dumps({"methods": {"shap": shap}, "predictor": {"label_headers": ["p"]}}))
    out = tmp_path / "baseline"
    args = ["explain", str(data), "-m", MODEL, "-c", str(config), "-o", str(out)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "analysis.json").read_text())["explanations"]["kernel_shap"]["p"]
    assert found["expected_value"] == 0.0 and [*found["global_shap_values"]] == ["age", "city"]
    assert pa.csv.read_csv(out / "explanations_shap/out.csv").column_names == ["age_p", "city_p"]
    args[3] = args[3].replace("score", "changed")
    result = CliRunner().invoke(main, [*args[:-1], str(tmp_path / "again"), "-b", str(out)])
    assert result.exit_code == 3 and "Violation" in result.output, result.output
    kept = {"features": None, "config": config}
    reports, _ = replayed(tmp_path, {"model": MODEL, "rows": 60, **kept})
    assert {report["status"] for report in reports} == {"Completed"}


def test_bias_and_explanations_share_a_file(tmp_path):
    data = tmp_path / "data.csv"
    label = pa.array([i % 3 == 0 for i in range(400)]).cast(pa.int64())
    pyarrow.csv.write_csv(table().select(["age", "city"]).append_column("y", label), data)
    config = tmp_path / "analysis_config.json"
    facet = {"name_or_index": "city", "value_or_threshold": ["rome"]}
    methods = {"shap": {"num_samples": 10, "num_clusters": 1}, "pre_training_bias": {"methods": ["DPL"]}}
    config.write_text(
        json.dumps({"label": "y", "label_values_or_threshold": [1], "facet": [facet], "methods": methods})
    )
    more = ["-c", str(config), "-o", str(tmp_path / "out")]
    found = []
    for command in (["bias"], ["explain", "-m", MODEL], ["bias"]):
        result = CliRunner().invoke(main, [*command, str(data), *more])
        assert result.exit_code == 0, result.output
        found.append(json.loads((tmp_path / "out/analysis.json").read_text()))
    assert found[0].keys() == {"version", "pre_training_bias_metrics"}
    assert found[1].keys() == {"version", "pre_training_bias_metrics", "explanations"}
    assert found[2] == found[1]
    assert [*found[1]["explanations"]["kernel_shap"]["label0"]["global_shap_values"]] == ["age", "city"]


def test_attributions_in_the_captures_are_taken_and_no_model_is_asked(tmp_path):
    baseline_with(tmp_path, age=0.9, city=0.1)
    rows = [(0.5, 30, "rome")]
    lines = []
    for i in range(90):
        record = json.loads(capture(1_700_006_400_000 + i * 10_000, rows, f"e{i}"))
        record["captureData"]["endpointInput"] |= {
            "encoding": "JSON",
            "observedContentType": "application/json",
        }
        record["captureData"]["endpointOutput"] |= {
            "encoding": "JSON",
            "observedContentType": "application/json",
        }
        record["captureData"]["endpointInput"]["data"] = json.dumps({"age": 30, "city": "rome"})
        answer = {"score": 0.5, "why_age": 0.01 * (i % 3), "why_city": 0.7}
        record["captureData"]["endpointOutput"]["data"] = json.dumps(answer)
        lines.append(json.dumps(record))
    captures = tmp_path / "captures.jsonl"
    captures.write_text("\n".join(lines) + "\n")
    chosen = {"captured": "why_{feature}", "features": ("age", "city")}
    run = Replay(settings_for(tmp_path / "out", captures, explain=chosen))
    run.run()
    run.close()
    (place,) = (tmp_path / "out/reports/churn/AllTraffic/attribution").glob("**/report.json")
    report = json.loads(place.read_text())
    (violation,) = report["violations"]
    assert violation["rows"] == 90 and "city (rank 2 to 1" in violation["description"]
    values = json.loads(place.with_name("analysis.json").read_text())["explanations"]["kernel_shap"]["0.79"]
    assert values["global_shap_values"] == pytest.approx({"age": 0.01, "city": 0.7}, rel=1e-12)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "no model"),
        ({"model": "model"}, "is no model"),
        ({"model": f"{HERE / 'models_made.py'}:nothing"}, "has no nothing"),
        ({"model": MODEL, "features": ("truth",)}, "no column truth"),
        ({"model": MODEL, "captured": "x"}, "say one of them"),
        ({"model": MODEL, "threshold": 2}, "explain.threshold"),
        ({"model": "model.pkl"}, "reading one runs what it holds"),
    ],
)
def test_mistakes_are_told_at_the_start(tmp_path, chosen, said):
    with (
        pytest.raises(ConfigError, match=said)
        if said != "no column truth"
        else pytest.raises(Exception, match=said)
    ):
        Setups(settings_for(tmp_path / "out", tmp_path / "c.jsonl", explain=chosen)).of(Subject("churn"))


def test_a_worker_asks_no_model(tmp_path):
    from stream.app import make_app

    with pytest.raises(ConfigError, match="a worker asks no model"):
        make_app(settings_for(tmp_path / "out", tmp_path / "c.jsonl", explain={"model": MODEL}))


def test_a_model_that_raises_is_a_reason_with_its_line(tmp_path):
    reports, _ = replayed(tmp_path, {"model": MODEL.replace("score", "broken")})
    assert all(
        "models_made.py, line" in r["incomplete"] and "no such column" in r["incomplete"] for r in reports
    )
