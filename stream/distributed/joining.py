"""The join stage in a worker: predictions and labels of the ids of one partition, and windows of them."""

import logging
from collections.abc import Callable

import msgspec
import pyarrow as pa

from schemas.errors import BadFrame
from schemas.frame import Subject
from schemas.times import milliseconds
from sinks import merged
from sinks.objects import Objects
from stream.changes import Changes, Stored, Within, key, together
from stream.distributed import passing, predicting
from stream.distributed.news import Closed, Heard, Told, told
from stream.distributed.passing import Moved, Origin, Passed, Receiver
from stream.distributed.shard import Cut, Event
from stream.joining.merging import MergedLines
from stream.joining.stage import Joining, News
from stream.placing import Timing
from stream.settings import Settings
from stream.setup import Setups
from stream.watermarks import Watermarks

log = logging.getLogger(__name__)

_RECEIVED = "received"
_ABOUT = key("about")

_Body = tuple[MergedLines, pa.Buffer]


class _Known(msgspec.Struct):
    """How far each partition is taken in: captures by subject, ground truth without one. The watermarks of
    subjects; and by partition of captures, until when (ms) it has read what arrived."""

    taken: list[tuple[int, Subject | None, int]] = []
    watermarks: list[tuple[Subject, Watermarks]] = []
    read: dict[int, int] = {}
    receiver: bytes | None = None


class JoinStage:
    """Joins in the partition `number`. `objects` is where merged records go; `tell` sends news to the judge.
    `log` tells this topic's offsets from those of any other, in the names of objects."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        setups: Setups,
        objects: Objects,
        tell: Callable[[Told], None],
        log: str,
        stored: Stored,
    ) -> None:
        parts = {name: Within(stored, name) for name in (*Joining.NAMES, _RECEIVED)}
        self.sealed = settings.labels.merged
        self.joining = Joining(
            number,
            Timing.of(settings.quality_window),
            settings.labels.max_bytes,
            setups.quality,
            setups.read_labels,
            parts,
            parts["captured"].get if settings.labels.merged else None,
        )
        self._number, self._objects, self._tell, self._log = number, objects, tell, log
        self._due = settings.checkpoint
        self._size = milliseconds(settings.window.size)
        self._partitions = range(settings.kafka.partitions)
        self._told: dict[Subject, int] = {}  # how many windows the judge knows to be passed
        raw = parts[_RECEIVED].get(_ABOUT)
        known = msgspec.msgpack.decode(raw, type=_Known) if raw is not None else _Known()
        self._taken = {(partition, subject): until for partition, subject, until in known.taken}
        self._watermarks = dict(known.watermarks)
        self._read = known.read
        self._receiver = Receiver(known.receiver)
        self._missed: set[Origin] = set()

    def take(self, event: Event) -> None:
        """Take in one message."""
        self.joining.at = event.offset
        try:
            found = self._receiver.add(event.value)
        except BadFrame as error:
            log.error("message is nothing to join", extra={"offset": event.offset, "reason": str(error)})
            return
        self._say_missed()
        if found is not None:
            self._take(found)

    def _take(self, found: Passed) -> None:
        match found:
            case passing.Predictions(partition, subject, until):
                for some in predicting.read(found, self._taken.get((partition, subject), -1)):
                    self.joining.predictions(some)
                self._take_up(partition, subject, until)
            case passing.Labels(partition, until):
                self.joining.labels(*predicting.read_labels(found, self._taken.get((partition, None), -1)))
                self._take_up(partition, None, until)
            case Moved(subject, progress):
                self._of(subject).move(progress)
                self._advance(subject)
            case Heard(partition, until):
                self._read[partition] = max(until, self._read.get(partition, until))
                for subject, watermarks in self._watermarks.items():
                    if partition not in watermarks.steps:
                        self._advance(subject)
            case Closed(subject, until):
                watermarks = self._of(subject)
                watermarks.clock = max(until, watermarks.clock)
                self._advance(subject)

    def _take_up(self, partition: int, subject: Subject | None, until: int) -> None:
        """Remember how far a partition was passed on: who takes it up may pass on some of it again."""
        place = (partition, subject)
        self._taken[place] = max(until, self._taken.get(place, until))

    def _advance(self, subject: Subject) -> None:
        watermarks = self._watermarks[subject]
        if not watermarks.steps:
            return
        news = self.joining.advance(subject, watermarks.low(self._partitions, self._read))
        passed = news.progress.watermark // self._size
        if news.partials or passed != self._told.get(subject):
            self._told[subject] = passed
            self._say(news)

    def _say(self, news: News) -> None:
        self._tell(told(news.subject, news.partials, news.progress, joined=True))

    def _say_missed(self) -> None:
        """What is missing comes again when its partition is taken up anew: then everything does that no
        checkpoint covers. Of a topic that has lost messages it does not."""
        for origin in self._receiver.missed - self._missed:
            facts = {"partition": self._number, "of": origin.kind, "their_partition": origin.partition}
            log.error("messages to join are missing, what follows them waits", extra=facts)
        self._missed = set(self._receiver.missed)

    def _of(self, subject: Subject) -> Watermarks:
        return self._watermarks.setdefault(subject, Watermarks())

    def flush(self) -> None:
        """Everything has had its effect already."""

    def pending(self) -> bool:
        """Nothing waits to have an effect."""
        return False

    def full(self) -> bool:
        """Whether so much was taken in that it must be stored."""
        return self.joining.taken >= self._due.rows or self.joining.nbytes >= self._due.max_bytes

    def due(self) -> bool:
        """Nothing here is in a hurry."""
        return False

    def cut(self, first: int, until: int) -> Cut:
        """Merged records of a range, news of windows that labels have changed, and the states behind both."""
        bodies = [(part, part.body()) for part in self.joining.cut()]
        for news in self.joining.flush():
            self._say(news)
        changes = together({**self.joining.checkpoint(), _RECEIVED: self._dump()})
        return Cut(until, changes, lambda: self._deliver(bodies, first))

    def _dump(self) -> Changes:
        taken = [(partition, subject, until) for (partition, subject), until in self._taken.items()]
        known = _Known(taken, list(self._watermarks.items()), self._read, self._receiver.dump())
        return {_ABOUT: msgspec.msgpack.encode(known)}

    def _deliver(self, bodies: list[_Body], first: int) -> None:
        for part, body in bodies:
            merged.write(self._objects, part.subject, part.hour, body, self._number, first, self._log)
