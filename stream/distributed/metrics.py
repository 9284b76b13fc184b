"""Prometheus metrics of a worker, read off its shards when they are asked for."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.distributed.host import Host
from stream.distributed.joining import JoinStage
from stream.distributed.judging import JudgeStage
from stream.distributed.labelling import LabelStage
from stream.distributed.publishing import Search
from stream.distributed.shard import Shard
from stream.distributed.watching import WatchStage
from stream.joining.exposition import LEVELS

_WHERE = ("stage", "partition")
_LATENCIES = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds


def latency(registry: CollectorRegistry) -> Histogram:
    """Seconds from the arrival of the news that closed a window to its report being stored."""
    text = "Time from the message that closed a window to its stored report"
    return Histogram("streamgauge_report_latency_seconds", text, buckets=_LATENCIES, registry=registry)


class WorkerMetrics(Collector):
    """What a worker holds and does. `now` gives ms since the epoch.

    Counters begin with the process, and are of a partition as long as this worker has it.
    """

    def __init__(self, hosts: Sequence[Host], search: Search | None, now: Callable[[], int]) -> None:
        self._hosts, self._search, self._now = hosts, search, now

    def collect(self) -> Iterator[Metric]:
        """The families as they are now."""
        shards = [(host, n, shard) for host in self._hosts for n, shard in sorted(list(host.shards.items()))]
        yield from self._of_shards(shards)
        stages = [(str(n), shard.stage) for _, n, shard in shards]
        yield from self._of_watching([(n, s) for n, s in stages if isinstance(s, WatchStage)])
        yield from self._of_labels([(n, s) for n, s in stages if isinstance(s, LabelStage)])
        yield from self._of_joining([(n, s) for n, s in stages if isinstance(s, JoinStage)])
        yield from self._of_judging([(n, s) for n, s in stages if isinstance(s, JudgeStage)])
        if self._search is not None:
            kinds = {"stored": "that are there", "rejected": "refused for good", "retries": "sent again"}
            for kind, text in kinds.items():
                name = f"streamgauge_search_{'documents_' if kind != 'retries' else ''}{kind}"
                yield CounterMetricFamily(name, f"Documents {text}", value=getattr(self._search, kind))

    def _of_shards(self, shards: Sequence[tuple[Host, int, Shard]]) -> Iterator[Metric]:
        """How far each partition of each stage is stored."""
        lag = GaugeMetricFamily("streamgauge_lag_messages", "Messages not taken in yet", labels=_WHERE)
        held = GaugeMetricFamily(
            "streamgauge_uncovered_messages", "Messages in no checkpoint yet", labels=_WHERE
        )
        age = GaugeMetricFamily(
            "streamgauge_checkpoint_age_seconds", "Time since the last checkpoint was stored", labels=_WHERE
        )
        size = GaugeMetricFamily(
            "streamgauge_checkpoint_bytes", "Size of the last checkpoint, compressed", labels=_WHERE
        )
        taken_up = GaugeMetricFamily(
            "streamgauge_state_bytes", "Size of the state when it was taken up", labels=_WHERE
        )
        retries = CounterMetricFamily("streamgauge_sink_retries", "Deliveries tried again", labels=_WHERE)
        for host, partition, shard in shards:
            where = (shard.name.split()[0], str(partition))
            if (behind := host.lag(partition)) is not None:
                lag.add_metric(where, behind)
            held.add_metric(where, shard.waiting)
            age.add_metric(where, shard.age)
            size.add_metric(where, shard.bytes_stored)
            taken_up.add_metric(where, shard.state_bytes)
            retries.add_metric(where, shard.retries)
        yield from (lag, held, age, size, taken_up, retries)

    def _of_watching(self, stages: Sequence[tuple[str, WatchStage]]) -> Iterator[Metric]:
        """What came of records, and how old the watermarks are."""
        texts = {
            "records": "Records taken in",
            "rows": "Rows in windows",
            "bad": "Records that could not be read",
            "late": "Records that came after their window was final",
            "filtered": "Records left out on purpose",
        }
        for field, text in texts.items():
            family = CounterMetricFamily(f"streamgauge_{field}", text, labels=("partition",))
            for partition, stage in stages:
                family.add_metric((partition,), getattr(stage.counted, field))
            yield family
        labels = ("endpoint", "variant", "model", "partition")
        age = GaugeMetricFamily("streamgauge_watermark_age_seconds", "Age of the watermark", labels=labels)
        for partition, stage in stages:
            for subject, watermark in stage.watermarks().items():
                who = (subject.endpoint, subject.variant, subject.model or "", partition)
                age.add_metric(who, (self._now() - watermark) / 1_000)
        yield age

    def _of_labels(self, stages: Sequence[tuple[str, LabelStage]]) -> Iterator[Metric]:
        """What came of ground truth."""
        texts = {"taken": "Labels passed on to be joined", "bad": "Records that are no label"}
        for name, text in texts.items() if stages else ():
            family = CounterMetricFamily(f"streamgauge_ground_truth_{name}", text, labels=("partition",))
            for partition, stage in stages:
                family.add_metric((partition,), getattr(stage, name))
            yield family

    def _of_joining(self, stages: Sequence[tuple[str, JoinStage]]) -> Iterator[Metric]:
        """What became of predictions and labels, since the first."""
        summaries = [(partition, stage.joining.summary()) for partition, stage in stages]
        for side in ("predictions", "labels") if summaries else ():
            for name in summaries[0][1][side]:
                family_of = GaugeMetricFamily if name in LEVELS else CounterMetricFamily
                text = f"{side.capitalize()}: {name}"
                family = family_of(f"streamgauge_{side}_{name}", text, labels=("partition",))
                for partition, summary in summaries:
                    family.add_metric((partition,), summary[side][name])
                yield family

    def _of_judging(self, stages: Sequence[tuple[str, JudgeStage]]) -> Iterator[Metric]:
        """What was reported."""
        windows = GaugeMetricFamily(
            "streamgauge_windows", "Windows by what their last report says", labels=("status", "partition")
        )
        for partition, stage in stages:
            both = stage.judge.statuses, stage.quality.statuses
            for status in sorted({*both[0], *both[1]}):
                windows.add_metric((status, partition), sum(each[status] for each in both))
        yield windows
