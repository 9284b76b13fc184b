"""Reports in a real OpenSearch: strict mappings, versions from outside, outages, kills, everything twice."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
from model_reports import attribution, bias, estimate, people, quality, unexplained

from schemas.errors import ConfigError, SinkBusy
from schemas.frame import Subject
from schemas.report import Counts, Drift, Finding, Report, Violation, Window
from sinks.cluster import Ask, reach
from sinks.refused import Refused
from sinks.search_documents import Document, parts
from sinks.search_reports import SearchReports
from sinks.search_templates import INDICES, VERSION, mapping
from sinks.search_writes import Writes
from stream.retry import persist
from stream.search import search_sink
from stream.search_settings import SearchSettings

pytestmark = pytest.mark.integration

HOUR = 3_600_000


def report(*features: str, revision: int = 0, hour: int = 0, moved: tuple[str, ...] = ("age",)) -> Report:
    violations = [
        Violation(name, "data_type_check", f"{name}, {revision}", 9, 2, "high", "1970-01-01T00:00:00Z", ["a"])
        for name in features
    ]
    drifts = [
        Drift(name, "numeric", 0.2, 0.1, "Robust", [0.0], [0.5, 0.5], [0.5, 0.5], 0.2, 0.01, 0.02)
        for name in moved
    ]
    window = Window(hour * HOUR, (hour + 1) * HOUR)
    finding = Finding(violations, drifts, {"metrics.json": {"night_share": float("nan")}})
    return Report(Subject("churn"), "data_quality", window, revision, Counts(9, 9), finding)


class Cluster:
    """The server, and a prefix of indices that no other test has."""

    def __init__(self, url: str) -> None:
        self.url, self.prefix = url, f"it-{uuid.uuid4().hex[:12]}"
        self.ask: Ask = reach(url)

    def sink(self, ask: Ask | None = None, **options) -> SearchReports:
        return SearchReports(ask or self.ask, self.prefix, **options)

    def request(self, method: str, path: str, body: object = None):
        answer = self.ask(method, path.replace("PREFIX", self.prefix), body)
        assert not isinstance(answer, Refused), answer
        return answer

    def documents(self, kind: str) -> dict[str, dict]:
        self.request("POST", f"/PREFIX-{kind}/_refresh")
        body = {"size": 10_000, "version": True}
        hits = self.request("POST", f"/PREFIX-{kind}/_search", body)["hits"]["hits"]
        return {hit["_id"]: {**hit["_source"], "_version": hit["_version"]} for hit in hits}

    def everything(self) -> dict[str, dict]:
        return {kind: self.documents(kind) for kind in INDICES}

    def statuses(self) -> dict[str, tuple[str, int]]:
        found = self.documents("alerts").values()
        return {body["feature"]: (body["status"], body["revision"]) for body in found}


@pytest.fixture
def cluster(opensearch_url: str) -> Iterator[Cluster]:
    it = Cluster(opensearch_url)
    yield it
    for kind in INDICES:
        it.ask("DELETE", f"/{it.prefix}-{kind}", None)
        it.ask("DELETE", f"/_index_template/{it.prefix}-{kind}", None)


@pytest.fixture
def sink(cluster: Cluster) -> SearchReports:
    sink = cluster.sink()
    sink.prepare()
    return sink


def test_templates_and_indices_are_strict_and_putting_them_again_changes_nothing(cluster, sink):
    def state():
        templates = cluster.request("GET", "/_index_template/PREFIX-*")["index_templates"]
        return templates, cluster.request("GET", "/PREFIX-*/_mapping")

    before = state()
    sink.prepare()
    cluster.sink(shards=1).prepare()
    assert state() == before
    templates, mappings = before
    assert {each["name"] for each in templates} == {*mappings} == {f"{cluster.prefix}-{k}" for k in INDICES}
    assert {each["index_template"]["version"] for each in templates} == {VERSION}
    for kind, fields in INDICES.items():
        found = mappings[f"{cluster.prefix}-{kind}"]["mappings"]
        wanted = mapping(fields)
        assert found["dynamic"] == "strict"
        assert flat(found["properties"]) == flat(wanted["properties"])


def flat(properties: dict, prefix: str = "") -> dict[str, str]:
    found = {}
    for name, about in properties.items():
        inner = about.get("properties")
        found |= flat(inner, f"{prefix}{name}.") if inner else {prefix + name: about["type"]}
    return found


def test_an_index_that_was_made_without_the_template_gets_its_fields_and_one_that_cannot_is_named(cluster):
    cluster.request("PUT", "/PREFIX-reports", {"mappings": {"properties": {"records": {"type": "long"}}}})
    sink = cluster.sink()
    sink.prepare()
    found = cluster.request("GET", "/PREFIX-reports/_mapping")[f"{cluster.prefix}-reports"]["mappings"]
    assert found["dynamic"] == "strict" and "violations" in found["properties"]
    cluster.request("DELETE", "/PREFIX-reports")
    cluster.request("PUT", "/PREFIX-reports", {"mappings": {"properties": {"records": {"type": "text"}}}})
    with pytest.raises(ConfigError, match="records"):
        sink.prepare()


def test_shards_and_replicas_are_those_that_are_set(cluster):
    cluster.sink(shards=2, replicas=1).prepare()
    found = cluster.request("GET", "/PREFIX-alerts/_settings")[f"{cluster.prefix}-alerts"]
    about = found["settings"]["index"]
    assert (about["number_of_shards"], about["number_of_replicas"]) == ("2", "1")
    with pytest.raises(ConfigError, match="shards"):
        cluster.sink(shards=9_999).prepare()


def test_everything_done_twice_in_any_order_gives_the_same_documents(cluster, sink):
    first = [report("age", "city", hour=hour, moved=("age", "city")) for hour in range(5)]
    second = [report("age", "score", hour=hour, revision=1) for hour in range(0, 5, 2)]
    for reports in (first, second):
        sink.write(reports)
    before = cluster.everything()
    counts = {kind: len(found) for kind, found in before.items()}
    # Of each window 5 counts, the number of violations, a metric, and 4 of a feature that moved.
    points = 2 * (7 + 8) + 3 * (7 + 4)
    assert counts == {"alerts": 2 * 2 + 3 * 3, "metrics": points, "reports": 5, "rejected": 0}
    for reports in (second, first, first[::-1] + second):
        sink.write(reports)
        cluster.sink().write(reports)  # after a restart
    assert cluster.everything() == before
    assert (sink.rejected, sink.retries) == (0, 0)


def test_a_revision_updates_adds_and_resolves_and_an_older_one_changes_nothing(cluster, sink):
    sink.write([report("age", "city")])
    sink.write([report("age", "score", revision=1)])
    expected = {"age": ("open", 1), "city": ("resolved", 1), "score": ("open", 1)}
    assert cluster.statuses() == expected
    before = cluster.everything()
    assert {body["_version"] for body in before["alerts"].values()} == {2}
    sink.write([report("age", "city")])
    assert cluster.everything() == before
    sink.write([report("city", revision=2)])
    assert cluster.statuses() == {"age": ("resolved", 2), "city": ("open", 2), "score": ("resolved", 2)}


def test_an_older_document_is_answered_by_a_conflict_and_a_deleted_one_stays_deleted(cluster, sink):
    writes = Writes(cluster.ask, cluster.prefix)
    point = next(part for part in parts(report()) if part.kind == "metrics")
    newer = Document(point.kind, point.id, 2, {**point.body, "revision": 1})
    assert not writes.put([newer]).newer
    assert writes.put([point]).newer == {point.id}
    assert not writes.put([newer]).newer  # the same again is taken
    gone = Document(point.kind, point.id, 3, {})
    for _ in range(2):
        left = writes.delete([gone])
        assert not left.newer and not left.busy
    assert writes.put([newer]).newer == {point.id}
    assert cluster.documents("metrics") == {}


def test_more_stale_documents_than_a_page_are_all_taken_back(cluster, sink):
    names = tuple(f"f{n}" for n in range(1_300))
    sink.write([report(*names, moved=names)])
    sink.write([report("f7", revision=1, moved=())])
    open_ones = {name for name, (status, _) in cluster.statuses().items() if status == "open"}
    assert open_ones == {"f7"}
    assert len(cluster.documents("metrics")) == 7


def test_what_a_strict_mapping_refuses_is_kept_with_its_reason(cluster, sink):
    writes = Writes(cluster.ask, cluster.prefix)
    point = next(part for part in parts(report()) if part.kind == "metrics")
    strange = Document("metrics", "strange", 1, {**point.body, "surprise": 1})
    wrong = Document("metrics", "wrong", 1, {**point.body, "value": "high"})
    for _ in range(2):
        left = writes.put([strange, point, wrong])
        assert not left.newer and not left.busy
    assert writes.rejected == 2
    kept = {body["id"]: body for body in cluster.documents("rejected").values()}
    assert {*kept} == {"strange", "wrong"}
    assert kept["strange"]["reason"].startswith("strict_dynamic_mapping_exception")
    assert kept["wrong"]["reason"].startswith("mapper_parsing_exception")
    assert json.loads(kept["wrong"]["document"])["value"] == "high"
    assert len(cluster.documents("metrics")) == 1


EXAMPLE = (Path(__file__).parents[2] / "docs/opensearch.md").read_text()


def test_the_documented_query_gives_accuracy_realized_beside_estimated(cluster, sink):
    realized, estimated = ([made(hour) for hour in range(3)] for made in (quality, estimate))
    sink.write([*realized[:2], *estimated])
    sink.write([quality(1, revision=1, rows=200)])  # more labels came for the second window
    cluster.request("POST", "/PREFIX-metrics/_refresh")
    (query,) = re.findall(r"_search' .*? -d '(.+?)'", EXAMPLE, re.DOTALL)
    found = cluster.request("POST", "/PREFIX-metrics/_search", json.loads(query))["aggregations"]["window"]
    told = [
        {each["key"]: each["accuracy"]["value"] for each in bucket["estimate"]["buckets"]}
        for bucket in found["buckets"]
    ]
    came = [accuracy(realized[0]), accuracy(quality(1, rows=200)), None]
    said = [accuracy(report) for report in estimated]
    assert [each.get(0) for each in told] == pytest.approx(came, abs=1e-12)
    assert [each[1] for each in told] == pytest.approx(said, abs=1e-12)
    assert sink.rejected == 0


def accuracy(report: Report) -> float:
    return report.finding.documents["metrics.json"]["accuracy"]


def test_what_is_said_of_a_model_fits_the_strict_mapping_and_is_replaced_by_its_revision(cluster, sink):
    first = [quality(), estimate(), bias(people(1)), attribution()]
    second = [
        quality(revision=1, rows=40),
        estimate(revision=1, rows=40),
        bias(people(2, sexes="FM"), revision=1),
        unexplained(revision=1),
    ]

    def points(reports: list[Report]) -> dict[str, dict]:
        found = [part for each in reports for part in parts(each) if part.kind == "metrics"]
        return {part.id: {**part.body, "_version": part.version} for part in found}

    for reports, newest in ((first, first), (first, first), (second, second), (first, second)):
        sink.write(reports)
        assert cluster.documents("metrics") == points(newest)
    assert (sink.rejected, sink.retries) == (0, 0)
    of_women = {"bool": {"filter": [{"term": {"metric": "DPPL"}}, {"term": {"facet_value": "F"}}]}}
    (hit,) = cluster.request("POST", "/PREFIX-metrics/_search", {"query": of_women})["hits"]["hits"]
    assert hit["_source"]["lower"] < hit["_source"]["value"] < hit["_source"]["upper"]


def test_long_names_are_stored(cluster, sink):
    sink.write([report("é" * 40_000, moved=())])
    assert (sink.rejected, len(cluster.documents("alerts"))) == (0, 1)


def test_requests_that_are_cut_give_the_same_documents(cluster, sink):
    reports = [report("age", "city", hour=hour) for hour in range(50)]
    cluster.sink(largest_body=3_000).write(reports)
    before = cluster.everything()
    sink.write(reports)
    assert cluster.everything() == before and len(before["reports"]) == 50


def test_two_writers_of_two_revisions_at_once_end_at_the_newer(cluster, sink):
    for hour in range(20):
        both = [report("age", hour=hour), report("city", hour=hour, revision=1)]
        threads = [threading.Thread(target=cluster.sink().write, args=([one],)) for one in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = cluster.documents("alerts").values()
    assert {(body["feature"], body["status"]) for body in found} <= {("city", "open"), ("age", "resolved")}
    assert sum(body["status"] == "open" for body in found) == 20


KILLED = """
import json, sys, msgspec
from schemas.report import Report
from sinks.cluster import reach
from sinks.search_reports import SearchReports
url, prefix, place, kill_at = sys.argv[1:]
reports = msgspec.json.decode(open(place, "rb").read(), type=list[Report])
ask, left = reach(url), int(kill_at)
def counted(*request):
    global left
    if left == 0:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return ask(*request)
