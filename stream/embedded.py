"""The embedded host: one process that runs all stages, with its log and checkpoints in one SQLite file."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from schemas import frame as frames
from schemas.decode import Decoded
from schemas.frame import Frame, Subject
from schemas.report import Counts, Report
from sinks import dead_letters, parquet, reports
from sinks import merged as merged_records
from sinks.alerts import AlertFile
from sinks.objects import Objects
from stream.announce import announce
from stream.batch import Batch, batches
from stream.changes import Changes
from stream.joining.quality import Quality
from stream.judge import Judge
from stream.log import Log, Position
from stream.partition import Partition, read_message
from stream.settings import Settings
from stream.setup import Setups

PARTITION = 0  # the embedded log has one


class Outputs(Struct, frozen=True):
    """Where everything goes that leaves the host."""

    rows: Objects
    reports: Objects
    errors: Objects
    root: Objects
    alerts: AlertFile
    merged: Objects

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
            Objects.at(out / "merged"),
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
        self._log = store
        self._outputs = outputs
        self._persist = persist
        self._quality = Quality(PARTITION, settings, setups, store) if settings.joins else None
        self._partition = Partition(PARTITION, settings, setups, store.states("watch"), self._predicted)
        self._watch = self._partition.watch
        self._judge = Judge(settings.window, setups.monitors)
        self._judge.restore(store.states("judge"))
        self._at = store.covered

    def append(self, new: Iterable[Frame], positions: Mapping[str, Position] | None = None) -> None:
        """Make frames durable, together with how far their sources were read."""
        messages = [frames.encode(frame) for frame in new]
        self._persist(lambda: self._log.append(messages, positions))

    def pump(self) -> None:
        """Take in everything that the log holds and was not taken in, with checkpoints as they come due."""
        while messages := self._log.read(self._at, until=self._log.intent):
            read = ((offset, read_message(message, Subject(), 0)) for offset, message in messages)
            for batch in batches(read):
                self._observe(batch)
                self._at = batch.offsets[-1]
                if self._due():
                    self.checkpoint()

    def _due(self) -> bool:
        """Whether to store now. A range that may be half delivered must end where it was meant to end."""
        if (intent := self._log.intent) is not None:
            return self._at == intent
        return self._partition.full or (self._quality is not None and self._quality.full)

    def _observe(self, batch: Batch) -> None:
        if batch.frame.labels:
            if self._quality is not None:
                self._partition.delivery.refuse(batch, self._quality.labels(batch))
            return
        watched = self._partition.observe(batch)
        for report in self._judge.observe(watched.subject, watched.partials, watched.progress):
            self._publish(report)

    def _predicted(self, batch: Batch, decoded: Decoded, before: int, after: int) -> None:
        for report in self._quality.predictions(batch, decoded, before, after) if self._quality else ():
            self._publish(report)

    def _publish(self, report: Report) -> None:
        self._persist(lambda: reports.write(self._outputs.reports, report))
        self._persist(lambda: self._outputs.alerts.write(report))
        announce(report)

    def checkpoint(self) -> None:
        """Deliver what was taken in since the last checkpoint, and store the states that cover it."""
        first = self._log.covered + 1
        if self._at < first or self._log.intent not in (None, self._at):
            return
        if self._log.intent is None:
            self._persist(lambda: self._log.intend(self._at))
        cut = self._partition.delivery.cut(first)
        place = (cut.partition, cut.first_offset)
        self._persist(lambda: parquet.write(self._outputs.rows, cut.tables, *place, self._log.identity))
        self._persist(lambda: dead_letters.write(self._outputs.errors, cut.letters, *place))
        changes = {"watch": self._watch.checkpoint(), "judge": self._judge.checkpoint()}
        if self._quality is not None:
            changes |= self._joined(self._quality, place)
        self._persist(lambda: self._log.commit(self._at, changes))

    def _joined(self, quality: Quality, place: tuple[int, int]) -> dict[str, Changes]:
        """Write what was joined since the last checkpoint, and the reports that it changes."""
        merged, changed = quality.cut()
        for part in merged:
            body = part.body()
            self._persist(partial(self._put_merged, part.subject, part.hour, body, place))
        for report in changed:
            self._publish(report)
        return quality.checkpoint()

    def _put_merged(self, subject: Subject, hour: int, body: pa.Buffer, place: tuple[int, int]) -> None:
        merged_records.write(self._outputs.merged, subject, hour, body, *place, self._log.identity)

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
        quality = {"quality": self._quality.summary()} if self._quality else {}
        return {
            **quality,
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
