"""What the door needs of the place where records are kept until they are delivered."""

from typing import Protocol

import pyarrow as pa

from schemas.errors import PipelineError


class UnknownStream(PipelineError):
    """The stream was deleted, or never was."""


class Intake(Protocol):
    """Takes records in; `append` may be called many times at once."""

    async def append(self, stream: str, records: pa.BinaryArray, arrived: int) -> int:
        """Return once the records are durable: the sequence number of the first, the others follow it.

        Raises SinkBusy when none of them is stored now and all may be later, UnknownStream when the stream is
        no more.
        """
        ...
