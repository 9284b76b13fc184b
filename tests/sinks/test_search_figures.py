"""What is said of a model as points of series: quality realized and estimated, bias, attributions."""

from __future__ import annotations

import msgspec
import pyarrow as pa
import pytest
from fake_search import FakeCluster
from model_reports import (
    attribution,
    bias,
    estimate,
    people,
    quality,
    reported,
    unexplained,
    written,
)

from schemas.quality import Model
from schemas.report import VIOLATIONS, Counts, Finding, Report
from sinks.search_documents import parts
from sinks.search_figures import figures
from sinks.search_reports import SearchReports
from sinks.search_templates import INDICES

COUNTS = {*Counts.__struct_fields__, "violations"}


def figures_of(report: Report) -> list[dict]:
    """Points of a report beside its counts; each has an id of its own, and declared fields."""
    found = [part for part in parts(report) if part.kind == "metrics"]
    assert len({part.id for part in found}) == len(found)
    assert all({*part.body} - {"window"} <= {*INDICES["metrics"]} for part in found)
    own = [part.body for part in found if part.body["metric"] not in COUNTS]
    assert len(own) == len(found) - len(COUNTS)
    return own


def by_metric(report: Report) -> dict[str, dict]:
    found = {body["metric"]: body for body in figures_of(report)}
    assert len(found) == len(figures_of(report))
    return found


def metrics_of(report: Report) -> dict:
    return msgspec.to_builtins(report.finding.documents["statistics.json"])["binary_classification_metrics"]


@pytest.mark.parametrize("made", [quality, estimate])
def test_a_models_quality_is_points_that_say_whether_they_are_an_estimate(made):
    report = made()
    found, said = by_metric(report), metrics_of(report)
    figures = {name: figure for name, figure in said.items() if "value" in figure}
    assert {"accuracy", "auc", "f1"} <= {*figures} < {*said}  # curves and matrices are none
    assert {name: found[name]["value"] for name in figures} == {
        name: figure["value"] for name, figure in figures.items()
    }
    assert {found[name]["estimate"] for name in figures} == {made is estimate}
    assert found["scored"]["value"] == 300 and "estimate" not in found["scored"]
    assert ("log_loss" in found) == (made is quality)


def test_how_sure_a_figure_is_and_what_it_is_judged_by_is_said_beside_it():
    found, said = by_metric(quality()), metrics_of(quality())
    assert found["auc"]["standard_deviation"] == said["auc"]["standard_deviation"] > 0
    assert "threshold" not in found["auc"]
    low, high = found["accuracy"], found["false_positive_rate"]
    assert (low["threshold"], low["comparison_operator"]) == (0.9, "LessThanThreshold")
    assert (high["threshold"], high["comparison_operator"]) == (0.3, "GreaterThanThreshold")
    estimated = by_metric(estimate())["accuracy"]
    assert estimated["threshold"] == 0.9 and "standard_deviation" not in estimated
    assert "standard_deviation" not in by_metric(quality(rows=50))["accuracy"]  # too few rows to tell


@pytest.mark.parametrize(
    ("problem", "names"),
    [
        ("Regression", {"mae", "mse", "rmse", "r2", "scored", "not_scored"}),
        ("MulticlassClassification", {"accuracy", "weighted_f1", "log_loss", "scored"}),
    ],
)
def test_each_kind_of_problem_has_its_metrics(problem, names):
    found = by_metric(quality(model=Model(problem)))
    assert names <= {*found} and "confusion_matrix" not in found
    assert all(body["value"] is not None for body in found.values())


def test_what_is_not_defined_is_null_with_its_reason():
    found = by_metric(quality(rows=0))
    assert found["accuracy"]["value"] is None
    assert found["accuracy"]["reason"] == "no row has a prediction and a label"


def test_an_estimate_is_never_the_document_of_what_came_true():
    realized, estimated = ({part.id for part in parts(made())} for made in (quality, estimate))
    assert realized.isdisjoint(estimated)


@pytest.mark.parametrize("made", [quality, estimate, lambda: bias(people(1)), attribution])
def test_documents_that_were_written_and_read_again_give_the_same_points(made):
    report = made()
    assert [*parts(written(report))] == [*parts(report)] and figures_of(report)


def test_bias_is_a_point_for_each_metric_of_each_value_of_a_facet():
    found = {(b["metric"], b["feature"], b["facet_value"]): b for b in figures_of(bias(people(1)))}
    assert {(facet, value) for _, facet, value in found} == {
        ("sex", "F"), ("sex", "M"), ("sex", "X"), ("age", ">40"),
    }  # fmt: skip
    assert len(found) == len(figures_of(bias(people(1)))) == 4 * 21
    for value in "FMX":
        point = found["DPPL", "sex", value]
        assert point["lower"] < point["value"] < point["upper"]
        assert point["rows"] > 50 and -1 < point["baseline"] < 1
    assert len({found["CI", "sex", value]["value"] for value in "FMX"}) == 3


def test_bias_without_a_value_is_null_with_its_reason():
    found = {(b["metric"], b["facet_value"]): b for b in figures_of(bias(people(1, sexes="FM")))}
    empty = found["DPPL", "X"]
    assert empty["value"] is None and empty["reason"] and "lower" not in empty
    table = people(1)
    women = [sex == "F" for sex in table["sex"].to_pylist()]
    only = table.set_column(3, "predicted", pa.array([int(is_woman) for is_woman in women]))
    infinite = {(b["metric"], b["facet_value"]): b for b in figures_of(bias(only))}["DI", "F"]
    assert (infinite["value"], infinite["reason"]) == (None, "Infinity")


