"""The join: predictions with the labels that came for their ids, before them or after, in any order.

Both sides are kept, so that a label that comes again with another value corrects what was joined with the
first. Kept means: a prediction until its window is older than the retention, a label until that time has
passed since it came. A join knows no clock: time is that of the predictions.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from schemas.frame import Subject
from schemas.id_hash import Hashes, hashes
from schemas.predictions import CARRIED, Predictions
from schemas.times import END_OF_TIME
from stream.changes import Changes, Place, Stored, Tracker, key
from stream.joining import again, room
from stream.joining.joined import Joined, Pairs, by_window
from stream.joining.runs import Found, Indices, Mask, Run, Runs

BEFORE_ALL = -(2**62)
_NUMBERS, _TEXTS, _LABELS, _ABOUT = "numbers", "texts", "labels", "join about"

ReadValues = Callable[[pa.StringArray], pa.ListArray]


class JoinCounts(Struct):
    """What became of records and labels since the first.

    `matched` records were joined with a label; `mismatched` ones had a label for another number of rows.
    `duplicates` are labels of an id that had one. Where such a label changed what was joined, a window was
    `corrected`; `stale` is how often it was too late for that. `expired` came to the end of their retention
    alone, or had to make room. `late` predictions came when their window was final. The others wait. `bad`
    records of ground truth were no labels; of a worker they are counted where they are read.
    """

    predictions: int = 0
    labels: int = 0
    matched: int = 0
    duplicates: int = 0
    corrected: int = 0
    stale: int = 0
    mismatched: int = 0
    expired_predictions: int = 0
    expired_labels: int = 0
    late: int = 0
    bad: int = 0


class Join:
    """Joins by id. `size` of windows and `retention` are in ms; `max_bytes` bounds what is kept in memory;
    `read_values` reads the labels of a payload, a row each.

    When there is more than `max_bytes`, the oldest of what is joined makes room first: it can then no longer
    be corrected. Then the oldest of what waits does, and counts as expired.
    """

    def __init__(
        self, size: int, retention: int, max_bytes: int, read_values: ReadValues, stored: Stored
    ) -> None:
        self._size, self._retention, self._max_bytes = size, retention, max_bytes
        self._read_values = read_values
        self._sides = {name: Runs(name, stored) for name in (_NUMBERS, _TEXTS)}
        self._labels = Runs(_LABELS, stored)
        self._subjects: list[Subject] = []
        self.watermarks: dict[int, int] = {}  # ms, by code of the subject
        self._settled: dict[int, int] = {}  # windows that begin before cannot be joined anew, by subject
        self._again: set[tuple[int, int]] = set()  # windows in which a label has changed
        self.counts = JoinCounts()
        self._tracker = Tracker({k: v for k, v in stored.items() if k == key(_ABOUT)})
        if (about := stored.get(key(_ABOUT))) is not None:
            self._restore(about)

    def predictions(self, new: Predictions, raw: Indices) -> list[Joined]:
        """Take in predictions; what they give with labels that came before. `raw` says where each record is
        kept, and is handed back with it."""
        ids, subject = hashes(new.id), self.code(new.subject)
        n = len(new)
        columns = pa.table(
            {
                "time": new.time,
                "subject": np.full(n, subject, np.int32),
                "values": new.values,
                "probability": new.probability,
                "raw": raw,
                **{CARRIED + name: lists for name, lists in new.carried.items()},
            }
        )
        met = np.zeros(n, np.bool_)
        pairs = list(self._pairs_of_predictions(ids, columns, new.id, met))
        self._side(new.values).add(ids, columns, met)
        self.counts.predictions += n
        return self._joined(pairs)

    def _pairs_of_predictions(
        self, ids: Hashes, columns: pa.Table, id_: pa.StringArray, met: Mask
    ) -> Iterator[Pairs]:
        """Pairs with labels that are known; `met` becomes true where there is one."""
        for found in self._labels.find(ids):
            label = found.run.columns["label"].take(pa.array(found.row))
            pairs, fits = self._pairs(columns, found.sought, label, id_.take(pa.array(found.sought)))
            met[found.sought[fits]] = True
            self._match(found, fits)
            yield pairs

    def labels(self, id_: pa.StringArray, text: pa.StringArray) -> list[Joined]:
        """Take in labels; what they give with predictions that came before. The last of an id counts: what it
        changes of what was joined is for `corrected` to say."""
        n = len(id_)
        ids = hashes(id_)
        last = _last(ids)
        ids, id_, text = ids.take(last), id_.take(pa.array(last)), text.take(pa.array(last))
        same, known, met = self._supersede(ids, text)
        self.counts.labels += n
        self.counts.duplicates += n - len(last) + int(np.count_nonzero(known))
        new = np.flatnonzero(~same)
        rows = pa.array(new)
        return self._add_labels(ids.take(new), id_.take(rows), text.take(rows), met[new])

    def _supersede(self, ids: Hashes, text: pa.StringArray) -> tuple[Mask, Mask, Mask]:
        """Hold labels against those of the same ids that are known, which give way where they differ: which
        are the same, which had one before, and which of those had met a prediction."""
        same, known, met = np.zeros((3, len(ids)), np.bool_)
        for found in self._labels.find(ids):
            before = found.run.columns["label"].take(pa.array(found.row))
            equal = np.asarray(pc.equal(before, text.take(pa.array(found.sought))))
            known[found.sought] = True
            same[found.sought[equal]] = True
            met[found.sought] = found.run.met[found.row]
            found.run.kept[found.row[~equal]] = False
            found.run.unsaved_marks = True
        return same, known, met

    def _add_labels(self, ids: Hashes, id_: pa.StringArray, text: pa.StringArray, met: Mask) -> list[Joined]:
        pairs: list[Pairs] = []
        corrections: list[Pairs] = []
        for side in self._sides.values():
            for found in side.find(ids):
                joined = found.run.met[found.row]
                if joined.any():
                    before = found.only(joined)
                    self._again |= self._windows(before)
                    corrections.append(self._with_labels(before, text, id_)[0])
                    found = found.only(~joined)
                new, fits = self._with_labels(found, text, id_)
                met[found.sought[fits]] = True
                self._match(found, fits)
                pairs.append(new)
        time = np.full(len(ids), self.clock)
        self._labels.add(ids, pa.table({"time": time, "label": text}), met)
        return [*self._joined(pairs), *self._written_again(corrections)]

    def _with_labels(self, found: Found, text: pa.StringArray, id_: pa.StringArray) -> tuple[Pairs, Mask]:
        """Pairs of predictions that were found, with the labels that they were found for."""
        rows = pa.array(found.sought)
        return self._pairs(found.run.columns, found.row, text.take(rows), id_.take(rows))

    def _match(self, found: Found, fits: Mask) -> None:
        """Mark and count what has met its like."""
        if fits.any():
            found.run.met[found.row[fits]] = True
            found.run.unsaved_marks = True
        matched = int(np.count_nonzero(fits))
        self.counts.matched += matched
        self.counts.mismatched += len(fits) - matched

    def _written_again(self, corrections: list[Pairs]) -> Iterator[Joined]:
        for subject, start, pairs in by_window(corrections, self._size):
            yield Joined(self._subjects[subject], start, [], 0, pairs.merged())

    def _windows(self, found: Found) -> set[tuple[int, int]]:
        """Subject and start of the windows of what was found."""
        starts = found.run.column("time")[found.row] // self._size * self._size
        return set(zip(found.run.column("subject")[found.row].tolist(), starts.tolist(), strict=True))

    def _pairs(
        self, columns: pa.Table, row: Indices, label: pa.Array, id_: pa.StringArray
    ) -> tuple[Pairs, Mask]:
        """Records at `row` with their labels, and which of them have as many labels as rows."""
        label = label.combine_chunks() if isinstance(label, pa.ChunkedArray) else label
        read = self._read_values(label)
        taken = columns.take(pa.array(row))
        fits = np.asarray(
            pc.equal(pc.list_value_length(read), pc.list_value_length(taken["values"])).fill_null(False)
        )
        return Pairs(taken, read, label, id_).only(fits), fits

    def anew(self, windows: Iterable[Place]) -> None:
        """Have windows joined anew, as if a label had changed in them."""
        self._again |= {(self.code(subject), start) for subject, start in windows}

    def corrected(self) -> list[Joined]:
        """Windows in which a label has changed since the last call, joined anew from what is kept."""
        changed, self._again = self._again, set()
        wanted = {(code, start) for code, start in changed if start >= self._settled.get(code, start)}
        found, incomplete = again.join(
            list(self._sides.values()), self._labels, wanted, self._size, self._pairs
        )
        self.counts.corrected += len(changed)
        self.counts.stale += len(changed) - len(wanted - incomplete)
        made = {place: [pairs for *its, pairs in found if (*its,) == place] for place in wanted - incomplete}
        return [
            Joined(
                self._subjects[code], start, [p.labelled() for p in parts], sum(map(len, parts)), None, True
            )
            for (code, start), parts in sorted(made.items(), key=lambda item: item[0])
        ]

    def _joined(self, pairs: list[Pairs]) -> list[Joined]:
        return [
            Joined(self._subjects[subject], start, [part.labelled()], len(part), part.merged())
            for subject, start, part in by_window(pairs, self._size)
        ]

    def advance(self, subject: Subject, watermark: int) -> None:
        """Take in how far the event time of a subject has come, and let go of what is too old."""
        code = self.code(subject)
        before = self.watermarks.get(code, BEFORE_ALL)
        if watermark == END_OF_TIME or watermark // self._size <= before // self._size:
            return
        self.watermarks[code] = watermark
        over = (watermark - self._retention) // self._size * self._size  # end of the last window that is over

        def old(run: Run) -> Mask:
            return np.asarray((run.column("subject") == code) & (run.column("time") < over))

        for side in self._sides.values():
            self.counts.expired_predictions += side.alone(old)
            side.drop(old)
        clock = self.clock

        def old_label(run: Run) -> Mask:
            allowed = np.where(run.met, 2 * self._retention, self._retention)
            return np.asarray(run.column("time") <= clock - allowed)

        self.counts.expired_labels += self._labels.alone(old_label)
        self._labels.drop(old_label)

    def make_room(self) -> list[tuple[Subject, int, int]]:
        """Let go of the oldest when more is kept than may be. Gives the windows in which predictions without
        a label were among them, and how many.

        It depends on what is kept, not on how it came: call it at places that the log fixes.
        """
        shed = room.make(list(self._sides.values()), self._labels, self._size, self._max_bytes)
        for subject, until in shed.settled.items():
            self._settled[subject] = max(until, self._settled.get(subject, until))
        self.counts.expired_predictions += shed.predictions.total()
        self.counts.expired_labels += shed.labels
        return [(self._subjects[code], start, n) for (code, start), n in sorted(shed.predictions.items())]

    @property
    def nbytes(self) -> int:
        """What is kept takes about so much memory."""
        return room.nbytes(list(self._sides.values()), self._labels)

    @property
    def predictions_kept(self) -> int:
        """Predictions that may still be joined, or joined anew."""
        return sum(map(len, self._sides.values()))

    @property
    def labels_kept(self) -> int:
        """Labels of which the same is true."""
        return len(self._labels)

    @property
    def waiting(self) -> tuple[int, int]:
        """Predictions without a label, and labels without a prediction."""
        return sum(side.alone() for side in self._sides.values()), self._labels.alone()

    @property
    def clock(self) -> int:
        """The event time that has been reached by any subject; labels that come before all have no age."""
        return max(self.watermarks.values(), default=END_OF_TIME)

    def _side(self, values: pa.ListArray) -> Runs:
        return self._sides[_TEXTS if values.type.value_type == pa.string() else _NUMBERS]

    def code(self, subject: Subject) -> int:
        """The number that a subject has here."""
        if subject not in self._subjects:
            self._subjects.append(subject)
        return self._subjects.index(subject)

    def checkpoint(self) -> Changes:
        """What changed since the last checkpoint, as keys and values. Call `corrected` before it."""
        about = (self._subjects, self.watermarks, self._settled, self.counts)
        changes = self._tracker.changes({_ABOUT: {key(_ABOUT): msgspec.msgpack.encode(about)}})
        for runs in (self._labels, *self._sides.values()):
            changes |= runs.checkpoint()
        return changes

    def _restore(self, about: bytes) -> None:
        self._subjects, self.watermarks, self._settled, self.counts = msgspec.msgpack.decode(
            about, type=tuple[list[Subject], dict[int, int], dict[int, int], JoinCounts]
        )


def _last(ids: Hashes) -> Indices:
    """The last place of each id, ascending."""
    order = np.lexsort((ids.second, ids.first))  # stable: of one id, the last comes last
    ordered = ids.take(order)
    different = (np.diff(ordered.first) != 0) | (np.diff(ordered.second) != 0)
    found: Indices = np.sort(order[np.append(different, np.ones(int(len(order) > 0), np.bool_))])
    return found
