"""The watch stage in a worker: frames of one partition into states, rows, and news for the judge."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from schemas.frame import Frame, Subject
from schemas.report import Counts
from schemas.times import END_OF_TIME, milliseconds
from sinks import dead_letters, parquet
from sinks.objects import Objects
from stream.batch import batches
from stream.changes import Stored
from stream.delivery import Range
from stream.distributed.gathering import Gathered
from stream.distributed.news import Heard, Told, told
from stream.distributed.predicting import Predicting
from stream.distributed.shard import Cut, Event
from stream.partition import Partition
from stream.placing import BEFORE_ALL
from stream.settings import Settings
from stream.setup import Setups
from stream.watch import Partial
from stream.watermarks import Progress


class WatchStage:
    """Watches the partition `number`. `tell` sends news to the judge, `predicting` predictions to where they
    are joined. `log` tells this topic's offsets from those of any other, in the names of objects."""

    sealed = True

    def __init__(
        self,
        number: int,
        settings: Settings,
        setups: Setups,
        rows: Objects,
        errors: Objects,
        tell: Callable[[Told], None],
        log: str,
        stored: Stored,
        predicting: Predicting | None = None,
    ) -> None:
        also = {} if predicting is None else {"also": predicting.observe}
        self.partition = Partition(number, settings, setups, stored, **also)
        self._predicting = predicting
        self._number, self._log = number, log
        self._size = milliseconds(settings.window.size)
        self._idle = milliseconds(settings.source.idle)
        self._rows, self._errors, self._tell = rows, errors, tell
        self._gathered = Gathered(settings.source.subject, self.flush)
        self._passed: dict[Subject, int] = {}  # how many windows the judge knows to be passed
        self._heard: dict[Subject, int] = {}  # when something last arrived, ms
        self._silent: dict[Subject, int] = {}  # the same, when the judge was told of the silence
        self.arrived = self._newest = 0  # what was taken in, and what is pending, ms
        self.counted = Counts()

    def take(self, event: Event) -> None:
        """Keep a frame until there are enough of them to be decoded together."""
        self._newest = max(self._newest, event.arrived)
        self._gathered.add(event)

    def flush(self) -> None:
        """Decode and observe what is pending, each subject's frames together."""
        self.arrived = self._newest
        for batch in batches(sorted(self._gathered.take(), key=_subject)):
            watched = self.partition.observe(batch)
            self.counted = self.counted.merge(watched.counts)
            self._heard[watched.subject] = self.arrived
            passed = watched.progress.watermark // self._size
            if watched.partials or passed != self._passed.get(watched.subject):
                self._passed[watched.subject] = passed
                self._say(watched.subject, watched.partials, watched.progress)

    def _say(self, subject: Subject, partials: Sequence[Partial], progress: Progress) -> None:
        progress = replace(progress, arrived=self.arrived)
        self._tell(told(subject, partials, progress))
        if self._predicting is not None:
            self._predicting.moved(subject, progress)

    def caught_up(self, now: int) -> None:
        """Say that everything that arrived before `now` (ms) was taken in, and what has been silent for long:
        the judge must know all of its windows, for it waits for the others only."""
        self.flush()
        self._hear(now)
        watch = self.partition.watch
        for subject in watch.subjects:
            heard = self._heard.setdefault(subject, now)
            if now - heard >= self._idle and self._silent.get(subject) != heard:
                self._silent[subject] = heard
                progress = Progress(watch.watermark(subject), self._number, idle=True)
                self._say(subject, watch.all_open(subject), progress)

    def watermarks(self) -> dict[Subject, int]:
        """Event time (ms) that each subject has reached, of those that are not complete."""
        watch = self.partition.watch
        marks = {subject: watch.watermark(subject) for subject in watch.subjects}
        return {subject: mark for subject, mark in marks.items() if BEFORE_ALL < mark < END_OF_TIME}

    def behind(self) -> None:
        """Say how far what has arrived was taken in, when there is more."""
        self._hear(self.arrived)

    def _hear(self, until: int) -> None:
        heard = Heard(self._number, until)
        self._tell(heard)
        if self._predicting is not None:
            self._predicting.heard(heard)

    def pending(self) -> bool:
        """Whether frames wait to be decoded together."""
        return len(self._gathered) > 0

    def full(self) -> bool:
        """Whether so many rows are kept that they must be delivered."""
        return self.partition.full

    def due(self) -> bool:
        """Nothing here is in a hurry."""
        return False

    def cut(self, first: int, until: int) -> Cut:
        """Rows and dead letters of a range, and the states that cover it."""
        self.flush()
        range_ = self.partition.delivery.cut(first)
        changes = self.partition.watch.checkpoint()
        return Cut(until, changes, lambda: self._deliver(range_))

    def _deliver(self, cut: Range) -> None:
        place = (cut.partition, cut.first_offset)
        parquet.write(self._rows, cut.tables, *place, self._log)
        dead_letters.write(self._errors, cut.letters, *place, self._log)


def _subject(message: tuple[int, Frame]) -> str:
    return str(message[1].subject)
