"""What the door needs of the place where records, and the definitions of their streams, are kept."""

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from schemas.delivery_stream import DeliveryStream
from schemas.errors import PipelineError


class UnknownStream(PipelineError):
    """The stream was deleted, or never was."""


class Overtaken(PipelineError):
    """Somebody else changed the stream first, by another door: nothing was stored."""


class Intake(Protocol):
    """Takes records in; `append` may be called many times at once."""

    async def append(self, stream: str, records: pa.BinaryArray, arrived: int) -> int:
        """Return once the records are durable: a number of the first that no other record has, and that its
        followers in `records` continue.

        Raises SinkBusy when none of them is known to be stored and all may be later, UnknownStream when the
        stream is no more.
        """
        ...


class Definitions(Protocol):
    """Keeps the definitions of streams, which other doors may change as well."""

    @property
    def streams(self) -> Mapping[str, DeliveryStream]:
        """The streams that are defined, by name, as far as it is known here."""
        ...

    async def refresh(self) -> None:
        """Return once everything is known that was stored before the call. Raises SinkBusy."""
        ...

    async def define(self, stream: DeliveryStream) -> None:
        """Store a definition, new or changed. Raises SinkBusy, and Overtaken."""
        ...

    async def drop(self, stream: str) -> None:
        """Forget a stream, and the records that wait in it. Raises SinkBusy, and Overtaken."""
        ...


class Keeper(Intake, Definitions, Protocol):
    """Both: what a door is opened in front of."""
