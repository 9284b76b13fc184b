"""What a check finds, and how long it may look."""

import threading
from collections.abc import Callable, Iterator
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

from stream.settings import Settings

PATIENCE = 10.0  # seconds that one question to a server may take

Level = Literal["ok", "warn", "fail"]
T = TypeVar("T")


class Finding(Struct, frozen=True):
    """One line: `text` says what is wrong and how to mend it or, where nothing is, what was seen.

    >>> str(Finding("ok", "brokers", "127.0.0.1:9092"))
    'ok    brokers — 127.0.0.1:9092'
    """

    level: Level
    what: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.level:<5} {self.what}{f' — {self.text}' if self.text else ''}"


class Check(Protocol):
    """Looks at one part of what the settings name, and changes nothing that stays."""

    def __call__(self, settings: Settings) -> Iterator[Finding]:
        """Findings in the order of looking; what is wrong is one of them, not an exception."""
        ...


def within(action: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What `action` gives or raises; TimeoutError when that takes longer, and then its thread is left behind.

    Clients have limits of their own, but for each try, and some try several times.
    """
    given: list[T] = []
    raised: list[Exception] = []

    def carry_out() -> None:
        try:
            given.append(action())
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=carry_out, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not given:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return given[0]
