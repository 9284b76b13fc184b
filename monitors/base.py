"""What a monitor is: a state made from rows, merged over a window, and read at its end."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

from schemas.report import Finding
from schemas.rows import Rows


class State(Protocol):
    """A mergeable sufficient statistic of some rows."""

    def merge(self, other: Self) -> Self:
        """Combine two disjoint samples. Neither is changed; order does not matter."""
        ...

    def dump(self) -> Mapping[str, bytes]:
        """The state in parts (a feature each), so that every part fits a log message."""
        ...


class Monitor(Protocol):
    """One kind of watching, bound to the baseline that it judges by. It knows no window and no clock.

    The state that `observe` makes, `merge` combines and `load` restores is the monitor's own; nobody else
    looks inside.
    """

    @property
    def name(self) -> str:
        """What its reports are called by; a part of their path."""
        ...

    def observe(self, rows: Rows) -> Any:
        """The state of `rows`, which may be none: that is the identity of merge."""
        ...

    def load(self, parts: Mapping[str, bytes]) -> Any:
        """Restore a state from what its `dump` gave."""
        ...

    def finish(self, state: Any) -> Finding:
        """Judge a whole window's state. A window that nothing came in has no violation."""
        ...
