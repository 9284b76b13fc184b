"""Join and judge of models' quality on the embedded host."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from schemas.decode import Decoded
from schemas.errors import BadRecord
from schemas.labelled import NO_LABELS
from schemas.report import Report
from stream.batch import Batch
from stream.changes import Changes
from stream.joining import truth
from stream.joining.captures import Captures
from stream.joining.merging import MergedLines
from stream.joining.predicting import predicted
from stream.joining.stage import Joining, News
from stream.judge import Judge
from stream.log import Log
from stream.placing import Timing
from stream.settings import Settings
from stream.setup import Setups

_JUDGE = "quality_judge"


class Quality:
    """Predictions and labels in, reports out. `store` holds what earlier checkpoints have stored."""

    def __init__(self, partition: int, settings: Settings, setups: Setups, store: Log) -> None:
        labels = settings.labels
        windows = settings.quality_window
        about = {name: store.states(name) for name in Joining.NAMES[:-1]}
        load = partial(store.state, "captured")
        kept = {Captures.ABOUT: raw} if (raw := load(Captures.ABOUT)) is not None else {}
        self._setup, self._read, self._timing = setups.quality, setups.read_labels, Timing.of(windows)
        self._merges = labels.merged
        self._stage = Joining(
            partition,
            self._timing,
            labels.max_bytes,
            self._setup,
            self._read,
            {**about, "captured": kept},
            load if labels.merged else None,
        )
        self._judge = Judge(windows, self._stage.monitors, nothing=NO_LABELS)
        self._judge.restore(store.states(_JUDGE))
        self._due = settings.checkpoint

    def predictions(self, batch: Batch, decoded: Decoded, before: int, after: int) -> list[Report]:
        """Take in captures, that took the watermark of their subject from `before` to `after`."""
        setup = self._setup(decoded.subject)
        if setup is None:
            return []
        self._stage.at = batch.offsets[-1]
        for some in predicted(decoded, setup, self._timing, before, self._merges):
            self._stage.predictions(some)
        return self._judged([self._stage.advance(decoded.subject, after)])

    def labels(self, batch: Batch) -> dict[int, BadRecord]:
        """Take in ground truth; gives the records that are none. Reports follow at the next cut."""
        self._stage.at = batch.offsets[-1]
        found = truth.read(batch.frame.data, self._read)
        self._stage.labels(found.id, found.text)
        self._stage.join.counts.bad += len(found.bad)
        return found.bad

    @property
    def full(self) -> bool:
        """Whether so much was taken in that a checkpoint is due."""
        return self._stage.taken >= self._due.rows or self._stage.nbytes >= self._due.max_bytes

    def cut(self) -> tuple[list[MergedLines], list[Report]]:
        """Merged records since the last cut, and reports that labels have changed."""
        merged = self._stage.cut()
        return merged, self._judged(self._stage.flush())

    def _judged(self, news: Iterable[News]) -> list[Report]:
        return [
            report
            for told in news
            for report in self._judge.observe(told.subject, told.partials, told.progress)
        ]

    def checkpoint(self) -> dict[str, Changes]:
        """What changed since the last checkpoint, by stage."""
        return {**self._stage.checkpoint(), _JUDGE: self._judge.checkpoint()}

    def summary(self) -> dict[str, Any]:
        """What became of predictions and labels, and what was said."""
        statuses = {status: n for status, n in sorted(self._judge.statuses.items()) if n}
        found = self._stage.summary()
        labels = {**found["labels"], "bad": self._stage.join.counts.bad}
        return {**found, "labels": labels, "reports": statuses}
