"""Messages that cannot be read, kept with the reason, so that somebody can put them back."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from schemas.errors import BadFrame, SinkBusy
from schemas.frame import Subject
from sinks import dead_letters
from sinks.dead_letters import DeadLetter
from sinks.objects import Objects

log = logging.getLogger(__name__)

_AGAIN = 1.0  # seconds between two tries


class Aside:
    """Writes messages of `topic` to `errors`, an object each."""

    def __init__(self, errors: Objects, topic: str) -> None:
        self._errors, self._topic = errors, topic

    async def keep(self, message: Any, why: BadFrame, wanted: Callable[[], bool]) -> None:
        """Return when a message is kept, or is not `wanted` any more."""
        partition, offset, raw = message.partition, message.offset, message.value or b""
        arrived = int(message.timestamp * 1_000)
        facts = {"partition": partition, "offset": offset, "reason": str(why)}
        log.error("message cannot be read and is kept aside", extra=facts)
        letter = DeadLetter(
            "frame", str(why), Subject(), partition, offset, self._topic, 0, arrived, arrived, raw
        )
        name = f"{self._topic}-{arrived}"  # a topic that was made again has the same offsets once more
        while wanted():
            try:
                return await asyncio.to_thread(
                    dead_letters.write, self._errors, [letter], partition, offset, name
                )
            except SinkBusy as error:
                log.warning("message is not kept yet, trying again", extra={"reason": str(error)})
                await asyncio.sleep(_AGAIN)
