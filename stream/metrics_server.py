"""Metrics of delivery streams, for others to read: Prometheus text over HTTP, CloudWatch events in a file."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from stream.ingest.exposition import embedded_lines, prometheus
from stream.ingest.metrics import Metrics
from stream.page_server import Page, PageServer
from stream.settings import FirehoseSettings

log = logging.getLogger(__name__)

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def serve_metrics(host: str, port: int, metrics: Metrics, more: Callable[[], str] = lambda: "") -> PageServer:
    """Answers GET /metrics, with `more` behind. Raises ConfigError when the address cannot be had."""

    def page() -> Page:
        return Page((prometheus(metrics.snapshot()) + more()).encode(), kind=_TYPE)

    return PageServer(host, port, {"/metrics": page})


class EmbeddedMetrics:
    """Appends what was counted since the last time to a file, as CloudWatch's embedded metric format."""

    def __init__(self, path: Path, every: float, metrics: Metrics, now: Callable[[], int]) -> None:
        self._path, self._every, self._metrics, self._now = path, every, metrics, now
        self._before = metrics.snapshot()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="embedded-metrics", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.write()

    def write(self) -> None:
        """Append the events of the time since the last call; a full disk costs events, not the service."""
        snapshot = self._metrics.snapshot()
        lines = embedded_lines(snapshot, self._before, self._now(), "Firehose")
        try:
            with self._path.open("ab") as stream:
                stream.write(lines)
        except OSError as error:
            log.warning("metrics cannot be written", extra={"path": str(self._path), "reason": str(error)})
            return
        self._before = snapshot

    def close(self) -> None:
        """Write the last events."""
        self._stop.set()
        self._thread.join()
        self.write()


def tell(
    settings: FirehoseSettings,
    output: Path,
    metrics: Metrics,
    now: Callable[[], int],
    more: Callable[[], str] = lambda: "",
) -> list[PageServer | EmbeddedMetrics]:
    """Begin to tell of metrics, as far as that is asked for; each part is the caller's to close."""
    parts: list[PageServer | EmbeddedMetrics] = []
    if settings.metrics_port is not None:
        parts.append(serve_metrics(settings.host, settings.metrics_port, metrics, more))
    if every := settings.embedded_metrics.total_seconds():
        parts.append(EmbeddedMetrics(output / "metrics.jsonl", every, metrics, now))
    return parts
