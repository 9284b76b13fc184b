"""The label stage in a worker: ground truth of one partition, passed on to where its ids are joined."""

import numpy as np
import pyarrow as pa

from schemas.ground_truth import Labels
from sinks import dead_letters
from sinks.objects import Objects
from stream.batch import Batch, batches
from stream.delivery import Delivery, Range
from stream.distributed import passing
from stream.distributed.gathering import Gathered
from stream.distributed.passing import Session
from stream.distributed.predicting import label_table
from stream.distributed.shard import Cut, Event
from stream.joining import truth
from stream.settings import Settings
from stream.setup import Setups


class LabelStage:
    """Reads the partition `number` of ground truth. What is no label goes to `errors`; `log` tells this
    topic's offsets from those of any other, in the names of objects."""

    sealed = True

    def __init__(
        self, number: int, settings: Settings, setups: Setups, errors: Objects, session: Session, log: str
    ) -> None:
        self._due = settings.checkpoint
        self._setups, self._errors, self._session, self._log = setups, errors, session, log
        self._delivery = Delivery(number)
        self._gathered = Gathered(settings.source.subject, self.flush)
        self._since_cut = 0
        self.taken = self.bad = 0  # since this worker has the partition

    def take(self, event: Event) -> None:
        """Keep a message until there are enough of them to be read together."""
        self._gathered.add(event)

    def flush(self) -> None:
        """Read what is pending, and pass it on."""
        self._since_cut += self._gathered.records
        for batch in batches(self._gathered.take()):
            found = truth.read(batch.frame.data, self._setups.read_labels)
            self._delivery.refuse(batch, found.bad)
            self.taken += len(found)
            self.bad += len(found.bad)
            self._pass_on(batch, found)

    def _pass_on(self, batch: Batch, found: Labels) -> None:
        table = label_table(found.id, found.text, batch.offsets_of(found.record))
        place = passing.places(found.id, self._session.partitions)
        for at in np.unique(place).tolist():
            mine = table.take(pa.array(np.flatnonzero(place == at)))
            rows = passing.Labels(self._session.partition, batch.offsets[-1], passing.to_bytes(mine))
            self._session.rows(at, rows)

    def pending(self) -> bool:
        """Whether messages wait to be read together."""
        return len(self._gathered) > 0

    def full(self) -> bool:
        """Whether so much was read, or is to be kept aside, that a checkpoint is due."""
        return self._since_cut >= self._due.rows or self._delivery.nbytes >= self._due.max_bytes

    def due(self) -> bool:
        """Nothing here is in a hurry."""
        return False

    def cut(self, first: int, until: int) -> Cut:
        """What is no label, of a range. There is no state: what was passed on is enough."""
        self.flush()
        self._since_cut = 0
        range_ = self._delivery.cut(first)
        return Cut(until, {}, lambda: self._deliver(range_))

    def _deliver(self, cut: Range) -> None:
        dead_letters.write(self._errors, cut.letters, cut.partition, cut.first_offset, self._log)
