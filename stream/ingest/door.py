"""The door: what AWS clients speak to as Amazon Data Firehose."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from schemas.errors import ConfigError
from schemas.times import now as wall_clock
from stream.ingest.api import Api
from stream.ingest.control import Deliverable
from stream.ingest.http import Requests
from stream.ingest.intake import Keeper
from stream.ingest.metrics import Metrics
from stream.settings import FirehoseSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

_SETTLE = 0.02  # seconds
_DRAIN = 10.0  # seconds that requests under way have to be answered
_SHUTDOWN = 1.0  # seconds that connections have afterwards


class Door:
    """Serves the API until it is stopped. The keeper is the caller's to close, afterwards.

    `clock` gives ms since the epoch. `deliverable` is asked before a stream is made or changed; what it
    raises (ValueError, ConfigError) the client is told as InvalidArgumentException. Raises ConfigError when
    others could reach the door and no keys are set.
    """

    def __init__(
        self,
        settings: FirehoseSettings,
        keeper: Keeper,
        clock: Callable[[], int] = wall_clock,
        metrics: Metrics | None = None,
        deliverable: Deliverable = lambda stream: None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self._settings = settings
        self._api = Api(settings, keeper, clock, self.metrics, deliverable)
        self._listening: asyncio.Server | None = None
        self.port = settings.port

    async def start(self) -> None:
        """Listen; `port` is then the one that was taken. Raises ConfigError when it cannot be had."""
        await self._api.registry.sweep()
        self._requests = Requests(self._api.answer, self._settings.request_timeout.total_seconds())
        self._server = self._requests.server()
        host, port = self._settings.host, self._settings.port
        try:
            listening = await asyncio.get_running_loop().create_server(
                self._server, host, port, backlog=1_024
            )
        except OSError as error:
            raise ConfigError(f"firehose: cannot listen at {host}:{port}: {error}") from error
        self._listening = listening
        self.port = listening.sockets[0].getsockname()[1]
        log.info("door opened", extra={"host": host, "port": self.port})

    async def stop(self) -> None:
        """Answer what is under way, then let go of the port."""
        if self._listening is None:
            return
        # What was accepted last is set up before the listener is closed: asyncio forgets it otherwise, and
        # its client waits in vain.
        for socket in self._listening.sockets:
            asyncio.get_running_loop().remove_reader(socket.fileno())
        await asyncio.sleep(_SETTLE)
        self._listening.close()
        await self._requests.drain(_DRAIN)
        self._server.pre_shutdown()
        await self._server.shutdown(_SHUTDOWN)
        self._listening = None
        log.info("door closed")


class DoorThread:
    """Runs a door in a thread of its own, beside work that is no coroutine."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._thread = Thread(target=self._run, name="firehose-door", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def start(self) -> None:
        """Return when the door is open. Raises ConfigError."""
        self._loop = asyncio.new_event_loop()
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

    def call(self, what: Coroutine[Any, Any, T]) -> T:
        """Carry out a coroutine beside the door's own, from another thread."""
        return self._do(what).result()

    def _do(self, what: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(what, self._loop)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
