"""The delivery stage: rows and dead letters of a range of the log, held until the range is cut."""

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.decode import Decoded
from schemas.frame import Subject
from schemas.layout import Layout
from sinks.dead_letters import DeadLetter
from sinks.parquet import typed
from stream.batch import Batch

_LETTER_BYTES = 1_000  # what a dead letter takes in memory besides its record, roughly


class Range(Struct, frozen=True):
    """What a range of the log holds, named by its first offset: the same range gives the same content."""

    partition: int
    first_offset: int
    tables: list[tuple[Subject, pa.Table]]
    letters: list[DeadLetter]


class Delivery:
    """Collects one partition's rows and dead letters from the offset after the last cut."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._tables: list[tuple[Subject, pa.Table]] = []
        self._letters: list[DeadLetter] = []
        self.rows = 0
        self.nbytes = 0

    def observe(self, batch: Batch, decoded: Decoded, late: NDArray[np.bool_], layout: Layout) -> None:
        """Take in one batch; `late` records are delivered, and kept aside as well."""
        for rows in decoded.tables:
            table = typed(decoded, rows, layout)
            self._tables.append((decoded.subject, table))
            self.rows += len(rows)
            self.nbytes += table.nbytes
        reasons = {index: (error.code, str(error)) for index, error in decoded.bad.items()}
        for record in np.flatnonzero(late):
            reasons[int(record)] = ("late", "came after its window was final")
        for index, (code, reason) in sorted(reasons.items()):
            letter = self._letter(batch, decoded, index, code, reason)
            self._letters.append(letter)
            self.nbytes += len(letter.record) + _LETTER_BYTES

    def _letter(self, batch: Batch, decoded: Decoded, index: int, code: str, reason: str) -> DeadLetter:
        origin = batch.origin(index)
        return DeadLetter(
            code=code,
            reason=reason,
            subject=decoded.subject,
            partition=self._partition,
            offset=origin.offset,
            source=origin.source,
            line=origin.line,
            arrived=int(decoded.frame.arrived[index]),
            event_time=int(decoded.event_time[index]),
            record=decoded.frame.data[index].as_py(),
        )

    def cut(self, first_offset: int) -> Range:
        """Everything collected, as the range that starts at `first_offset`; collecting starts anew."""
        cut = Range(self._partition, first_offset, self._tables, self._letters)
        self._tables, self._letters, self.rows, self.nbytes = [], [], 0, 0
        return cut
