"""The stages of the distributed host, joined to a Faust app: topics, tables, agents, what time makes due."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.times import now as wall_clock
from stream.changes import Stored
from stream.distributed.faust_outside import RAW, FaustOutside
from stream.distributed.health import Health, loudly
from stream.distributed.host import Begin, Host
from stream.distributed.joining import JoinStage
from stream.distributed.judging import JudgeStage, Publisher
from stream.distributed.labelling import LabelStage
from stream.distributed.metrics import WorkerMetrics, latency
from stream.distributed.news import Closed, Heard, News, Sender, Told, partition_of
from stream.distributed.passing import Origin, Session, encode
from stream.distributed.predicting import Predicting
from stream.distributed.publishing import ReportPublisher, Store
from stream.distributed.shard import Shard, Stage
from stream.distributed.watching import WatchStage
from stream.search import search_sink
from stream.settings import Settings
from stream.setup import Setups

_SLACK = 2_000  # ms that clocks of brokers and workers may differ
_SHORT = 8  # of the identity of a topic, in the names of objects
_KINDS = {"key_type": bytes, "value_type": bytes}


class Stages:
    """The stages of `app`; `identities` are those of its topics by name. Raises ConfigError and BadBaseline.

    Captures go through watch to judge; where labels are to come, predictions and ground truth go through join
    to judge.
    """

    def __init__(self, app: Any, settings: Settings, identities: Mapping[str, str]) -> None:
        self._app, self._settings, self._identities = app, settings, identities
        self._interval = settings.checkpoint.interval.total_seconds()
        self._setups = Setups(settings)
        self._store = Store.of(settings)
        self.registry = CollectorRegistry()
        self._latency = latency(self.registry)
        search = search_sink(settings.opensearch) if settings.opensearch else None
        self._publisher: Publisher = ReportPublisher(self._store.reports, search)
        self._name = uuid.uuid4().hex
        kafka = settings.kafka
        few, ids = kafka.judge_partitions, kafka.join_partitions
        self._partials = self._topic(kafka.partials_topic, few)
        self._joins = self._topic(kafka.joins_topic, ids) if settings.workers_join else None
        captures = self._topic(kafka.captures_topic, kafka.partitions)
        self.watch = self._host("watch", captures, kafka.partitions, self._begin_watch)
        hosts = [self.watch]
        if self._joins is not None:
            labels = self._topic(kafka.labels_topic, kafka.partitions)
            hosts.append(self._host("labels", labels, kafka.partitions, self._begin_labels))
            hosts.append(self._host("join", self._joins, ids, self._begin_join))
        self.judge = self._host("judge", self._partials, few, self._begin_judge)
        self.hosts = (*hosts, self.judge)
        self.health = Health(app, self.hosts)
        self.registry.register(WorkerMetrics(self.hosts, search, wall_clock))

    def _topic(self, name: str, partitions: int) -> Any:
        return self._app.topic(name, partitions=partitions, **_KINDS, **RAW)

    def _host(self, name: str, topic: Any, partitions: int, begin: Begin) -> Host:
        table = self._app.Table(name, partitions=partitions, **_KINDS)
        host = Host(self._app, table, topic.topics[0], begin)

        async def run(stream: Any) -> None:
            await loudly(self._app, host.run(stream.noack().events()))

        self._app.agent(topic, name=name)(run)
        return host

    def _shard(
        self, name: str, outside: FaustOutside, identity: str, begin: Callable[[Stored, int], Stage]
    ) -> Shard:
        return Shard(name, outside, identity, self._interval, begin)

    def _begin_watch(self, partition: int, outside: FaustOutside) -> Shard:
        identity = self._identities[self.watch.topic]

        def begin(stored: Stored, epoch: int) -> WatchStage:
            tell = self._telling(f"{partition}", epoch, outside)
            predicting: Predicting | None = None
            if self._joins is not None:
                session = self._session(Origin("captures", partition), epoch, outside)
                predicting = Predicting(session, self._settings, self._setups)
            return WatchStage(
                partition,
                self._settings,
                self._setups,
                self._store.rows,
                self._store.errors,
                tell,
                identity[:_SHORT],
                stored,
                predicting,
            )

        return self._shard(f"watch {partition}", outside, identity, begin)

    def _begin_labels(self, partition: int, outside: FaustOutside) -> Shard:
        identity = self._identities[self._settings.kafka.labels_topic]

        def begin(stored: Stored, epoch: int) -> LabelStage:
            session = self._session(Origin("labels", partition), epoch, outside)
            return LabelStage(
                partition, self._settings, self._setups, self._store.errors, session, identity[:_SHORT]
            )

        return self._shard(f"labels {partition}", outside, identity, begin)

    def _begin_join(self, partition: int, outside: FaustOutside) -> Shard:
        identity = self._identities[self._settings.kafka.joins_topic]

        def begin(stored: Stored, epoch: int) -> JoinStage:
            tell = self._telling(f"join {partition}", epoch, outside)
            place, short = self._store.merged, identity[:_SHORT]
            return JoinStage(partition, self._settings, self._setups, place, tell, short, stored)

        return self._shard(f"join {partition}", outside, identity, begin)

    def _begin_judge(self, partition: int, outside: FaustOutside) -> Shard:
        sender = Sender(f"judge {partition}/{uuid.uuid4().hex}")

        def tell(what: Told) -> None:
            for message in sender.messages(what):
                outside.send(self._partials, partition, message)

        def close(closed: Closed) -> None:
            for place in range(self._settings.kafka.join_partitions if self._joins is not None else 0):
                outside.send(self._joins, place, encode(closed))

        def begin(stored: Stored, _: int) -> JudgeStage:
            took = self._latency.observe
            return JudgeStage(self._settings, self._setups, self._publisher, tell, stored, took, close=close)

        return self._shard(f"judge {partition}", outside, "", begin)

    def _telling(self, who: str, epoch: int, outside: FaustOutside) -> Callable[[Told], None]:
        """What tells the judge stage."""
        sender = Sender(f"{who}/{self._name}-{uuid.uuid4().hex[:8]}", epoch)

        def tell(what: Told) -> None:
            for place in self._places(what):
                for message in sender.messages(what):
                    outside.send(self._partials, place, message)

        return tell

    def _session(self, origin: Origin, epoch: int, outside: FaustOutside) -> Session:
        partitions = self._settings.kafka.join_partitions
        return Session(origin, epoch, partitions, lambda at, raw: outside.send(self._joins, at, raw))

    def _places(self, what: Told) -> list[int]:
        """Partitions in which news is judged."""
        n = self._settings.kafka.judge_partitions
        match what:
            case News():
                return [partition_of(what.subject, n)]
            case Closed():
                return [partition_of(what.subject, n)]
            case Heard():
                return list(range(n))

    async def beat(self) -> None:
        """Time passes, also while a delivery waits for its store."""
        self.health.beat()

    async def tick(self) -> None:
        """Flush, store, and publish what is due."""
        for host in self.hosts:
            await host.tick()

    async def look(self) -> None:
        """Tell the judge how far partitions have been read, and close what is idle."""
        if self._app.rebalancing:
            return
        now = wall_clock() - _SLACK
        caught_up = {host: await host.caught_up() for host in self.hosts}[self.watch]

        def report(shard: Shard, partition: int) -> None:
            assert isinstance(shard.stage, WatchStage)
            if caught_up.get(partition):
                shard.stage.caught_up(now)
            else:
                shard.stage.behind()

        def close_idle(shard: Shard, partition: int) -> None:
            assert isinstance(shard.stage, JudgeStage)
            shard.stage.close_idle()

        await self.watch.tick(report)
        await self.judge.tick(close_idle)

    def revoke(self, partitions: Any) -> None:
        """Let go of partitions."""
        for host in self.hosts:
            host.revoke(partitions)

    async def close(self) -> None:
        """Store everything: first what the judge hears of, then what it says."""
        for host in self.hosts:
            await host.close()
