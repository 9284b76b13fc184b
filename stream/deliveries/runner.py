"""Runs a channel for each delivery stream, in threads of their own, as streams come and go."""

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Event, Thread

from stream.deliveries.backlog import Backlog
from stream.deliveries.channel import NO_LIMIT, Abandoned, Channel
from stream.deliveries.surroundings import Surroundings
from stream.ingest.metrics import Metrics

log = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds that deliveries have to stop
_LOOK = 0.5  # seconds between two looks at a queue that has nothing due


class Stopped(Exception):
    """The service is asked to stop: a delivery that is under way is left, to be carried out again."""


class Runner:
    """Delivers all streams of `queue` until it is stopped.

    `limits` gives, for a stream that something else reads too, the last sequence number that this has read;
    `hurry` says that a stream's buffer is to be delivered at once.
    """

    def __init__(
        self,
        queue: Backlog,
        around: Callable[[Callable[[float], None]], Surroundings],
        metrics: Metrics,
        limits: Callable[[str], int] = lambda name: NO_LIMIT,
        hurry: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._queue, self._metrics, self._limits, self._hurry = queue, metrics, limits, hurry
        self._stop = Event()
        self.around = around(self._sleep)
        self._threads: dict[str, Thread] = {}
        self._watch = Thread(target=self._look_after, name="deliveries", daemon=True)

    def start(self) -> None:
        """Begin with what waits."""
        self._watch.start()

    def stop(self) -> None:
        """Return when no delivery is under way any more; one that hangs is left after a while, and carried
        out again at the next start."""
        self._stop.set()
        if self._watch.is_alive():
            self._watch.join()
        end = time.monotonic() + _PATIENCE
        for name, thread in self._threads.items():
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                log.warning("delivery left in the middle", extra={"stream": name})

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _look_after(self) -> None:
        while not self._stop.is_set():
            for name in self._queue.streams:
                if name not in self._threads or not self._threads[name].is_alive():
                    self._threads[name] = Thread(
                        target=self._run, args=(name,), name=f"deliver-{name}", daemon=True
                    )
                    self._threads[name].start()
            self._stop.wait(_LOOK)

    def _run(self, name: str) -> None:
        try:
            limit, hurry = partial(self._limits, name), partial(self._hurry, name)
            channel = Channel(self._queue, name, self.around, self._metrics, limit, hurry)
            while name in self._queue.streams:
                if not channel.step():
                    self._sleep(_LOOK)
        except (Stopped, Abandoned):
            pass
        except Exception:
            log.exception("delivery of a stream failed", extra={"stream": name})
            self._stop.wait(_LOOK * 10)  # it is begun anew from what is stored
