"""The delivery stage: rows and dead letters of a range of the log, held until the range is cut."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.decode import Decoded
from schemas.errors import BadRecord
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
            self._keep(batch, int(decoded.event_time[index]), index, code, reason)

    def refuse(self, batch: Batch, bad: Mapping[int, BadRecord]) -> None:
        """Keep records aside that are no captures; their time is that of their arrival."""
        for index, error in bad.items():
            self._keep(batch, int(batch.frame.arrived[index]), index, error.code, str(error))

    def _keep(self, batch: Batch, event_time: int, index: int, code: str, reason: str) -> None:
        letter = self._letter(batch, event_time, index, code, reason)
        self._letters.append(letter)
        self.nbytes += len(letter.record) + _LETTER_BYTES

    def _letter(self, batch: Batch, event_time: int, index: int, code: str, reason: str) -> DeadLetter:
        origin = batch.origin(index)
        return DeadLetter(
            code=code,
            reason=reason,
            subject=batch.frame.subject,
            partition=self._partition,
            offset=origin.offset,
            source=origin.source,
            line=origin.line,
            arrived=int(batch.frame.arrived[index]),
            event_time=event_time,
            record=batch.frame.data[index].as_py(),
        )

    def cut(self, first_offset: int) -> Range:
        """Everything collected, as the range that starts at `first_offset`; collecting starts anew."""
        cut = Range(self._partition, first_offset, self._tables, self._letters)
        self._tables, self._letters, self.rows, self.nbytes = [], [], 0, 0
        return cut
