"""Messages that cannot be read, kept with their key and the reason."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from schemas.errors import BadFrame, SinkBusy
from schemas.frame import Subject
from sinks import dead_letters
from sinks.dead_letters import DeadLetter
from sinks.objects import Objects
from stream.distributed.faust_outside import arrived

log = logging.getLogger(__name__)

_AGAIN = 1.0  # seconds between two tries


class Aside:
    """Writes messages of `topic` to `errors`, an object each. Whoever keeps one waits, and takes no more
    meanwhile: such messages are rare, and there is no better place to wait."""

    def __init__(self, errors: Objects, topic: str) -> None:
        self._errors, self._topic = errors, topic

    async def keep(self, message: Any, why: BadFrame, wanted: Callable[[], bool]) -> None:
        """Return when a message is kept, or is not `wanted` any more."""
        partition, offset, raw = message.partition, message.offset, message.value or b""
        key, came = (message.key or b"").decode("utf-8", "backslashreplace"), arrived(message)
        facts = {"partition": partition, "offset": offset, "key": key, "reason": str(why)}
        log.error("message cannot be read and is kept aside", extra=facts)
        reason = f"{why}; its key is {key!r}"
        letter = DeadLetter("frame", reason, Subject(), partition, offset, self._topic, 0, came, came, raw)
        name = f"{self._topic}-{came}"  # a topic that was made again has the same offsets once more
        while wanted():
            try:
                return await asyncio.to_thread(
                    dead_letters.write, self._errors, [letter], partition, offset, name
                )
            except SinkBusy as error:
                log.warning("message is not kept yet, trying again", extra={"reason": str(error)})
                await asyncio.sleep(_AGAIN)