def test_a_facet_above_a_threshold_has_one_name_in_all_windows():
    """In analysis.json it has the largest value seen in its name."""
    young, old = bias(people(1)), bias(people(1, oldest=99.0), revision=1)
    texts = [
        report.finding.documents["analysis.json"]["pre_training_bias_metrics"]["facets"]["age"][0]
        for report in (young, old)
    ]
    assert [each["value_or_threshold"] for each in texts] == ["(40.0, 80.0]", "(40.0, 99.0]"]
    ids = [{p.id for p in parts(report) if p.body.get("feature") == "age"} for report in (young, old)]
    assert ids[0] and ids[0] == ids[1]


def test_attributions_are_a_point_for_each_feature_and_output_and_how_like_the_ranking_is():
    report = attribution()
    said = report.finding.documents["analysis.json"]["explanations"]
    found = {(b["metric"], b["feature"], b["label"]): b for b in figures_of(report)}
    assert len(found) == len(figures_of(report)) == 2 * (1 + 3 + 1)
    for label in ("no", "yes"):
        for feature, value in said["kernel_shap"][label]["global_shap_values"].items():
            assert found["global_shap", feature, label]["value"] == value
        assert found["expected_value", None, label]["value"] == 0.5
        drift, point = said["drift"][label], found["ndcg", None, label]
        assert (point["value"], point["threshold"], point["rows"]) == (drift["ndcg"], 0.9, 50)
        assert [point["lower"], point["upper"]] == [*drift["interval"]]
        assert point["lower"] < point["upper"]


def test_a_ranking_that_is_not_defined_is_null_with_its_reason():
    document = {"ndcg": None, "threshold": 0.9, "rows": 5, "error": "there is no ranking"}
    analysis = {"version": "1.0", "explanations": {"drift": {"label0": document}}}
    (point,) = figures_of(reported("attribution", Finding([], [], {"analysis.json": analysis})))
    assert (point["value"], point["reason"]) == (None, "there is no ranking") and "lower" not in point


@pytest.mark.parametrize(
    "document",
    [
        {"regression_metrics": [1]},
        {"regression_metrics": {"mae": {"value": "much"}, "curve": {"x": [1.0]}}, "additional_metrics": 3},
        {"explanations": {"kernel_shap": [1]}},
        {"pre_training_bias_metrics": {"facets": 3}},
        [],
        "text",
    ],
)
def test_documents_of_another_form_give_no_points(document):
    assert not [*figures({"statistics.json": document, "analysis.json": document})]


def stored(*reports: Report) -> dict[str, dict]:
    cluster = FakeCluster()
    sink = SearchReports(cluster, "sg")
    sink.prepare()
    for report in reports:
        sink.write([report])
    assert sink.rejected == 0
    return cluster.now("sg-metrics")


def fewer(report: Report) -> Report:
    """The report without any drift of the ranking."""
    analysis = report.finding.documents["analysis.json"]
    explanations = {"kernel_shap": analysis["explanations"]["kernel_shap"]}
    documents = {"analysis.json": {**analysis, "explanations": explanations}}
    return msgspec.structs.replace(report, finding=Finding([], [], documents))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (quality(), quality(revision=1, rows=40)),
        (estimate(), estimate(revision=1, rows=40)),
        (quality(), quality(revision=1, model=Model("Regression"))),
        (bias(people(1)), bias(people(2, sexes="FM"), revision=1)),
        (attribution(), attribution(revision=1, features="ab")),
        (attribution(), attribution(revision=1, labels=("yes",))),
        (attribution(), fewer(attribution(revision=1))),
        (attribution(), unexplained(revision=1)),
    ],
)
def test_points_of_a_revision_take_the_place_of_the_former_ones(first, second):
    assert stored(first, second) == stored(second) == stored(second, first)
    assert stored(first) != stored(second)


@pytest.mark.parametrize("report", [quality(), estimate(), bias(people(1)), attribution()])
def test_a_report_that_is_only_dated_anew_leaves_points_alone(report):
    dated = Finding(report.finding.violations, [], {VIOLATIONS: {"violations": []}})
    again = msgspec.structs.replace(report, revision=1, finding=dated)

    def known(found: dict[str, dict]) -> dict[str, dict]:
        return {name: body for name, body in found.items() if body["metric"] not in COUNTS}

    assert known(stored(report, again)) == known(stored(report)) != {}


def test_documents_of_a_former_revision_say_nothing_of_a_window_that_could_not_be_looked_at():
    """A host that writes only the last of several revisions has the documents of all of them."""
    known, blind = attribution(), unexplained(revision=1)
    documents = {**known.finding.documents, **blind.finding.documents}
    finding = msgspec.structs.replace(blind.finding, documents=documents)
    assert blind.status == "NoData"
    assert stored(known, msgspec.structs.replace(blind, finding=finding)) == stored(blind)


def test_each_metric_of_bias_that_is_worse_is_an_alert_of_its_own_that_names_it():
    women = pa.array(["F"] * 240 + ["M"] * 60)
    predicted = pa.array([0] * 230 + [1] * 70)
    worse = people(1, sexes="F").set_column(0, "sex", women).set_column(3, "predicted", predicted)
    report = bias(worse)
    found = [part for part in parts(report) if part.kind == "alerts"]
    named = {(part.body["feature"], part.body["facet_value"], part.body["metric_name"]) for part in found}
    assert {("sex", "F", "DPPL"), ("sex", "F", "CI")} <= named
    assert len(named) == len({part.id for part in found}) == len(report.finding.violations)
