"""One partition of the log in either host: its records decoded once, watched and kept for delivery."""

import logging
from collections.abc import Callable, Mapping

from schemas import frame as frames
from schemas.decode import Decoded, decode, refuse
from schemas.errors import BadFrame, BadRecord
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from schemas.times import milliseconds
from stream import filtering
from stream.batch import Batch
from stream.delivery import Delivery
from stream.settings import Settings
from stream.setup import Setup, Setups
from stream.watch import Watch, Watched

log = logging.getLogger(__name__)

Also = Callable[[Batch, Decoded, int, int], None]

_NO_LAYOUT = Layout({})


class Partition:
    """Watch and delivery of the partition `number`, restored from what checkpoints of it have `stored`.
    `also` is given each batch as it was decoded, and the watermark of its subject before and after it."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        setups: Setups,
        stored: Mapping[str, bytes],
        also: Also = lambda batch, decoded, before, after: None,
    ) -> None:
        self.watch = Watch(number, settings.window, setups.monitors)
        self.delivery = Delivery(number)
        self.watch.restore(stored)
        self._setups, self._also = setups, also
        self._max_ahead = milliseconds(settings.window.max_ahead)
        self._due = settings.checkpoint
        self._unwatched: set[str] = set()

    def observe(self, batch: Batch) -> Watched:
        """Take in one batch, in the order of the log."""
        setup = self._setups.of(batch.frame.subject)
        decoded = self._decode(batch, setup)
        before = self.watch.watermark(decoded.subject)
        watched = self.watch.observe(decoded)
        self.delivery.observe(batch, decoded, watched.late, setup.layout if setup else _NO_LAYOUT)
        self._also(batch, decoded, before, watched.progress.watermark)
        return watched

    def _decode(self, batch: Batch, setup: Setup | None) -> Decoded:
        if setup is None:
            endpoint = batch.frame.subject.endpoint
            if endpoint not in self._unwatched:
                log.warning(
                    "no baseline for endpoint, its records are kept aside", extra={"endpoint": endpoint}
                )
                self._unwatched.add(endpoint)
            return refuse(batch.frame, BadRecord("baseline", f"no baseline is configured for {endpoint}"))
        decoded = decode(batch.frame, setup.layout, self._max_ahead, setup.handler)
        return filtering.apply(setup.filter, decoded, setup.layout)

    @property
    def full(self) -> bool:
        """Whether so much is kept for delivery that a checkpoint is due."""
        return self.delivery.rows >= self._due.rows or self.delivery.nbytes >= self._due.max_bytes


def read_message(message: bytes, subject: Subject, arrived: int) -> Frame:
    """A message as a frame; one that is none holds records of `subject`, a line each, that `arrived` (ms).

    A damaged frame is kept as a record that cannot be read, so that it is counted and set aside.
    """
    try:
        return frames.decode(message, subject, arrived)
    except BadFrame as error:
        log.warning("message is not a frame", extra={"reason": str(error)})
        return frames.raw(message, subject, arrived)
