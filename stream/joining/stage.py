"""The join stage: predictions and labels of one partition into windows of joined rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from schemas import ground_truth
from schemas.decode import Decoded
from schemas.errors import BadRecord
from schemas.frame import Frame, Subject
from schemas.layout import Layout
from schemas.predictions import Attributes, Predictions, predictions
from schemas.times import END_OF_TIME
from stream.changes import Changes, Stored
from stream.joining.captures import Captures
from stream.joining.join import Join
from stream.joining.merging import MergedLines, Merging
from stream.joining.windows import QualityMonitor, QualityWindows
from stream.placing import Timing
from stream.watch import Partial
from stream.watermarks import Progress


class QualitySetup(Struct, frozen=True):
    """How a subject's predictions are found among its columns, and what looks at them with their labels."""

    layout: Layout
    attributes: Attributes
    monitors: Sequence[QualityMonitor]
    ground_truth_attribute: str | None = None


class News(Struct, frozen=True):
    """What the judge must hear of one subject."""

    subject: Subject
    partials: list[Partial]
    progress: Progress


class JoinStage:
    """Joins in the partition `number`. `setup` gives that of a subject, None where it is not joined; `read`
    reads the labels of payloads. `load` gives a stored block of captures; without it nothing is merged.

    `stored` is what the stages in NAMES have stored, by name; of the last only what `Captures.ABOUT` names.
    """

    NAMES = ("join", "quality", "captured")

    def __init__(
        self,
        number: int,
        timing: Timing,
        max_bytes: int,
        setup: Callable[[Subject], QualitySetup | None],
        read: Callable[[pa.StringArray], pa.ListArray],
        stored: Mapping[str, Stored],
        load: Callable[[str], bytes | None] | None = None,
    ) -> None:
        self._number, self._timing, self._setup, self._read = number, timing, setup, read
        self._captures = Captures(stored["captured"], load) if load else None
        self._merging = Merging(self._captures) if self._captures else None
        self.join = Join(timing.size, timing.retention, max_bytes, read, stored["join"])
        self.windows = QualityWindows(number, timing, self.monitors, stored["quality"])
        self._since_cut = 0

    def monitors(self, subject: Subject) -> Sequence[QualityMonitor]:
        """What looks at a subject's rows with labels."""
        setup = self._setup(subject)
        return setup.monitors if setup else ()

    def predictions(self, decoded: Decoded) -> News | None:
        """Take in captures; news of windows that close, and how far the subject has come."""
        setup, subject = self._setup(decoded.subject), decoded.subject
        if setup is None:
            return None
        self.windows.joined(self.join.corrected())  # before a window of them is final
        placed = self._timing.place(decoded, self.windows.watermark(subject))
        for some in predictions(decoded, setup.layout, setup.attributes):
            in_time = some.only(~placed.final[some.record])
            self.join.counts.late += len(some) - len(in_time)
            self._predicted(in_time, decoded.frame)
        self.join.advance(subject, placed.watermark)
        partials = self.windows.advance(subject, placed.watermark)
        return News(subject, partials, self._progress(subject))

    def _predicted(self, new: Predictions, frame: Frame) -> None:
        if not len(new):
            return
        starts, counts = np.unique(new.time // self._timing.size * self._timing.size, return_counts=True)
        self.windows.came(new.subject, dict(zip(starts.tolist(), counts.tolist(), strict=True)))
        raw = np.full(len(new), -1, np.int64)
        if self._captures is not None:
            until = int(new.time.max()) + self._timing.size + self._timing.retention
            raw = self._captures.add(frame.data.take(pa.array(new.record)), until)
        joined = self.join.predictions(new, raw)
        self.windows.joined(joined)
        if self._merging:
            self._merging.observe(joined)
        self._since_cut += len(new)

    def labels(self, frame: Frame) -> dict[int, BadRecord]:
        """Take in ground truth; gives the records of the batch that are none."""
        found = ground_truth.read(frame.data)
        unreadable = np.asarray(self._read(found.text).is_null())
        bad = dict(found.bad)
        for record in found.record[unreadable].tolist():
            bad[record] = BadRecord("label", "the label cannot be told from its payload")
        good = pa.array(~unreadable)
        joined = self.join.labels(found.id.filter(good), found.text.filter(good))
        self.windows.joined(joined)
        if self._merging:
            self._merging.observe(joined)
        self._since_cut += len(found)
        return dict(sorted(bad.items()))

    def flush(self) -> list[News]:
        """News of windows that labels have changed."""
        flushed = self.windows.flush()
        return [News(subject, partials, self._progress(subject)) for subject, _, partials in flushed]

    def _progress(self, subject: Subject) -> Progress:
        return Progress(self.windows.watermark(subject), self._number)

    @property
    def taken(self) -> int:
        """Predictions and labels since the last cut."""
        return self._since_cut

    @property
    def nbytes(self) -> int:
        """Bytes of captures that are kept until the next checkpoint."""
        return self._captures.unsaved if self._captures else 0

    def cut(self) -> list[MergedLines]:
        """Merged records since the last cut. Where too much is kept, the oldest makes room."""
        self._since_cut = 0
        self.windows.joined(self.join.corrected())
        self.windows.expired(self.join.make_room())
        return self._merging.cut() if self._merging else []

    def checkpoint(self) -> dict[str, Changes]:
        """What changed since the last checkpoint, by the names of NAMES."""
        changes = {"join": self.join.checkpoint(), "quality": self.windows.checkpoint()}
        if self._captures is not None:
            if self.join.clock != END_OF_TIME:
                self._captures.drop(self.join.clock)
            changes["captured"] = self._captures.checkpoint()
        return changes

    def summary(self) -> dict[str, Any]:
        """What became of predictions and labels since the first."""
        counts, (predictions_, labels) = self.join.counts, self.join.waiting
        return {
            "predictions": {
                "records": counts.predictions + counts.late,
                "late": counts.late,
                "matched": counts.predictions - predictions_ - counts.expired_predictions,
                "waiting": predictions_,
                "expired": counts.expired_predictions,
            },
            "labels": {
                "records": counts.labels,
                "duplicates": counts.duplicates,
                "waiting": labels,
                "expired": counts.expired_labels,
            },
        }
