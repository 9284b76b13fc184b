"""What is counted of delivery streams, by the names that Firehose gives its metrics."""

from collections.abc import Mapping
from threading import Lock

from msgspec import Struct


class Series(Struct, frozen=True):
    """A metric of one stream since the start: how often it was told, the sum of its values, and the last."""

    count: int = 0
    total: float = 0
    last: float = 0

    def add(self, value: float) -> "Series":
        """With one more value."""
        return Series(self.count + 1, self.total + value, value)


Snapshot = Mapping[tuple[str, str], Series]  # by stream ("" where it is of none) and metric


class Metrics:
    """Counts from any thread.

    >>> metrics = Metrics()
    >>> metrics.add("plain", IncomingRecords=500, IncomingPutRequests=1)
    >>> metrics.add("plain", {"PutRecordBatch.Records": 500})
    >>> metrics.snapshot()["plain", "IncomingRecords"]
    Series(count=1, total=500, last=500)
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._series: dict[tuple[str, str], Series] = {}

    def add(self, stream: str, values: Mapping[str, float] | None = None, **more: float) -> None:
        """One more value of each metric named."""
        with self._lock:
            for name, value in {**(values or {}), **more}.items():
                self._series[stream, name] = self._series.get((stream, name), _NONE).add(value)

    def forget(self, stream: str) -> None:
        """Drop what was counted of a stream that is gone."""
        with self._lock:
            self._series = {key: series for key, series in self._series.items() if key[0] != stream}

    def snapshot(self) -> Snapshot:
        """All of it as it is now."""
        with self._lock:
            return dict(self._series)


_NONE = Series()
