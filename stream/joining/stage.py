"""The join: predictions and labels of one partition into windows of joined rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from schemas.frame import Subject
from stream.changes import Changes, Stored
from stream.joining.captures import Captures
from stream.joining.join import Join, ReadValues
from stream.joining.joined import Joined
from stream.joining.merging import MergedLines, Merging
from stream.joining.predicting import Predicted, QualitySetup
from stream.joining.windows import QualityMonitor, QualityWindows
from stream.placing import Timing
from stream.watch import Partial
from stream.watermarks import Progress


class News(Struct, frozen=True):
    """What the judge must hear of one subject."""

    subject: Subject
    partials: list[Partial]
    progress: Progress


class Joining:
    """Joins in the partition `number`. `setup` gives that of a subject, None where it is not joined; `read`
    reads the labels of payloads. `load` gives a stored block of captures; without it nothing is merged.

    `stored` is what the parts in NAMES have stored, by name; of the last only what `Captures.ABOUT` names.
    `at` is the place in the log that has been reached: set it before anything is taken in.
    """

    NAMES = ("join", "quality", "captured")

    def __init__(
        self,
        number: int,
        timing: Timing,
        max_bytes: int,
        setup: Callable[[Subject], QualitySetup | None],
        read: ReadValues,
        stored: Mapping[str, Stored],
        load: Callable[[str], bytes | None] | None = None,
    ) -> None:
        self._number, self._timing, self._setup = number, timing, setup
        self._captures = Captures(stored["captured"], load) if load else None
        self._merging = Merging(self._captures) if self._captures else None
        self.join = Join(timing.size, timing.retention, max_bytes, read, stored["join"])
        self.windows = QualityWindows(number, timing, self.monitors, stored["quality"])
        self.join.anew(self.windows.lacking)
        self.at = 0
        self._since_cut = 0

    def monitors(self, subject: Subject) -> Sequence[QualityMonitor]:
        """What looks at a subject's rows with labels."""
        setup = self._setup(subject)
        return setup.monitors if setup else ()

    def predictions(self, new: Predicted) -> None:
        """Take in predictions. Those of windows that are final here count as late, as do those marked so."""
        timing, some = self._timing, new.predictions
        ends = some.time // timing.size * timing.size + timing.size + timing.retention
        late = new.late | (ends <= self.windows.watermark(some.subject))
        self.join.counts.late += int(np.count_nonzero(late))
        self._since_cut += len(some)
        in_time = new.only(~late)
        if len(in_time.predictions):
            self._join(in_time)

    def _join(self, new: Predicted) -> None:
        some, size = new.predictions, self._timing.size
        starts, counts = np.unique(some.time // size * size, return_counts=True)
        self.windows.came(some.subject, dict(zip(starts.tolist(), counts.tolist(), strict=True)))
        raw = np.full(len(some), -1, np.int64)
        if self._captures is not None and new.captures is not None:
            until = int(some.time.max()) + size + self._timing.retention
            raw = self._captures.add(new.captures, self.join.code(some.subject), until)
        self._joined(self.join.predictions(some, raw))

    def labels(self, id_: pa.StringArray, text: pa.StringArray) -> None:
        """Take in labels that can be read, as `truth.read` gives them."""
        self._since_cut += len(id_)
        self._joined(self.join.labels(id_, text))

    def _joined(self, joined: list[Joined]) -> None:
        self.windows.joined(joined)
        if self._merging:
            self._merging.observe(joined)

    def advance(self, subject: Subject, watermark: int) -> News:
        """Take in how far a subject has come; news of windows that close, and of those that are final."""
        if self.windows.passes(subject, watermark):
            self.windows.joined(self.join.corrected())  # before a window of them is final
        self.join.advance(subject, watermark)
        partials = self.windows.advance(subject, watermark, 2 * self.at)
        return News(subject, partials, self._progress(subject))

    def flush(self) -> list[News]:
        """News of windows that labels have changed."""
        flushed = self.windows.flush(2 * self.at + 1)
        return [News(subject, partials, self._progress(subject)) for subject, partials in flushed]

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
            self._captures.drop(self.join.watermarks)
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