SearchReports(counted, prefix).write(reports)
"""


def test_killed_at_each_request_and_started_again_nothing_is_lost_or_twice(cluster, sink, tmp_path):
    """The requests: own document, parts, newest revisions, refresh, two searches, what is taken back."""
    killed = 0
    for moment in range(8):
        sink.write([report("age", "city", hour=moment, moved=("age", "city"))])
        revised = report("age", hour=moment, revision=1)
        place = tmp_path / "reports.json"
        plain = msgspec.structs.replace(revised, finding=Finding(revised.finding.violations, [], {}))
        place.write_bytes(msgspec.json.encode([plain]))
        command = [sys.executable, "-c", KILLED, cluster.url, cluster.prefix, str(place), str(moment)]
        ended = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
        assert ended.returncode in (0, -signal.SIGKILL)
        killed += ended.returncode != 0
        sink.write([plain])
    assert killed == 8
    statuses = [(body["feature"], body["status"]) for body in cluster.documents("alerts").values()]
    assert sorted(statuses) == [("age", "open")] * 8 + [("city", "resolved")] * 8
    # `night_share` too: the revision does not carry the document that it came of, and leaves it.
    assert len(cluster.documents("metrics")) == 8 * 7


@contextmanager
def stopped(process: int) -> Iterator[Callable[[], None]]:
    """A process that does not go on until it is told, or the test is over."""
    os.kill(process, signal.SIGSTOP)
    go_on = lambda: os.kill(process, signal.SIGCONT)  # noqa: E731
    try:
        yield go_on
    finally:
        go_on()


def test_a_server_that_stands_still_is_busy_and_all_is_there_when_it_goes_on(
    cluster, sink, opensearch_url, stack
):
    impatient = cluster.sink(reach(opensearch_url, timeout=1.0))
    reports = [report("age", "city", hour=hour) for hour in range(10)]
    with stopped(stack.process("opensearch").pid) as go_on:
        started = time.monotonic()
        with pytest.raises(SinkBusy, match="imed out"):
            impatient.write(reports)
        with pytest.raises(SinkBusy, match="imed out"):
            impatient.prepare()
        assert time.monotonic() - started < 10
        assert impatient.retries == 10
        threading.Timer(2.0, go_on).start()
        persist(lambda: impatient.write(reports), [0.5] * 60)
    counts = {kind: len(found) for kind, found in cluster.everything().items()}
    assert counts == {"alerts": 20, "metrics": 110, "reports": 10, "rejected": 0}


def test_a_server_that_is_killed_in_the_middle_has_each_document_once_when_it_is_back(cluster, sink, stack):
    reports = [report("age", "city", hour=hour) for hour in range(200)]
    revised = [report("age", hour=hour, revision=1) for hour in range(0, 200, 4)]
    killed, written = threading.Event(), []

    def host() -> None:
        for start in range(0, 200, 10):
            persist(partial(sink.write, reports[start : start + 10]), [0.5] * 240)
            written.append(start)
            if start == 100:
                killed.wait(60)
        persist(lambda: sink.write(revised), [0.5] * 240)

    thread = threading.Thread(target=host)
    thread.start()
    while len(written) < 5:
        time.sleep(0.01)
    with stack.without("opensearch", 1.0, kill=True):
        killed.set()
    thread.join(120)
    assert not thread.is_alive() and sink.retries > 0
    cluster.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s")
    found = cluster.everything()
    counts = {kind: len(each) for kind, each in found.items()}
    assert counts == {"alerts": 400, "metrics": 200 * 11, "reports": 200, "rejected": 0}
    assert sum(body["status"] == "resolved" for body in found["alerts"].values()) == 50
    for again in (reports, revised):
        sink.write(again)
    assert cluster.everything() == found


def test_a_server_that_is_not_there_is_busy():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        sink = search_sink(SearchSettings(url=f"http://127.0.0.1:{held.getsockname()[1]}"))
        for action in (sink.prepare, lambda: sink.write([report("age")])):
            with pytest.raises(SinkBusy, match="refused"):
                action()


def test_an_index_closed_for_writing_is_busy_until_it_is_opened(cluster, sink):
    cluster.request("PUT", "/PREFIX-alerts/_settings", {"index.blocks.read_only_allow_delete": True})
    with pytest.raises(SinkBusy, match="documents not stored"):
        sink.write([report("age")])
    assert sink.rejected == 0
    cluster.request("PUT", "/PREFIX-alerts/_settings", {"index.blocks.read_only_allow_delete": None})
    sink.write([report("age")])
    assert cluster.statuses() == {"age": ("open", 0)}


def test_an_index_that_was_deleted_comes_back_strict(cluster, sink):
    sink.write([report("age")])
    cluster.request("DELETE", "/PREFIX-alerts")
    sink.write([report("age", revision=1)])
    assert cluster.statuses() == {"age": ("open", 1)}
    found = cluster.request("GET", "/PREFIX-alerts/_mapping")[f"{cluster.prefix}-alerts"]
    assert found["mappings"]["dynamic"] == "strict"
