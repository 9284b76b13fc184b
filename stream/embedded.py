"""The embedded host: one process that runs all stages, with its log and checkpoints in one SQLite file."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from schemas import frame as frames
from schemas.decode import Decoded, decode, refuse
from schemas.errors import BadFrame, BadRecord
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from schemas.report import Counts, Report
from schemas.times import format_time, milliseconds
from sinks import dead_letters, parquet, reports
from sinks.alerts import AlertFile
from sinks.objects import Objects
from stream import filtering
from stream.batch import Batch, batches
from stream.delivery import Delivery
from stream.judge import Judge
from stream.log import Log, Position
from stream.settings import Settings
from stream.setup import Setup, Setups
from stream.watch import Watch

log = logging.getLogger(__name__)

PARTITION = 0  # the embedded log has one
_NO_LAYOUT = Layout({})


class Outputs(Struct, frozen=True):
    """Where everything goes that leaves the host."""

    rows: Objects
    reports: Objects
    errors: Objects
    root: Objects
    alerts: AlertFile

    @classmethod
    def of(cls, settings: Settings) -> "Outputs":
        """Places under the output directory; rows may go elsewhere. Raises ConfigError."""
        out = settings.output
        return cls(
            Objects.at(settings.rows or out / "captures"),
            Objects.at(out / "reports"),
            Objects.at(out / "errors"),
            Objects.at(out),
            AlertFile(out / "alerts.jsonl"),
        )


class Embedded:
    """Runs watch, judge and delivery over the log, and stores their states with the offset they cover.

    Order of a checkpoint: remember where it ends, deliver the rows up to there, then store states and
    offset in one transaction. After a crash the same range is read and delivered again under the same
    names, so a row is neither lost nor there twice. Reports and alerts go out when a window closes;
    writing them again changes nothing.

    `persist` carries out a write that may fail for a while; see `retry.persist`.
    """

    def __init__(
        self,
        settings: Settings,
        store: Log,
        setups: Setups,
        outputs: Outputs,
        persist: Callable[[Callable[[], object]], None],
    ) -> None:
        self._settings = settings
        self._log = store
        self._setups = setups
        self._outputs = outputs
        self._persist = persist
        self._max_ahead = milliseconds(settings.window.max_ahead)
        self._watch = Watch(PARTITION, settings.window, setups.monitors)
        self._judge = Judge(settings.window, setups.monitors)
        self._delivery = Delivery(PARTITION)
        self._watch.restore(store.states("watch"))
        self._judge.restore(store.states("judge"))
        self._at = store.covered
        self.unwatched: set[str] = set()

    def append(self, new: Iterable[Frame], positions: Mapping[str, Position] | None = None) -> None:
        """Make frames durable, together with how far their sources were read."""
        messages = [frames.encode(frame) for frame in new]
        self._persist(lambda: self._log.append(messages, positions))

    def pump(self) -> None:
        """Take in everything that the log holds and was not taken in, with checkpoints as they come due."""
        while messages := self._log.read(self._at, until=self._log.intent):
            for batch in batches((offset, _decode(message)) for offset, message in messages):
                self._observe(batch)
            self._at = messages[-1][0]
            if self._due():
                self.checkpoint()

    def _due(self) -> bool:
        """Whether to store now. A range that may be half delivered must end where it was meant to end."""
        if (intent := self._log.intent) is not None:
            return self._at == intent
        due = self._settings.checkpoint
        return self._delivery.rows >= due.rows or self._delivery.nbytes >= due.nbytes

    def _observe(self, batch: Batch) -> None:
        setup = self._setups.of(batch.frame.subject)
        decoded = self._decode(batch, setup)
        watched = self._watch.observe(decoded)
        self._delivery.observe(batch, decoded, watched.late, setup.layout if setup else _NO_LAYOUT)
        for report in self._judge.observe(watched.partials, watched.progress):
            self._publish(report)

    def _decode(self, batch: Batch, setup: Setup | None) -> Decoded:
        if setup is None:
            endpoint = batch.frame.subject.endpoint
            if endpoint not in self.unwatched:
                log.warning(
                    "no baseline for endpoint, its records are kept aside", extra={"endpoint": endpoint}
                )
                self.unwatched.add(endpoint)
            return refuse(batch.frame, BadRecord("baseline", f"no baseline is configured for {endpoint}"))
        decoded = decode(batch.frame, setup.layout, self._max_ahead, setup.handler)
        return filtering.apply(setup.filter, decoded, setup.layout)

    def _publish(self, report: Report) -> None:
        self._persist(lambda: reports.write(self._outputs.reports, report))
        self._persist(lambda: self._outputs.alerts.write(report))
        for violation in report.finding.violations:
            if violation.constraint_check_type == "monitor_error":
                log.error(violation.description, extra={"monitor": report.monitor})
        log.info(
            "window closed",
            extra={
                "subject": str(report.subject),
                "monitor": report.monitor,
                "start": format_time(report.window.start),
                "rows": report.counts.rows,
                "violations": len(report.finding.violations),
                "revision": report.revision,
            },
        )

    def checkpoint(self) -> None:
        """Deliver what was taken in since the last checkpoint, and store the states that cover it."""
        first = self._log.covered + 1
        if self._at < first or self._log.intent not in (None, self._at):
            return
        if self._log.intent is None:
            self._persist(lambda: self._log.intend(self._at))
        cut = self._delivery.cut(first)
        place = (cut.partition, cut.first_offset)
        self._persist(lambda: parquet.write(self._outputs.rows, cut.tables, *place, self._log.identity))
        self._persist(lambda: dead_letters.write(self._outputs.errors, cut.letters, *place))
        changes = {"watch": self._watch.checkpoint(), "judge": self._judge.checkpoint()}
        self._persist(lambda: self._log.commit(self._at, changes))

    def watermark(self, subject: Subject) -> int:
        """Event time (ms) before which nothing more is expected of `subject`."""
        return self._watch.watermark(subject)

    def open_until(self, subject: Subject) -> int:
        """End (ms) of the last window of `subject` that holds data and can change."""
        return self._watch.open_until(subject)

    @property
    def subjects(self) -> list[Subject]:
        """Every subject heard of so far."""
        return self._watch.subjects

    def summary(self) -> dict[str, Any]:
        """Totals since the first record: what came, what became of it, and what was said."""
        return {
            "counts": msgspec.to_builtins(self.totals),
            "bad_by_reason": dict(sorted(self._watch.reasons.items())),
            "reports": {status: n for status, n in sorted(self._judge.statuses.items()) if n},
        }

    @property
    def totals(self) -> Counts:
        """What became of all records since the first."""
        return self._watch.totals

    def write_summary(self, **more: Any) -> None:
        """Store the totals beside the reports."""
        document = reports.pretty(self.summary() | more)
        self._persist(lambda: self._outputs.root.put("summary.json", document))


def _decode(message: bytes) -> Frame:
    """A damaged message is kept as a record that cannot be read, so that it is counted and set aside."""
    try:
        return frames.decode(message)
    except BadFrame as error:
        log.warning("message is not a frame", extra={"reason": str(error)})
        return frames.raw(message)
