"""All stages of a worker over logs in memory, in place of topics and of a store."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from labelled import QUALITY
from made import ARRIVED, settings_for
from schemas.report import Report
from sinks.objects import Objects
from stream.distributed.joining import JoinStage
from stream.distributed.judging import JudgeStage
from stream.distributed.labelling import LabelStage
from stream.distributed.news import Closed, Sender, Told
from stream.distributed.passing import Origin, Session, encode
from stream.distributed.predicting import Predicting
from stream.distributed.watching import WatchStage
from stream.settings import Settings
from stream.setup import Setups

Known = tuple[Settings, Setups]


def regression(directory: Path, partitions: int = 1, joins: int = 1) -> Known:
    """Settings of workers that join labels of the traffic in `labelled`."""
    kafka = {"partitions": partitions, "join_partitions": joins, "labels": "truth"}
    settings = settings_for(directory / "out", directory, quality=QUALITY, kafka=kafka)
    return settings, Setups(settings)


class Event:
    def __init__(self, offset: int, value: bytes) -> None:
        self.offset, self.value, self.arrived = offset, value, ARRIVED + offset

    def ack(self) -> None:
        pass


class Runner:
    """One partition of a stage. It stores what a worker stores, in its order, and dies between any two."""

    def __init__(self, log: list[bytes], begin: Callable[[dict[str, bytes], int], Any]) -> None:
        self.log, self._begin = log, begin
        self._epochs = count(1)
        self._stored: dict[str, bytes] = {}
        self.covered = self._at = -1
        self._intent: int | None = None
        self.die()

    def die(self) -> None:
        self.stage = self._begin(self._stored, next(self._epochs))
        self._at = self.covered

    @property
    def behind(self) -> bool:
        return self._at + 1 < len(self.log)

    def go_on(self) -> None:
        if self.behind:
            self._at += 1
            self.stage.take(Event(self._at, self.log[self._at]))
            if self._at == self._intent:
                self.store()

    def store(self, until: str = "end") -> None:
        """A checkpoint, or so much of it."""
        if self._at <= self.covered or (self._intent is not None and self._at < self._intent):
            return
        self.stage.flush()
        cut = self.stage.cut(self.covered + 1, self._at)
        if until == "cut":
            return self.die()
        if self.stage.sealed:
            self._intent = cut.until
        cut.deliver()
        if until == "delivered":
            return self.die()
        self._stored.update(cut.changes)
        for name in [name for name, value in self._stored.items() if value is None]:
            del self._stored[name]
        self.covered, self._intent = cut.until, None


class Cluster:
    """All stages of a worker, and what lies between them."""

    def __init__(self, known: Known, root: Path) -> None:
        self._settings, self._setups = known
        kafka = known[0].kafka
        self._root = root
        self.captures: list[list[bytes]] = [[] for _ in range(kafka.partitions)]
        self.labels: list[list[bytes]] = [[] for _ in range(kafka.partitions)]
        self.joins: list[list[bytes]] = [[] for _ in range(kafka.join_partitions)]
        self.partials: list[bytes] = []
        self.reports: dict[tuple[str, int], Report] = {}
        self._names = count()
        self.clock = ARRIVED
        self.watch = [Runner(log, self._watching(n)) for n, log in enumerate(self.captures)]
        self.label = [Runner(log, self._labelling(n)) for n, log in enumerate(self.labels)]
        self.join = [Runner(log, self._joining(n)) for n, log in enumerate(self.joins)]
        self.judge = Runner(self.partials, self._judging)
        self.all = [*self.watch, *self.label, *self.join, self.judge]

    def restart(self, known: Known) -> None:
        """Start all of them anew, with other settings."""
        self._settings, self._setups = known
        for runner in self.all:
            runner.die()

    def _tell(self, who: str) -> Callable[[Told], None]:
        sender = Sender(f"{who}/{next(self._names)}")
        return lambda what: self.partials.extend(sender.messages(what))

    def _session(self, origin: Origin, epoch: int) -> Session:
        return Session(origin, epoch, len(self.joins), lambda at, message: self.joins[at].append(message))

    def _place(self, name: str) -> Objects:
        return Objects.at(self._root / name)

    def _watching(self, n: int):
        def begin(stored, epoch):
            predicting = Predicting(self._session(Origin("captures", n), epoch), self._settings, self._setups)
            places = self._place("captures"), self._place("errors")
            told = self._settings, self._setups, *places, self._tell(f"{n}"), "log", stored, predicting
            return WatchStage(n, *told)

        return begin

    def _labelling(self, n: int):
        def begin(stored, epoch):
            session = self._session(Origin("labels", n), epoch)
            return LabelStage(n, self._settings, self._setups, self._place("errors"), session, "log")

        return begin

    def _joining(self, n: int):
        def begin(stored, epoch):
            place, tell = self._place("merged"), self._tell(f"join {n}")
            return JoinStage(n, self._settings, self._setups, place, tell, "log", stored)

        return begin

    def _judging(self, stored, epoch):
        def close(closed: Closed) -> None:
            for log in self.joins:
                log.append(encode(closed))

        tell = self._tell("judge 0")
        return JudgeStage(
            self._settings, self._setups, self, tell, stored, now=lambda: self.clock, close=close
        )

    def publish(self, reports) -> None:
        for report in reports:
            self.reports[report.monitor, report.window.start] = report

    def finish(self) -> None:
        before = None
        while before != (before := [runner.covered for runner in self.all]):
            self.clock += 60_000
            for runner in self.all:
                while runner.behind:
                    runner.go_on()
                runner.stage.flush()
                runner.store()
