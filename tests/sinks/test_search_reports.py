"""Reports in OpenSearch: whatever order, repetition, outage or kill, the cluster says what the newest
revision says."""

import json
from collections.abc import Iterable
from math import inf, nan

import msgspec
import pytest
from fake_search import FakeCluster, Killed
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError, SinkBusy
from schemas.frame import Subject
from schemas.report import Counts, Coverage, Drift, Finding, Report, Violation, Window
from schemas.statistics import Common, Dataset, FeatureStatistics, NumericalStatistics, Statistics
from sinks.alerts import alerts
from sinks.refused import Refused
from sinks.search_documents import parts, report_document
from sinks.search_reports import SearchReports
from sinks.search_templates import INDICES, VERSION, mapping, template

HOUR = 3_600_000
FEATURES = ("age", "city", "score")


def drift(name: str, distance: float | None = 0.2, **more) -> Drift:
    return Drift(name, "numeric", distance, 0.1, "Robust", [0.0], [0.5, 0.5], [0.5, 0.5], **more)


def report(*features: str, revision: int = 0, moved: Iterable[str] = FEATURES, **more) -> Report:
    violations = [Violation(name, "data_type_check", f"{name}, {revision}") for name in features]
    finding = Finding(violations, [drift(name) for name in moved], more.pop("documents", {}))
    subject = Subject(more.pop("endpoint", "churn"))
    hour = more.pop("hour", 0)
    window = Window(hour * HOUR, (hour + 1) * HOUR)
    return Report(subject, "data_quality", window, revision, more.pop("counts", Counts(9, 9)), finding)


def prepared(*plan, **options) -> tuple[FakeCluster, SearchReports]:
    cluster = FakeCluster()
    sink = SearchReports(cluster, "sg", **options)
    sink.prepare()
    cluster.plan = iter(plan)
    return cluster, sink


def said(cluster: FakeCluster) -> dict:
    """What is said now: open alerts, points, reports."""
    found = {kind: cluster.now(f"sg-{kind}") for kind in ("alerts", "metrics", "reports")}
    found["alerts"] = {name: body for name, body in found["alerts"].items() if body["status"] == "open"}
    return found


def persisted(cluster: FakeCluster, *reports: Report) -> None:
    """Write as a host does: while the cluster is busy, again, and from the start after a kill."""
    while True:
        try:
            SearchReports(cluster, "sg").write(reports)
            return
        except (SinkBusy, Killed):
            continue


def of_alone(*reports: Report) -> dict:
    cluster, sink = prepared()
    sink.write(reports)
    return said(cluster)


