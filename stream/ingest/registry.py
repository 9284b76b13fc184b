"""The streams that there are now: those defined, without the ones whose deletion is complete."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

from schemas.delivery_stream import DeliveryStream
from stream.ingest.intake import Definitions, Overtaken


class Forgets(Protocol):
    """Something that keeps facts about streams and is told when one is gone."""

    def forget(self, stream: str) -> None: ...


class Registry:
    """Looks definitions up, and changes them. `clock` gives ms since the epoch."""

    def __init__(
        self, definitions: Definitions, clock: Callable[[], int], keepers: tuple[Forgets, ...] = ()
    ) -> None:
        self._definitions = definitions
        self._clock = clock
        self._keepers = keepers

    def find(self, name: str) -> DeliveryStream | None:
        """The stream of this name, if there is one now."""
        stream = self._definitions.streams.get(name)
        return None if stream is None or stream.gone(self._clock()) else stream

    def names(self) -> list[str]:
        """The names of all streams, in no order."""
        now = self._clock()
        return [name for name, stream in self._definitions.streams.items() if not stream.gone(now)]

    async def refresh(self) -> None:
        """Return once everything is known that was stored before. Raises SinkBusy."""
        await self._definitions.refresh()

    async def define(self, stream: DeliveryStream) -> None:
        """Store a stream, new or changed. Raises SinkBusy, and Overtaken."""
        await self._definitions.define(stream)

    async def delete(self, stream: DeliveryStream, gone_from: int) -> None:
        """Let a stream be gone from then on. What waits in it is thrown away, as the service does."""
        await self.define(replace(stream, gone_from=gone_from))
        await self.sweep()

    async def sweep(self) -> None:
        """Remove what is left of streams that are gone."""
        now = self._clock()
        for name in [name for name, stream in self._definitions.streams.items() if stream.gone(now)]:
            with suppress(Overtaken):  # another door made it anew
                await self._definitions.drop(name)
            for keeper in self._keepers:
                keeper.forget(name)
