"""The door: what AWS clients speak to as Amazon Data Firehose."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from typing import Any

from aiohttp.web_runner import ServerRunner, TCPSite

from schemas.errors import ConfigError
from stream.ingest.api import Api
from stream.ingest.http import Requests
from stream.ingest.metrics import Metrics
from stream.ingest.queue import Queue
from stream.settings import FirehoseSettings

log = logging.getLogger(__name__)

_SHUTDOWN = 10.0  # seconds that requests under way have to be answered


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Door:
    """Serves the API until it is stopped. The queue is the caller's to close, afterwards.

    `clock` gives ms since the epoch. Raises ConfigError when others could reach it and no keys are set.
    """

    def __init__(
        self,
        settings: FirehoseSettings,
        queue: Queue,
        clock: Callable[[], int] = wall_clock,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self._settings = settings
        self._api = Api(settings, queue, clock, self.metrics)
        self._runner: ServerRunner | None = None
        self.port = settings.port

    async def start(self) -> None:
        """Listen; `port` is then the one that was taken. Raises ConfigError when it cannot be had."""
        await self._api.registry.sweep()
        requests = Requests(self._api.answer, self._settings.request_timeout.total_seconds())
        self._runner = ServerRunner(requests.server(), shutdown_timeout=_SHUTDOWN)
        await self._runner.setup()
        host = self._settings.host
        try:
            await TCPSite(self._runner, host, self._settings.port, backlog=1_024).start()
        except OSError as error:
            await self.stop()
            raise ConfigError(f"firehose: cannot listen at {host}:{self._settings.port}: {error}") from error
        self.port = self._runner.addresses[0][1]
        log.info("door opened", extra={"host": host, "port": self.port})

    async def stop(self) -> None:
        """Answer what is under way, then let go of the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            log.info("door closed")


class DoorThread:
    """Runs a door in a thread of its own, beside work that is no coroutine."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="firehose-door", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def start(self) -> None:
        """Return when the door is open. Raises ConfigError."""
        self._thread.start()
        try:
            self._do(self.door.start()).result()
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Return when the door is closed."""
        self._do(self.door.stop()).result()
        self._end()

    def _do(self, what: Coroutine[Any, Any, None]) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(what, self._loop)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
