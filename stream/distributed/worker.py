"""The stages of the distributed host, joined to a Faust app: topics, tables, agents, what time makes due."""

import logging
import uuid
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.times import now as wall_clock
from stream.changes import Stored
from stream.distributed.faust_outside import RAW, FaustOutside
from stream.distributed.health import Health, loudly
from stream.distributed.host import Host
from stream.distributed.judging import JudgeStage, Publisher
from stream.distributed.metrics import WorkerMetrics, latency
from stream.distributed.news import Closed, Heard, News, Sender, Told, partition_of
from stream.distributed.publishing import ReportPublisher, Store
from stream.distributed.shard import Shard
from stream.distributed.watching import WatchStage
from stream.search import search_sink
from stream.settings import Settings
from stream.setup import Setups

log = logging.getLogger(__name__)

_SLACK = 2_000  # ms that clocks of brokers and workers may differ


class Stages:
    """The watch and judge stages of `app`. Raises ConfigError and BadBaseline."""

    def __init__(self, app: Any, settings: Settings, identity: str) -> None:
        kafka = settings.kafka
        self._app, self._settings, self._identity = app, settings, identity
        self._interval = settings.checkpoint.interval.total_seconds()
        self._setups = Setups(settings)
        if settings.joins:
            log.warning("labels are not joined by workers", extra={"joined_by": "replay, serve"})
        self._store = Store.of(settings)
        self.registry = CollectorRegistry()
        self._latency = latency(self.registry)
        search = search_sink(settings.opensearch) if settings.opensearch else None
        self._publisher: Publisher = ReportPublisher(self._store.reports, search)
        self._name = uuid.uuid4().hex
        kinds = {"key_type": bytes, "value_type": bytes}
        raw = {**kinds, **RAW}
        captures = app.topic(kafka.captures_topic, partitions=kafka.partitions, **raw)
        self._partials = app.topic(kafka.partials_topic, partitions=kafka.judge_partitions, **raw)
        watched = app.Table("watch", partitions=kafka.partitions, **kinds)
        judged = app.Table("judge", partitions=kafka.judge_partitions, **kinds)
        self.watch = Host(app, watched, kafka.captures_topic, self._begin_watch)
        self.judge = Host(app, judged, kafka.partials_topic, self._begin_judge)
        app.agent(captures, name="watch")(self._watching)
        app.agent(self._partials, name="judge")(self._judging)
        self.hosts = (self.watch, self.judge)
        self.health = Health(app, self.hosts)
        self.registry.register(WorkerMetrics(self.hosts, search, wall_clock))

    async def _watching(self, stream: Any) -> None:
        await loudly(self._app, self.watch.run(stream.noack().events()))

    async def _judging(self, stream: Any) -> None:
        await loudly(self._app, self.judge.run(stream.noack().events()))

    def _begin_watch(self, partition: int, outside: FaustOutside) -> Shard:
        settings, sender = self._settings, Sender(f"{partition}/{self._name}-{uuid.uuid4().hex[:8]}")

        def tell(what: Told) -> None:
            for place in self._places(what):
                for message in sender.messages(what):
                    outside.send(self._partials, place, message)

        def begin(stored: Stored, _: int) -> WatchStage:
            places = (self._store.rows, self._store.errors)
            return WatchStage(partition, settings, self._setups, *places, tell, self._identity[:8], stored)

        return Shard(f"watch {partition}", outside, self._identity, self._interval, begin)

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

    def _begin_judge(self, partition: int, outside: FaustOutside) -> Shard:
        settings, sender = self._settings, Sender(f"judge {partition}/{uuid.uuid4().hex}")

        def tell(what: Told) -> None:
            for message in sender.messages(what):
                outside.send(self._partials, partition, message)

        def begin(stored: Stored, _: int) -> JudgeStage:
            return JudgeStage(settings, self._setups, self._publisher, tell, stored, self._latency.observe)

        return Shard(f"judge {partition}", outside, "", self._interval, begin)

    async def beat(self) -> None:
        """Time passes, also while a delivery waits for its store."""
        self.health.beat()

    async def tick(self) -> None:
        """Flush, store, and publish what is due."""
        await self.watch.tick()
        await self.judge.tick()

    async def look(self) -> None:
        """Tell the judge how far partitions have been read, and close what is idle."""
        if self._app.rebalancing:
            return
        now = wall_clock() - _SLACK
        caught_up = await self.watch.caught_up()

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
