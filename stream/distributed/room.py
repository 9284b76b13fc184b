"""How much a worker holds in memory, and what is to be delivered early when that is too much."""

from collections.abc import Hashable
from threading import Lock


class Room:
    """Counts bytes by place, from any thread. A place that is `stuck` cannot be delivered yet.

    >>> room = Room(10)
    >>> room.add("a", 6), room.add("b", 5)
    (None, None)
    >>> room.full(), room.presses("a"), room.presses("b")
    (True, True, False)
    >>> room.stick("a", True)
    >>> room.full(), room.presses("b")
    (True, True)
    >>> room.add("b", -5)
    >>> room.full()  # waiting would not make room
    False
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Hashable, int] = {}
        self._stuck: set[Hashable] = set()
        self._lock = Lock()

    def add(self, place: Hashable, size: int) -> None:
        """Hold more, or less."""
        with self._lock:
            self._held[place] = self._held.get(place, 0) + size
            if self._held[place] <= 0:
                del self._held[place]

    def stick(self, place: Hashable, stuck: bool) -> None:
        """Say whether a place has to be added to before it can be delivered."""
        with self._lock:
            (self._stuck.add if stuck else self._stuck.discard)(place)

    def leave(self, place: Hashable) -> None:
        """Hold nothing there any more."""
        with self._lock:
            self._held.pop(place, None)
            self._stuck.discard(place)

    @property
    def held(self) -> int:
        """Bytes of all places."""
        with self._lock:
            return sum(self._held.values())

    def full(self) -> bool:
        """Whether to wait until something was delivered."""
        return self._largest() is not None

    def presses(self, place: Hashable) -> bool:
        """Whether this place is to be delivered at once, for want of room."""
        return self._largest() == place

    def _largest(self) -> Hashable | None:
        """The place that frees the most, when there is too much."""
        with self._lock:
            if sum(self._held.values()) < self._most:
                return None
            free = [place for place in self._held if place not in self._stuck]
            return max(free, key=self._held.__getitem__, default=None)
