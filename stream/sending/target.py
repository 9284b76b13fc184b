"""What takes captures or ground truth in: the protocol behind which brokers and doors stand."""

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from schemas.frame import Frame, Subject

Stopped = Callable[[], bool]


class Told(Struct):
    """What a target has answered: `acknowledged` records are stored, `refused` are too large for it."""

    acknowledged: int = 0
    messages: int = 0
    nbytes: int = 0
    refused: int = 0
    first_refused: str = ""

    def refuse(self, why: str) -> None:
        """Count a record that is left out; `why` of the first is kept."""
        self.refused += 1
        self.first_refused = self.first_refused or why


class Target(Protocol):
    """Takes frames in their order. Every method may wait, not much longer than until `stopped()`."""

    told: Told

    def send(self, frame: Frame, stopped: Stopped) -> None:
        """Send the records of `frame`, or begin to. Raises BrokerError when any will not be taken."""

    def complete(self, subjects: Iterable[Subject]) -> None:
        """Say that nothing more comes of `subjects`: their windows close."""

    def finish(self, stopped: Stopped) -> None:
        """Wait until everything is answered. Raises BrokerError."""

    def close(self, seconds: float) -> None:
        """Give what is under way so long to be answered, and let go. Raises BrokerError."""