def test_a_violation_is_an_open_alert_with_the_id_that_it_has_everywhere():
    cluster, sink = prepared()
    sink.write([report("age", moved=())])
    ((identifier, alert),) = cluster.now("sg-alerts").items()
    assert identifier == next(alerts(report("age")))["id"]
    assert len(alert.pop("report")) == 32
    assert alert == {
        "@timestamp": "1970-01-01T00:00:00Z",
        "window": {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T01:00:00Z"},
        "endpoint": "churn",
        "variant": "AllTraffic",
        "model": None,
        "monitor": "data_quality",
        "revision": 0,
        "status": "open",
        "feature": "age",
        "check": "data_type_check",
        "description": "age, 0",
    }


def test_all_that_a_violation_says_is_there_and_has_a_declared_field():
    full = Violation(
        "age",
        "baseline_drift_check",
        "why",
        9,
        2,
        "high",
        "1970-01-01T00:00:00Z",
        ["a", "b"],
        {"city": "rome", "plan": "a=b"},
        facet_value="rome",
        metric_name="ndcg",
        estimate=True,
        label="yes",
    )
    whole = msgspec.structs.replace(report(), finding=Finding([full], [], {}))
    (alert,) = [part.body for part in parts(whole) if part.kind == "alerts"]
    assert alert["segment"] == ["city=rome", "plan=a=b"]
    assert (alert["rows"], alert["affected"], alert["severity"]) == (9, 2, "high")
    assert (alert["metric_name"], alert["label"], alert["estimate"]) == ("ndcg", "yes", True)
    assert flat(alert) == {*INDICES["alerts"]}


def flat(body: dict, prefix: str = "") -> set[str]:
    names: set[str] = set()
    for name, value in body.items():
        names |= flat(value, f"{name}.") if isinstance(value, dict) else {prefix + name}
    return names


def points(*drifts: Drift, **documents) -> dict[tuple[str, str | None], dict]:
    finding = Finding([], list(drifts), {f"{name}.json": each for name, each in documents.items()})
    whole = msgspec.structs.replace(report(counts=Counts(10, 8, 1, 2, 3)), finding=finding)
    found = [part.body for part in parts(whole) if part.kind == "metrics"]
    assert {name for body in found for name in flat(body)} <= {*INDICES["metrics"]}
    return {(body["metric"], body["feature"]): body for body in found}


def test_every_number_of_a_report_is_a_point():
    statistics = Statistics(
        Dataset(8),
        [FeatureStatistics("age", "Integral", NumericalStatistics(Common(6, 2), completeness=0.75))],
    )
    moved = drift("age", effect=0.3, p_value=0.01, q_value=0.02)
    found = points(moved, statistics=statistics, metrics={"night_share": 0.4, "day_share": None})
    assert {what: body["value"] for what, body in found.items()} == {
        ("records", None): 10,
        ("rows", None): 8,
        ("bad", None): 1,
        ("late", None): 2,
        ("filtered", None): 3,
        ("violations", None): 0,
        ("night_share", None): 0.4,
        ("day_share", None): None,
        ("completeness", "age"): 0.75,
        ("drift", "age"): 0.2,
        ("effect", "age"): 0.3,
        ("p_value", "age"): 0.01,
        ("q_value", "age"): 0.02,
    }
    assert found["drift", "age"]["threshold"] == 0.1
    assert found == points(
        moved, statistics=msgspec.to_builtins(statistics), metrics={"night_share": 0.4, "day_share": None}
    )


@pytest.mark.parametrize("value", [nan, inf, -inf, None])
def test_what_is_no_number_is_null(value):
    found = points(drift("age", value), metrics={"m": value})
    assert found["drift", "age"]["value"] is None and found["m", None]["value"] is None


@pytest.mark.parametrize("document", [3, [1], {"a": "b"}, {"features": "x"}, {"features": [{}]}, None])
def test_documents_of_another_form_are_no_series(document):
    assert {*points(statistics=document, metrics=document)} == {*points()}


def test_report_documents_have_the_declared_fields():
    labelled = msgspec.structs.replace(report("age", counts=Counts(9, 8, 1)), labels=Coverage(5, 2, 1))
    body = report_document(labelled).body
    assert flat(body) == {*INDICES["reports"]}
    assert body["labels"] == {"matched": 5, "waiting": 2, "expired": 1}
    assert (body["status"], body["records"], body["bad"], body["violations"]) == (
        "CompletedWithViolations",
        9,
        1,
        1,
    )


def test_a_report_written_again_changes_nothing():
    cluster, sink = prepared()
    many = [report("age", "city", hour=hour, endpoint=e) for hour in range(3) for e in "ab"]
    sink.write(many)
    before = json.dumps(cluster.documents)
    sink.write(many)
    SearchReports(cluster, "sg").write(many[::-1])
    assert json.dumps(cluster.documents) == before


def test_a_revision_updates_adds_and_resolves():
    cluster, sink = prepared()
    sink.write([report("age", "city")])
    sink.write([report("age", "score", revision=1, moved=("age",))])
    found = {body["feature"]: body for body in cluster.now("sg-alerts").values()}
    assert {name: (body["status"], body["revision"]) for name, body in found.items()} == {
        "age": ("open", 1),
        "city": ("resolved", 1),
        "score": ("open", 1),
    }
    assert found["age"]["description"] == "age, 1"
    assert found["city"]["description"] == "city, 0"  # what was wrong then
    sink.write([report("city", revision=2)])
    found = {body["feature"]: body for body in cluster.now("sg-alerts").values()}
    assert {name: body["status"] for name, body in found.items()} == {
        "age": "resolved",
        "city": "open",
        "score": "resolved",
    }


def test_a_revision_without_documents_leaves_the_points_that_came_of_them():
    cluster, sink = prepared()
    sink.write([report("age", documents={"metrics.json": {"night_share": 0.4}})])
    dated = {"constraint_violations.json": {"violations": []}}
    sink.write([report("age", revision=1, moved=("age",), documents=dated)])
    found = {(body["metric"], body["feature"]) for body in cluster.now("sg-metrics").values()}
    assert ("night_share", None) in found and ("drift", "age") in found
    assert ("drift", "score") not in found
    sink.write([report("age", revision=2, documents={"metrics.json": {"day_share": 0.1}})])
    found = {body["metric"] for body in cluster.now("sg-metrics").values()}
    assert "day_share" in found and "night_share" not in found


def test_an_older_revision_after_a_newer_one_changes_nothing():
    cluster, sink = prepared()
    sink.write([report("age", revision=2)])
    before = json.dumps(cluster.documents)
    sink.write([report("age", "city", revision=1)])
    sink.write([report("score")])
    assert json.dumps(cluster.documents) == before
    assert sink.rejected == sink.retries == 0


def test_reports_of_one_window_do_not_touch_those_of_another():
    cluster, sink = prepared()
    sink.write([report("age", hour=0), report("age", hour=1), report("age", endpoint="other")])
    sink.write([report(hour=0, revision=1)])
    statuses = sorted(body["status"] for body in cluster.now("sg-alerts").values())
    assert statuses == ["open", "open", "resolved"]


def test_more_stale_documents_than_a_page_are_all_taken_back(monkeypatch):
    monkeypatch.setattr("sinks.search_reports._PAGE", 10)
    cluster, sink = prepared()
    names = [f"f{n}" for n in range(35)]
    sink.write([report(*names, moved=names)])
    sink.write([report(revision=1, moved=())])
    assert said(cluster) == of_alone(report(revision=1, moved=()))


subsets = st.sets(st.sampled_from(FEATURES)).map(sorted)
contents = st.lists(st.tuples(subsets, subsets), min_size=4, max_size=4)
wrong = st.sampled_from([None, None, "down", "lost", "busy", "killed", "killed after"])
faults = st.lists(wrong, max_size=25)


@given(contents, st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=5), faults)
def test_any_order_repetition_outage_and_kill_gives_what_the_newest_says(contents, calls, faults):
    revisions = [
        report(*wrong, revision=number, moved=moved) for number, (wrong, moved) in enumerate(contents)
    ]
    cluster, _ = prepared(*faults)
    for call in calls:
        persisted(cluster, *(revisions[number] for number in call))
    numbers = [number for call in calls for number in call]
    expected = of_alone(revisions[max(numbers)]) if numbers else of_alone()
    assert said(cluster) == expected
    before = json.dumps(cluster.documents)
    for number in numbers:
        persisted(cluster, revisions[number])
    assert json.dumps(cluster.documents) == before


