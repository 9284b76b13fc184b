"""What a worker says of itself over HTTP."""

import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from schemas.errors import ConfigError
from schemas.report import Counts
from stream.distributed import health
from stream.distributed.health import Health, pages
from stream.distributed.metrics import WorkerMetrics, latency
from stream.ingest.metrics import Metrics
from stream.page_server import PageServer


class FakeHost(SimpleNamespace):
    def lag(self, partition):
        return {0: 7}.get(partition)


def shard(**facts):
    known = {"waiting": 3, "age": 1.5, "bytes_stored": 10, "state_bytes": 20, "retries": 2, "stage": None}
    return SimpleNamespace(**known | facts)


@pytest.fixture
def hosts():
    return [
        FakeHost(shards={0: shard(name="watch 0"), 2: shard(name="watch 2")}),
        FakeHost(shards={0: shard(name="judge 0")}),
    ]


def test_a_worker_is_ready_while_it_has_partitions_and_they_are_not_shared_out(hosts):
    app = SimpleNamespace(rebalancing=False)
    assert Health(app, hosts).ready().status == 200
    assert Health(app, [FakeHost(shards={})]).ready().status == 503
    app.rebalancing = True
    assert Health(app, hosts).ready().status == 503


def test_a_worker_in_which_nothing_happens_is_not_alive(hosts, monkeypatch):
    time = [100.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: time[0])
    well = Health(SimpleNamespace(rebalancing=False), hosts)
    time[0] += 59
    assert well.live().status == 200
    time[0] += 2
    assert well.live().status == 503
    well.beat()
    assert well.live().status == 200


def test_metrics_are_read_off_the_shards(hosts):
    search = SimpleNamespace(stored=5, rejected=1, retries=2)
    registry = CollectorRegistry()
    latency(registry).observe(0.3)
    registry.register(WorkerMetrics(hosts, search, lambda: 0))
    deliveries = Metrics()
    deliveries.add("clicks", {"IncomingRecords": 4})
    well = Health(SimpleNamespace(rebalancing=False), hosts)
    body = pages(well, registry, deliveries)["/metrics"]().body.decode()
    samples = [s for family in text_string_to_metric_families(body) for s in family.samples]
    found = {(s.name, s.labels.get("stage"), s.labels.get("partition")): s.value for s in samples}
    assert found["streamgauge_lag_messages", "watch", "0"] == 7
    assert ("streamgauge_lag_messages", "watch", "2") not in found  # not known yet
    assert found["streamgauge_uncovered_messages", "judge", "0"] == 3
    assert found["streamgauge_sink_retries_total", "watch", "2"] == 2
    assert found["streamgauge_search_documents_rejected_total", None, None] == 1
    assert found["streamgauge_report_latency_seconds_count", None, None] == 1
    assert any(sample.value == 4 for sample in samples if "clicks" in sample.labels.values())


def test_counts_and_watermarks_are_those_of_the_stages():
    from stream.distributed.watching import WatchStage

    stage = WatchStage.__new__(WatchStage)
    stage.counted = Counts(10, 8, 1, 1, 0)
    stage.watermarks = lambda: {}  # type: ignore[method-assign]
    host = FakeHost(shards={1: shard(name="watch 1", stage=stage)})
    registry = CollectorRegistry()
    registry.register(WorkerMetrics([host], None, lambda: 0))
    assert registry.get_sample_value("streamgauge_records_total", {"partition": "1"}) == 10
    assert registry.get_sample_value("streamgauge_bad_total", {"partition": "1"}) == 1


def test_pages_are_made_when_they_are_asked_for_and_others_are_named():
    said = iter([b"one", b"two"])
    server = PageServer("127.0.0.1", 0, {"/page": lambda: health.Page(next(said))})
    try:
        for expected in (b"one", b"two"):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/page?x=1") as answer:
                assert answer.read() == expected
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/other")
        with refused.value as answer:
            assert b"/page" in answer.read()
        with pytest.raises(ConfigError, match="cannot listen"):
            PageServer("127.0.0.1", server.port, {})
    finally:
        server.close()
