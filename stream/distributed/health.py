"""Whether a worker is well: alive while time passes in it, ready while it works on its partitions."""

import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from schemas.errors import PipelineError
from stream.distributed.host import Host
from stream.ingest.exposition import prometheus
from stream.ingest.metrics import Metrics
from stream.page_server import Page

log = logging.getLogger(__name__)

_STILL = 60.0  # seconds without a beat after which a worker is not alive
_PATIENCE = 30.0  # seconds that a worker which failed has to end by itself
_FAILED = 70  # exit code when it has not


async def loudly(app: Any, work: Awaitable[None]) -> None:
    """Do the work of an agent. If it fails, the worker ends, whatever else still holds it: the partitions
    would stand still otherwise. Nothing is lost by that: it is a crash like any other."""
    try:
        await work
    except Exception as error:
        log.critical("stage failed, the worker stops", exc_info=not isinstance(error, PipelineError))
        ender = threading.Timer(_PATIENCE, os._exit, (_FAILED,))
        ender.daemon = True
        ender.start()
        await app.crash(error)
        raise


class Health:
    """What is said of a worker at /livez and /readyz."""

    def __init__(self, app: Any, hosts: Sequence[Host]) -> None:
        self._app, self._hosts = app, hosts
        self._beat = time.monotonic()

    def beat(self) -> None:
        """Time passes in the worker."""
        self._beat = time.monotonic()

    def live(self) -> Page:
        """Not well when nothing happens any more: the process is to be started anew."""
        silent = time.monotonic() - self._beat
        if silent < _STILL:
            return Page(b"alive\n")
        return Page(f"nothing has happened for {silent:.0f} s\n".encode(), 503)

    def ready(self) -> Page:
        """Whether the worker has partitions and has taken them up."""
        if self._app.rebalancing:
            return Page(b"partitions are being shared out\n", 503)
        shards = sum(len(host.shards) for host in self._hosts)
        return Page(f"working on {shards} partitions\n".encode()) if shards else Page(b"no partition\n", 503)


def pages(
    health: Health, registry: CollectorRegistry, deliveries: Metrics
) -> Mapping[str, Callable[[], Page]]:
    """The pages of a worker: its own metrics and those of delivery streams are one."""

    def metrics() -> Page:
        body = generate_latest(registry) + prometheus(deliveries.snapshot()).encode()
        return Page(body, kind=CONTENT_TYPE_LATEST)

    return {
        "/metrics": metrics,
        "/livez": health.live,
        "/readyz": health.ready,
    }