@given(contents, st.permutations([0, 1]), st.integers(0, 6))
def test_two_writers_at_once_end_at_what_the_newer_says(contents, order, moment):
    """The second writes all of its report between two requests of the first, or after them."""
    first, second = (report(*contents[n][0], revision=n, moved=contents[n][1]) for n in order)
    cluster, sink = prepared()
    written = []

    def other() -> None:
        cluster.plan = iter(())
        SearchReports(cluster, "sg").write([second])
        written.append(second)

    cluster.plan = iter([*[None] * moment, other])
    sink.write([first])
    if not written:
        other()
    assert said(cluster) == of_alone(report(*contents[1][0], revision=1, moved=contents[1][1]))


def test_a_document_that_does_not_fit_is_kept_with_its_reason_and_counted_once():
    cluster, sink = prepared()
    del cluster.mappings["sg-alerts"]["properties"]["description"]
    for _ in range(2):
        sink.write([report("age", moved=())])
    (kept,) = cluster.now("sg-rejected").values()
    assert kept["reason"] == "strict_dynamic_mapping_exception: description"
    assert (kept["status"], kept["index"], kept["@timestamp"]) == ("400", "sg-alerts", "1970-01-01T00:00:00Z")
    assert json.loads(kept["document"])["description"] == "age, 0"
    assert flat(kept) == {*INDICES["rejected"]}
    assert sink.rejected == 1
    assert len(cluster.now("sg-reports")) == 1  # the others are stored


