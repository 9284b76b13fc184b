"""How much may be asked of an endpoint for one window."""

import time
from collections.abc import Callable
from threading import Event, Lock

from schemas.errors import ModelFailed


class Budget:
    """Requests of one window: at most `calls`, tries again among them, none after `seconds`, and no more than
    `per_second` (0: as many as can be), counted over all windows, for the endpoint does not know windows.

    Safe to use from several threads. `now` and `sleep` are those of a clock in seconds.
    """

    def __init__(
        self,
        calls: int,
        seconds: float,
        per_second: float = 0.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._calls, self._seconds, self._gap = calls, seconds, 1 / per_second if per_second else 0.0
        self._now, self._sleep = now, sleep
        self._lock = Lock()
        self._next = now()
        self.stopped = Event()
        self.spent = 0
        self._until = now() + seconds

    def start(self) -> None:
        """A new window."""
        with self._lock:
            self.spent, self._until = 0, self._now() + self._seconds
            self.stopped.clear()

    @property
    def left(self) -> float:
        """Seconds left of this window."""
        return max(0.0, self._until - self._now())

    def take(self) -> None:
        """Wait for the turn of one request. Raises ModelFailed where there is none left in this window."""
        with self._lock:
            if self.stopped.is_set():
                raise ModelFailed("given up")
            if self.spent >= self._calls:
                raise ModelFailed(f"the budget of {self._calls} calls is spent")
            turn = max(self._next, self._now())
            if turn >= self._until:
                raise ModelFailed(f"the budget of {self._seconds:g} s is spent")
            self.spent += 1
            self._next = turn + self._gap
        if (wait := turn - self._now()) > 0:
            self._sleep(wait)
