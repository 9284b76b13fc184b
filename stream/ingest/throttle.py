"""Token buckets: how much a stream takes within a second."""

from bisect import bisect_right
from itertools import accumulate

from msgspec import Struct

BURST_MS = 1_000  # a bucket holds what comes in within one second


class Rates(Struct, frozen=True):
    """What a stream takes a second; 0 is without limit."""

    records: float = 0
    size: float = 0  # bytes
    requests: float = 0


class Bucket:
    """Fills with `rate` tokens a second, up to one second's worth; without a rate there is always enough.

    >>> bucket = Bucket(rate=10, now=0)
    >>> bucket.take(10, now=0), bucket.take(1, now=0), bucket.take(1, now=100)
    (True, False, True)
    """

    def __init__(self, rate: float, now: int) -> None:
        self._rate = rate
        self._level = rate * BURST_MS / 1_000
        self._at = now

    def level(self, now: int) -> float:
        """Tokens that can be taken at `now` (ms)."""
        if not self._rate:
            return float("inf")
        passed = min(max(now - self._at, 0), BURST_MS)  # a clock set back brings nothing
        self._level = min(self._level + self._rate * passed / 1_000, self._rate * BURST_MS / 1_000)
        self._at = now
        return self._level

    def take(self, tokens: float, now: int) -> bool:
        """Take `tokens`, or none when there are not so many."""
        enough = tokens <= self.level(now)
        if enough:
            self._level -= tokens
        return enough


class Throttle:
    """The three buckets of each stream."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._streams: dict[str, tuple[Bucket, Bucket, Bucket]] = {}

    def admit(self, stream: str, sizes: list[int], now: int) -> int:
        """How many records of a request, from its first on, are taken at `now` (ms). A request that is not
        taken costs nothing."""
        if self._rates == Rates():
            return len(sizes)
        requests, records, size = self._buckets(stream, now)
        if not requests.take(1, now):
            return 0
        ends = list(accumulate(sizes))
        taken = int(min(records.level(now), bisect_right(ends, size.level(now))))
        records.take(taken, now)
        size.take(ends[taken - 1] if taken else 0, now)
        return taken

    def forget(self, stream: str) -> None:
        """Drop what is known of a stream that is gone."""
        self._streams.pop(stream, None)

    def _buckets(self, stream: str, now: int) -> tuple[Bucket, Bucket, Bucket]:
        if stream not in self._streams:
            rates = (self._rates.requests, self._rates.records, self._rates.size)
            requests, records, size = (Bucket(rate, now) for rate in rates)
            self._streams[stream] = (requests, records, size)
        return self._streams[stream]
