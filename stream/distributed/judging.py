"""The judge stage in a worker: news of partitions into reports, and reports to where they are read."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from schemas.errors import BadFrame
from schemas.frame import Subject
from schemas.labelled import NO_LABELS
from schemas.report import Report
from schemas.times import DAY, milliseconds
from schemas.times import now as wall_clock
from stream.announce import announce
from stream.changes import Stored, Within, together
from stream.distributed.news import Closed, Heard, Joiner, News, Told, partials
from stream.distributed.shard import Cut, Event
from stream.judge import Judge
from stream.settings import Settings
from stream.setup import Setups

log = logging.getLogger(__name__)

_MOST = 200  # reports that wait to be published together
_BUDGET = 250  # ms


class Publisher(Protocol):
    """Where reports go. Publishing one again changes nothing."""

    def publish(self, reports: Sequence[Report]) -> None:
        """Returns when all are stored. Raises SinkBusy."""
        ...


class JudgeStage:
    """Judges the subjects of one partition of the news. `tell` sends news to this same partition; `close`
    has the join close what the clock closes; `took` is told how many seconds lie between the news that closed
    a window and its stored report."""

    sealed = False

    def __init__(
        self,
        settings: Settings,
        setups: Setups,
        publisher: Publisher,
        tell: Callable[[Told], None],
        stored: Stored,
        took: Callable[[float], None] = lambda seconds: None,
        now: Callable[[], int] = wall_clock,
        close: Callable[[Closed], None] = lambda closed: None,
    ) -> None:
        self.judge = Judge(settings.window, setups.monitors, range(settings.kafka.partitions))
        joins = range(settings.kafka.join_partitions)
        self.quality = Judge(settings.quality_window, setups.quality_monitors, joins, NO_LABELS)
        for name, judge in self._judges().items():
            judge.restore(Within(stored, name))
        self._setups, self._publisher, self._tell, self._now = setups, publisher, tell, now
        self._took, self._close = took, close
        self._size = milliseconds(settings.window.size)
        self._lateness = milliseconds(settings.window.lateness)
        self._interval = milliseconds(settings.checkpoint.interval)
        self._revise_at = 0  # ms
        self._joiner = Joiner()
        self._reports: dict[object, Report] = {}
        self._closing: dict[Subject, int] = {}
        self._arrived: list[int] = []  # when the news came that closed each window that waits, ms

    def _judges(self) -> dict[str, Judge]:
        return {"judge": self.judge, "quality": self.quality}

    def take(self, event: Event) -> None:
        """Take in one message of the news."""
        try:
            news = self._joiner.add(event.value, event.offset)
        except BadFrame as error:
            log.error("message is no news", extra={"offset": event.offset, "reason": str(error)})
            return
        match news:
            case None:
                return
            case News(joined=True):
                found = partials(news, self._setups.quality_monitors)
                reports = self.quality.hear(news.subject, found, news.progress)
            case News():
                found = partials(news, self._setups.monitors)
                reports = self.judge.observe(news.subject, found, news.progress)
            case Heard():
                reports = self.judge.heard(news.partition, news.until)
            case Closed():
                self._pass_on(news)
                reports = self.judge.close(news.subject, news.until)
        for report in reports:
            self._keep(report)
        self._arrived += [event.arrived] * len(reports)

    def _pass_on(self, closed: Closed) -> None:
        """Have it closed in the join. Not when it is asked for, but when it has come back: it is then read
        again until the join is known to have it."""
        if self._setups.quality(closed.subject) is not None:
            self._close(closed)

    def _keep(self, report: Report) -> None:
        """Of several revisions that wait, the last replaces the others, but for documents that it leaves as
        they are: those it does not carry."""
        before = self._reports.pop(key := (report.subject, report.monitor, report.window), None)
        if before is not None:
            documents = {**before.finding.documents, **report.finding.documents}
            report = replace(report, finding=replace(report.finding, documents=documents))
        self._reports[key] = report
        announce(report)

    def flush(self) -> None:
        """Judge windows again that labels have changed: all partitions of the join tell of them, each in its
        time, so this is done once in a while, and no longer at a time than others can wait."""
        began = self._now()
        waits = 0 < self._revise_at - began <= self._interval  # longer, and the clock was put back
        if waits or not self.quality.changed:
            return
        for reports in self.quality.revise():
            for report in reports:
                self._keep(report)
            if self._now() - began >= _BUDGET:
                return
        self._revise_at = began + self._interval

    def pending(self) -> bool:
        """Whether windows wait to be judged again."""
        return self.quality.changed

    def close_idle(self) -> None:
        """Ask for windows to be closed of subjects that are silent everywhere: live traffic by the clock, so
        that an hour without traffic is reported; of captures replayed, those that hold data."""
        now = self._now()
        for subject, closed, last, arrived in self.judge.idle():
            live = arrived - (closed + self._lateness) < DAY
            until = now - self._lateness if live else last
            if until // self._size > max(closed, self._closing.get(subject, closed)) // self._size:
                self._closing[subject] = until
                self._tell(Closed(subject, until))

    def full(self) -> bool:
        """Whether enough reports wait."""
        return len(self._reports) >= _MOST

    def due(self) -> bool:
        """Whether a report waits."""
        return bool(self._reports)

    def cut(self, first: int, until: int) -> Cut:
        """Reports to publish, and the states behind them."""
        reports, self._reports = list(self._reports.values()), {}
        arrived, self._arrived = self._arrived, []

        def deliver() -> None:
            self._publisher.publish(reports)
            for when in arrived:
                self._took(max(0.0, (self._now() - when) / 1_000))

        changes = together({name: judge.checkpoint() for name, judge in self._judges().items()})
        return Cut(self._joiner.covered(until), changes, deliver)
