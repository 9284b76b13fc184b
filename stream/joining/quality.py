"""Join and judge of models' quality on the embedded host."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from schemas import ground_truth
from schemas.decode import Decoded
from schemas.errors import BadRecord
from schemas.frame import Frame
from schemas.labelled import NO_LABELS
from schemas.report import Report
from stream.changes import Changes
from stream.joining.captures import Captures
from stream.joining.merging import MergedLines
from stream.joining.stage import JoinStage, News
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
        windows = settings.window.model_copy(update={"retention": labels.retention})
        about = {name: store.states(name) for name in JoinStage.NAMES[:-1]}
        load = partial(store.state, "captured")
        kept = {Captures.ABOUT: raw} if (raw := load(Captures.ABOUT)) is not None else {}
        self._stage = JoinStage(
            partition,
            Timing.of(windows),
            labels.max_bytes,
            setups.quality,
            lambda text: ground_truth.values(text, setups.ground_truth_attributes),
            {**about, "captured": kept},
            load if labels.merged else None,
        )
        self._judge = Judge(windows, self._stage.monitors, nothing=NO_LABELS)
        self._judge.restore(store.states(_JUDGE))
        self._due = settings.checkpoint

    def predictions(self, decoded: Decoded) -> list[Report]:
        """Take in captures."""
        news = self._stage.predictions(decoded)
        return self._judged([] if news is None else [news])

    def labels(self, frame: Frame) -> dict[int, BadRecord]:
        """Take in ground truth; gives the records that are none. Reports follow at the next cut."""
        return self._stage.labels(frame)

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
        return {**self._stage.summary(), "reports": statuses}