def test_a_rejected_document_that_cannot_be_kept_is_counted_and_logged(caplog):
    cluster, sink = prepared()
    del cluster.mappings["sg-alerts"]["properties"]["description"]
    del cluster.mappings["sg-rejected"]["properties"]["reason"]
    sink.write([report("age")])
    assert sink.rejected == 1
    assert "not kept" in caplog.text


def test_what_is_busy_is_said_and_the_next_write_stores_the_rest():
    cluster, sink = prepared(None, "busy")
    with pytest.raises(SinkBusy, match="documents not stored: busy"):
        sink.write([report("age")])
    assert sink.retries > 0
    sink.write([report("age")])
    assert said(cluster) == of_alone(report("age"))


@pytest.mark.parametrize("place", range(6))
def test_a_cluster_that_does_not_answer_is_busy(place):
    cluster, sink = prepared()
    sink.write([report("age")])
    cluster.plan = iter([None] * place + ["down"])
    with pytest.raises(SinkBusy, match="connection refused"):
        sink.write([report("city", revision=1)])
    sink.write([report("city", revision=1)])
    assert said(cluster) == of_alone(report("city", revision=1))


def test_requests_are_of_limited_size_and_one_that_is_too_large_is_halved():
    many = [report(*FEATURES, hour=hour) for hour in range(20)]
    cluster, sink = prepared(largest_body=4_000)
    cluster.largest = 2_500
    sink.write(many)
    assert max(map(len, cluster.bodies)) <= 4_000
    assert said(cluster) == of_alone(*many)
    assert sink.rejected == 0


def test_a_document_that_no_request_can_carry_is_kept_aside():
    cluster, sink = prepared()
    cluster.largest = 20_000
    violation = Violation("age", "data_type_check", "x" * 20_000)
    sink.write([msgspec.structs.replace(report(), finding=Finding([violation], [], {}))])
    assert sink.rejected == 1


def test_templates_are_strict_and_putting_them_again_changes_nothing():
    cluster, sink = prepared(shards=3, replicas=2)
    before = json.dumps([cluster.templates, cluster.mappings, cluster.documents])
    sink.prepare()
    assert json.dumps([cluster.templates, cluster.mappings, cluster.documents]) == before
    assert {*cluster.templates} == {*cluster.documents} == {f"sg-{kind}" for kind in INDICES}
    for kind in INDICES:
        put = cluster.templates[f"sg-{kind}"]
        assert put == template("sg", kind, 3, 2)
        assert put["template"]["mappings"] == mapping(INDICES[kind]) == cluster.mappings[f"sg-{kind}"]
        assert put["template"]["mappings"]["dynamic"] == "strict"
        assert put["template"]["settings"]["index"] == {"number_of_shards": 3, "number_of_replicas": 2}


def test_templates_of_a_newer_version_are_left_alone():
    cluster, sink = prepared()
    cluster.templates["sg-alerts"]["version"] = VERSION + 1
    del cluster.templates["sg-alerts"]["template"]
    sink.prepare()
    assert "template" not in cluster.templates["sg-alerts"]


@pytest.mark.parametrize("place", range(4))
def test_preparing_while_the_cluster_is_away_is_busy(place):
    cluster = FakeCluster(*[None] * place, "down")
    with pytest.raises(SinkBusy):
        SearchReports(cluster, "sg").prepare()
    SearchReports(cluster, "sg").prepare()
    assert {*cluster.documents} == {f"sg-{kind}" for kind in INDICES}


def test_a_cluster_that_refuses_a_template_is_a_mistake_of_settings():
    with pytest.raises(ConfigError, match="number_of_shards"):
        SearchReports(lambda *_: Refused("400", "bad number_of_shards"), "sg").prepare()
