"""The embedded service: watches for new captures and reports on windows as they close."""

import hashlib
import logging
import time
from collections.abc import Callable
from itertools import chain, repeat, takewhile
from threading import Event
from typing import Any

import numpy as np

from schemas.errors import SourceError
from schemas.frame import Frame, Subject, split
from schemas.times import DAY, format_time, milliseconds
from schemas.times import now as wall_clock
from sinks import page
from stream import directory, source
from stream.embedded import Embedded, Outputs
from stream.firehose_service import Firehose
from stream.joining.exposition import prometheus
from stream.log import Log, Position
from stream.placing import BEFORE_ALL
from stream.retry import persist
from stream.settings import FirehoseSettings, Settings
from stream.setup import Setups
from stream.source import CaptureFile

log = logging.getLogger(__name__)

_DELAYS = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds between tries of a write; the last for ever
_STREAMS_EVERY = 0.5  # seconds between two looks at delivery streams that are watched
_PORTIONS = 4  # of one stream in a row, before other work has its turn
_PAGE_EVERY = 60.0  # seconds; the page is made anew from all reports


class Service:
    """Polls the capture places of `settings`; `step` is one round, so that a test can take them one by one.

    `now` gives wall-clock milliseconds. Raises StateError when the directory belongs to something else.
    """

    def __init__(
        self,
        settings: Settings,
        stop: Event | None = None,
        now: Callable[[], int] = wall_clock,
    ) -> None:
        self._settings = settings
        self._stop = stop or Event()
        self._now = now
        setups = Setups(settings)
        directory.prepare(settings.output, overwrite=False)
        self._log = Log(settings.output / directory.STATE)
        windows = settings.window.model_dump_json()
        directory.claim(self._log, "serve", hashlib.sha256(windows.encode()).hexdigest())
        outputs = Outputs.of(settings)
        self.host = Embedded(settings, self._log, setups, outputs, self._persist)
        self._positions = self._log.positions()
        self._heard: dict[Subject, int] = dict.fromkeys(self.host.subjects, now())
        self._checkpointed = time.monotonic()
        self._paged = -_PAGE_EVERY  # the first checkpoint makes the first page
        self._problems: dict[str, str] = {}
        self._said: dict[str, Any] = {}
        self._watched = _streams(settings.firehose) if settings.firehose else {}
        self.firehose = (
            Firehose(settings.firehose, settings.output, now, settings.kafka) if settings.firehose else None
        )
        for name in self._watched:
            assert self.firehose is not None
            self.firehose.watched(name, self._positions.get(f"firehose:{name}", Position()).offset)

    def _persist(self, action: Callable[[], object]) -> None:
        """A service does not give up on a write: it waits, and says so, until it is stopped."""
        delays = chain(_DELAYS, repeat(_DELAYS[-1]))
        persist(action, takewhile(lambda _: not self._stop.is_set(), delays), self._stop.wait)

    def run(self) -> None:
        """Step until `stop` is set; then store everything."""
        log.info("service started", extra={"output": str(self._settings.output)})
        self.host.pump()
        if self.firehose:
            self.firehose.start()
        try:
            while not self._stop.is_set():
                self.step()
                self._wait()
        finally:
            if self.firehose:
                self.firehose.stop()
        self.close()
        log.info("service stopped")

    def _wait(self) -> None:
        """Until captures are looked for again; streams that are watched are looked at more often."""
        until = time.monotonic() + self._settings.source.poll.total_seconds()
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            self._take_streams()
            self._stop.wait(min(left, _STREAMS_EVERY))

    def _take_streams(self) -> None:
        """Records of the delivery streams that are watched: captures of their endpoints, or labels."""
        for name, subject in self._watched.items():
            key = f"firehose:{name}"
            for _ in range(_PORTIONS):
                if self.firehose is None or self._stop.is_set():
                    return
                now = self._now()
                at = self._positions.get(key, Position()).offset
                records = self.firehose.read(name, at)
                if not len(records):
                    break
                lines = np.zeros(len(records), np.uint32)
                columns = records.data, records.arrived, lines
                frame = Frame(subject or Subject(), *columns, key, labels=subject is None)
                self._positions[key] = Position(int(records.sequence[-1]))
                self.host.append(split(frame), {key: self._positions[key]})
                self.firehose.watched(name, self._positions[key].offset)
                if subject is not None:
                    self._heard[subject] = now
                self.host.pump()
                self._checkpoint_if_due()

    def step(self) -> None:
        """Take in what is new, close what is due, and store when it is time."""
        for file in self._found():
            if self._stop.is_set():
                return
            self._take(file, self._now())
            self._checkpoint_if_due()
        self._take_streams()
        self._close_idle()
        self.host.pump()
        self._checkpoint_if_due()

    def _found(self) -> list[CaptureFile]:
        """Files with something new; a place that cannot be read now is tried again at the next step."""
        files: list[CaptureFile] = []
        captures, labels = self._settings.source.captures, self._settings.labels.places
        for place in (*captures, *labels):
            try:
                if place in captures:
                    files += source.find([place], self._settings.source.subject)
                if place in labels:
                    files += source.find_labels([place])
                self._problems.pop(place, None)
            except SourceError as error:
                self._complain(place, str(error))
        new = (file for file in files if self._positions.get(file.path, Position()).size != file.size)
        return sorted(new, key=CaptureFile.order)

    def _take(self, file: CaptureFile, arrived: int) -> None:
        at = self._positions.get(file.path, Position())
        if not file.settled and file.whole_only:
            return  # read when nobody writes it any more
        try:
            for chunk in source.read(file, at, arrived, whole=file.settled):
                if chunk.frames or chunk.position.size >= 0:
                    self.host.append(chunk.frames, {chunk.path: chunk.position})
                    self._positions[chunk.path] = chunk.position
                if chunk.frames:
                    if not file.labels:
                        self._heard[file.subject] = arrived
                    self.host.pump()
                if self._stop.is_set():
                    return
        except SourceError as error:
            self._complain(file.path, str(error))

    def _complain(self, place: str, reason: str) -> None:
        if self._problems.get(place) != reason:
            log.warning("captures cannot be read", extra={"place": place, "reason": reason})
            self._problems[place] = reason

    def _close_idle(self) -> None:
        """Close windows of subjects that have been silent.

        Live traffic is closed by the clock, so that an hour without traffic is reported. Captures replayed
        into the service carry an old time: of them only the windows that hold data are closed.
        """
        now, size = self._now(), milliseconds(self._settings.window.size)
        idle, lateness = (
            milliseconds(self._settings.source.idle),
            milliseconds(self._settings.window.lateness),
        )
        for subject, heard in list(self._heard.items()):
            watermark = self.host.watermark(subject)
            if now - heard < idle or watermark == BEFORE_ALL:
                continue
            live = heard - (watermark + lateness) < DAY
            until = now - lateness if live else self.host.open_until(subject)
            if until // size > watermark // size:
                log.info("endpoint is idle", extra={"subject": str(subject), "until": format_time(until)})
                self.host.append([Frame.completion(subject, until)])
            if not live:
                del self._heard[subject]

    def _checkpoint_if_due(self) -> None:
        if time.monotonic() - self._checkpointed >= self._settings.checkpoint.interval.total_seconds():
            self.checkpoint()

    def checkpoint(self) -> None:
        """Store everything that was taken in."""
        self.host.checkpoint()
        self._checkpointed = time.monotonic()
        if self.firehose:
            self.firehose.more = prometheus(self.host.summary().get("quality", {}))
        if time.monotonic() - self._paged >= _PAGE_EVERY:
            self._write_page()

    def _write_page(self) -> None:
        """Totals and page, when anything has changed in them."""
        now = self.host.summary() | {"problems": sorted(self._problems.values())}
        if now == self._said:
            return
        if (counts := now["counts"]) != self._said.get("counts"):
            log.info("records so far", extra=counts)
        self.host.write_summary(problems=now["problems"], finished=False)
        page.write_page(self._settings.output)
        self._said, self._paged = now, time.monotonic()

    def close(self) -> None:
        """Store everything and let go of the log."""
        self.host.pump()
        self.checkpoint()
        self._write_page()
        self._log.close()
        if self.firehose:
            self.firehose.close()


def _streams(door: FirehoseSettings) -> dict[str, Subject | None]:
    """Whose captures each stream that is watched holds; None for ground truth."""
    return {name: Subject(endpoint) for name, endpoint in door.watch.items()} | dict.fromkeys(door.labels)
