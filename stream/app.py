"""The Faust app: the distributed host on Kafka.

`streamgauge worker` starts it, and so does `faust -A stream.app worker`; that one finds its settings in the
file that the environment variable STREAMGAUGE_CONFIG names, or else in ./streamgauge.toml.
"""

import logging
import os
import shutil
from pathlib import Path
from threading import Timer
from typing import IO, Any

from schemas.errors import ConfigError, StateError, TopicError
from stream.distributed.consumer import WorkerApp
from stream.distributed.delivery_agent import add_delivery
from stream.distributed.health import pages
from stream.distributed.identity import refuse_other_sizes, topic_identity
from stream.distributed.worker import Stages
from stream.ingest.metrics import Metrics
from stream.kafka_client import admin_client, broker_credentials
from stream.kafka_settings import KafkaSettings
from stream.locked import lock
from stream.page_server import PageServer
from stream.settings import Settings, load

log = logging.getLogger(__name__)

CONFIG = "STREAMGAUGE_CONFIG"

_TICK = 0.2  # seconds between two looks at what time makes due
_LOOK = 1.0  # seconds between two looks at how far partitions have been read
_PATIENCE = 10.0  # seconds in which connections must close when everything is stored
_BUFFER = 96  # messages that wait for a stage; they may be large
_RUNNING = "running"  # a file that says that local state may be ahead of its changelog
_LOCK = "lock"  # a file that is held while a worker uses the directory


class Gauge(WorkerApp):
    """A worker: its agents stop with everything stored, or it is gone at once."""

    stages: Stages
    kafka: KafkaSettings
    deliveries: Metrics
    held: IO[str]  # the lock of the directory
    server: PageServer | None = None
    leaving: Timer | None = None

    def listen(self) -> None:
        """Open the pages that say how the worker is doing. Raises ConfigError where the port is taken."""
        shown = pages(self.stages.health, self.stages.registry, self.deliveries)
        try:
            self.server = PageServer(self.kafka.host, self.kafka.port, shown)
        except ConfigError as error:
            self._let_go()
            raise ConfigError(
                f"{error}; each worker of a machine needs a port of its own: --port or kafka.port"
            ) from error

    async def on_start(self) -> None:
        """Say how the worker is doing."""
        await super().on_start()
        if self.server is None:
            self.listen()
        assert self.server is not None
        log.info("worker started", extra={"app": self.kafka.app, "port": self.server.port})

    async def on_stop(self) -> None:
        """Store what was taken in while the connections still stand."""
        try:
            if not self.crashed and self._consumer is not None and not self.rebalancing:
                await self.stages.close()
        finally:
            await super().on_stop()
            if self.server is not None:
                self.server.close()
        if not self.crashed:
            self._let_go()
            log.info("worker stopped, everything is stored")
        self.leaving = Timer(_PATIENCE, self._leave)
        self.leaving.daemon = True
        self.leaving.start()

    async def on_shutdown(self) -> None:
        """All connections are closed."""
        if self.leaving is not None:
            self.leaving.cancel()
        await super().on_shutdown()

    def _leave(self) -> None:
        """End the process: a client that lost its coordinator while it closed would ask for it for ever."""
        log.warning("connections to brokers do not close, the worker ends without")
        os._exit(int(self.crashed))

    def _let_go(self) -> None:
        """Leave the directory as one whose state can be used again."""
        (self.kafka.state / _RUNNING).unlink(missing_ok=True)
        self.held.close()


def make_app(settings: Settings) -> Gauge:
    """The app with its agents. Raises ConfigError, BadBaseline, StateError, TopicError and BrokerError."""
    _refuse_models(settings)
    kafka = settings.kafka
    identities = _identities(settings)
    timeout = kafka.session_timeout.total_seconds()
    app = Gauge(
        kafka.app,
        broker=[f"kafka://{address}" for address in kafka.brokers],
        broker_credentials=broker_credentials(kafka),
        broker_session_timeout=timeout,
        broker_heartbeat_interval=timeout / 10,
        broker_commit_interval=1.0,
        store="rocksdb://",
        datadir=kafka.state,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=max(kafka.message_bytes, 4 << 20),
        producer_acks=-1,
        producer_max_request_size=kafka.message_bytes,
        producer_max_batch_size=kafka.message_bytes // 2,  # values of a checkpoint travel together
        stream_buffer_maxsize=_BUFFER,
        stream_wait_empty=False,
        table_standby_replicas=kafka.standbys,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_replication_factor=kafka.replication,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.kafka = kafka
    app.deliveries = Metrics()
    app.stages = Stages(app, settings, identities)
    if settings.firehose is not None:
        add_delivery(app, settings, app.deliveries)
    app.timer(_TICK)(app.stages.tick)
    app.timer(_LOOK)(app.stages.look)
    app.timer(_LOOK)(app.stages.beat)

    async def revoke(*signal: Any, **_: Any) -> None:
        _, revoked = signal
        app.stages.revoke(revoked)

    app.on_partitions_revoked.connect(revoke, weak=False)
    app.held = _prepare(kafka.state)  # last: settings that are wrong leave the directory alone
    return app


def _identities(settings: Settings) -> dict[str, str]:
    """Identities of the topics whose offsets states cover, by name. Raises TopicError, also where they have
    not as many partitions as is set, and BrokerError."""
    kafka = settings.kafka
    joined = [kafka.labels_topic, kafka.joins_topic] if settings.workers_join else []
    with admin_client(kafka) as admin:
        found = {name: topic_identity(admin, name) for name in (kafka.captures_topic, *joined)}
        refuse_other_sizes(admin, _partitions(settings))
    if missing := [name for name, identity in found.items() if identity is None]:
        raise TopicError(f"there is no topic {', '.join(missing)}: run streamgauge topics first")
    return {name: identity for name, identity in found.items() if identity is not None}


def _partitions(settings: Settings) -> dict[str, int]:
    """How many partitions each topic must have, for all workers to divide subjects and ids alike."""
    kafka = settings.kafka
    many = {kafka.captures_topic: kafka.partitions, kafka.partials_topic: kafka.judge_partitions}
    joined = {kafka.labels_topic: kafka.partitions, kafka.joins_topic: kafka.join_partitions}
    return many | (joined if settings.workers_join else {})


def _refuse_models(settings: Settings) -> None:
    """A worker that waits for a model would be taken for dead by the brokers."""
    chosen = [settings.explain, *(own.explain for own in settings.endpoints.values())]
    if any(explain is not None and explain.captured is None for explain in chosen):
        raise ConfigError("explain: a worker asks no model: set explain.captured, or use serve or replay")


def _prepare(state: Path) -> IO[str]:
    """Hold the directory: two workers in one would write over each other. Local state that a crash has left
    may be ahead of its changelog: it is made anew from there. Raises StateError."""
    held = lock(state / _LOCK)
    if held is None:
        raise StateError(f"{state}: another worker is using it; give each a directory of its own: --state")
    if (state / _RUNNING).exists():
        log.warning("the last worker did not end by itself: its state is read from the brokers")
        for path in state.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
    (state / _RUNNING).touch()
    return held


def __getattr__(name: str) -> Any:
    """`app`, made when Faust's own command asks for it."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = made = make_app(load(Path(os.environ.get(CONFIG, "streamgauge.toml"))))
    return made
