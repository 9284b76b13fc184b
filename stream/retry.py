"""Trying a write again while what it goes to is busy."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable

from schemas.errors import SinkBusy

log = logging.getLogger(__name__)


def persist(
    action: Callable[[], object],
    delays: Iterable[float],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Carry out `action`; while it raises SinkBusy, wait for each of `delays` (seconds) and try again.

    `action` must be safe to repeat. A full disk under the log is busy too. Raises SinkBusy after the last
    delay: nothing was lost, and the same work is done again when the program is started again.
    """
    waiting = iter(delays)
    while True:
        try:
            action()
            return
        except (SinkBusy, sqlite3.OperationalError) as error:
            delay = next(waiting, None)
            if delay is None:
                raise SinkBusy(str(error)) from error
            log.warning("write failed, trying again", extra={"reason": str(error), "seconds": delay})
            sleep(delay)
