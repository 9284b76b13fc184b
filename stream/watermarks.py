"""How far the partitions of one subject have come, and how far its windows may be closed for that."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from stream.placing import BEFORE_ALL

FOREVER = 2**62  # an arrival that everything is before


class Progress(Struct, frozen=True, tag="progress"):
    """No record before `watermark` (event time, ms) will change a window in `partition`, nor did anything
    that it holds arrive after `arrived` (ms). An `idle` partition has nothing new and holds nothing back."""

    watermark: int
    partition: int
    arrived: int = 0
    idle: bool = False


class Watermarks(Struct):
    """Watermarks of one subject by partition.

    `steps` are each partition's latest watermarks with when the record that moved it arrived: those that a
    window may not be closed by yet, behind the last that it may. `clock` is what time alone has closed.
    """

    steps: dict[int, list[tuple[int, int]]] = {}
    idle: set[int] = set()
    clock: int = BEFORE_ALL

    def move(self, progress: Progress) -> None:
        """Take in what a partition says of itself; what it said before is not taken back."""
        steps = self.steps.setdefault(progress.partition, [])
        if not steps or progress.watermark > steps[-1][1]:
            steps.append((progress.arrived, progress.watermark))
        (self.idle.add if progress.idle else self.idle.discard)(progress.partition)

    @property
    def all_idle(self) -> bool:
        """Whether nothing new is to be expected but by the clock."""
        return len(self.idle) == len(self.steps)

    @property
    def highest(self) -> int:
        """The highest watermark of any partition, or what the clock has closed."""
        return max(self.clock, *(steps[-1][1] for steps in self.steps.values()))

    @property
    def arrived(self) -> int:
        """When the last record that moved a watermark arrived (ms)."""
        return max(steps[-1][0] for steps in self.steps.values())

    def low(self, partitions: Iterable[int], read: Mapping[int, int]) -> int:
        """The watermark of the whole: the lowest of all partitions that are not idle.

        A partition among `partitions` that never carried the subject may yet turn out to hold some of it: a
        step counts when each of those has `read` all that arrived before it (ms, by partition).
        """
        if self.all_idle:
            return self.highest
        limit = min((read.get(p, BEFORE_ALL) for p in partitions if p not in self.steps), default=FOREVER)
        return min(self._reached(p, limit) for p in self.steps if p not in self.idle)

    def _reached(self, partition: int, limit: int) -> int:
        steps = self.steps[partition]
        while len(steps) > 1 and steps[1][0] <= limit:
            del steps[0]
        arrived, watermark = steps[0]
        return watermark if arrived <= limit else BEFORE_ALL
