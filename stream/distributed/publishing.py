"""Reports of a worker: documents into the store, alerts and metrics into OpenSearch where there is one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from msgspec import Struct

from schemas.report import Report
from sinks import reports as files
from sinks.objects import Objects
from stream.settings import Settings

_AT_ONCE = 8  # reports that are written at the same time


class Search(Protocol):
    """A search cluster that takes reports, and counts what became of them."""

    @property
    def stored(self) -> int:
        """Documents that are there."""
        ...

    @property
    def rejected(self) -> int:
        """Documents refused for good."""
        ...

    @property
    def retries(self) -> int:
        """Documents sent again."""
        ...

    def prepare(self) -> object:
        """Make what reports need there. Raises SinkBusy."""
        ...

    def write(self, reports: Sequence[Report]) -> object:
        """Raises SinkBusy."""
        ...


class Store(Struct, frozen=True):
    """Where a worker's objects go: reports, rows, records that could not be used, and those with labels."""

    reports: Objects
    rows: Objects
    errors: Objects
    merged: Objects

    @classmethod
    def of(cls, settings: Settings) -> "Store":
        """Places under `store`, or else the output directory; rows may go elsewhere. Raises ConfigError."""
        s3 = (settings.s3.endpoint, settings.s3.region)
        base = str(settings.store or settings.output).rstrip("/")
        rows = settings.rows or f"{base}/captures"
        places = (f"{base}/reports", rows, f"{base}/errors", f"{base}/merged")
        return cls(*(Objects.at(place, *s3) for place in places))


class ReportPublisher:
    """Writes reports to `objects`, then to `search`."""

    def __init__(self, objects: Objects, search: Search | None) -> None:
        self._objects, self._search = objects, search
        self._prepared = False
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reports")

    def publish(self, reports: Sequence[Report]) -> None:
        """Returns when all are stored. Raises SinkBusy."""
        for _ in self._pool.map(lambda report: files.write(self._objects, report), reports):
            pass
        if self._search is not None and reports:
            if not self._prepared:
                self._search.prepare()
                self._prepared = True
            self._search.write(reports)
