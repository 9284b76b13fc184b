"""Predictions of one partition of captures, passed on to the partitions in which their ids are joined."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from schemas.decode import Decoded
from schemas.frame import Subject
from schemas.predictions import Predictions
from stream.batch import Batch
from stream.distributed import passing
from stream.distributed.news import Heard
from stream.distributed.passing import Moved, Session
from stream.joining.predicting import Predicted, predicted
from stream.joining.runs import Indices
from stream.placing import Timing
from stream.settings import Settings
from stream.setup import Setups
from stream.watermarks import Progress

_OFFSET, _LATE, _CAPTURE = "its offset", "is late", "as captured"
_HEARD = 5_000  # ms between two words on how far a partition has been read


class Predicting:
    """Passes on what `session` is to send."""

    def __init__(self, session: Session, settings: Settings, setups: Setups) -> None:
        self._session, self._setups = session, setups
        self._timing = Timing.of(settings.quality_window)
        self._merged = settings.labels.merged
        self._heard = 0

    def observe(self, batch: Batch, decoded: Decoded, before: int, after: int) -> None:
        """Take in a batch that took the watermark of its subject from `before` to `after`."""
        setup = self._setups.quality(decoded.subject)
        if setup is None:
            return
        tables: dict[int, list[bytes]] = {}
        for some in predicted(decoded, setup, self._timing, before, self._merged):
            place = passing.places(some.predictions.id, self._session.partitions)
            table = _table(some, batch)
            for at in np.unique(place).tolist():
                mine = table.take(pa.array(np.flatnonzero(place == at)))
                tables.setdefault(at, []).append(passing.to_bytes(mine))
        for at, parts in sorted(tables.items()):
            what = passing.Predictions(self._session.partition, decoded.subject, batch.offsets[-1], parts)
            self._session.rows(at, what)

    def moved(self, subject: Subject, progress: Progress) -> None:
        """Say how far a subject has come."""
        if self._setups.quality(subject) is not None:
            self._session.all(Moved(subject, progress))

    def heard(self, heard: Heard) -> None:
        """Say how far the partition has been read, now and then."""
        if heard.until - self._heard >= _HEARD:
            self._heard = heard.until
            self._session.all(heard)


def _table(some: Predicted, batch: Batch) -> pa.Table:
    offsets = batch.offsets_of(some.predictions.record)
    table = some.predictions.to_table().append_column(_LATE, pa.array(some.late))
    table = table.append_column(_OFFSET, pa.array(offsets))
    return table if some.captures is None else table.append_column(_CAPTURE, some.captures)


def read(found: passing.Predictions, after: int) -> Iterator[Predicted]:
    """Predictions as they were, of offsets `after` this one."""
    for raw in found.tables:
        table = passing.from_bytes(raw)
        offset = np.asarray(table[_OFFSET])
        if (new := np.flatnonzero(offset > after)).size:
            yield _predicted(table.take(pa.array(new)), found.subject)


def _predicted(table: pa.Table, subject: Subject) -> Predicted:
    late = np.asarray(table[_LATE].combine_chunks().cast(pa.uint8())).astype(np.bool_)
    captures = table[_CAPTURE].combine_chunks() if _CAPTURE in table.column_names else None
    own = table.drop_columns([name for name in (_OFFSET, _LATE, _CAPTURE) if name in table.column_names])
    return Predicted(Predictions.from_table(own, subject), late, captures)


def label_table(id_: pa.StringArray, text: pa.StringArray, offset: Indices) -> pa.Table:
    """Labels as they are passed on."""
    return pa.table({"id": id_, "text": text, _OFFSET: offset})


def read_labels(found: passing.Labels, after: int) -> tuple[pa.StringArray, pa.StringArray]:
    """Ids and texts of labels of offsets `after` this one."""
    table = passing.from_bytes(found.table)
    new = pa.array(np.flatnonzero(np.asarray(table[_OFFSET]) > after))
    id_, text = (table[name].combine_chunks().take(new) for name in ("id", "text"))
    return id_, text
