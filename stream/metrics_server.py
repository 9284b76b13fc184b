"""Metrics of delivery streams, for others to read: Prometheus text over HTTP, CloudWatch events in a file."""

import logging
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from schemas.errors import ConfigError
from stream.ingest.exposition import embedded_lines, prometheus
from stream.ingest.metrics import Metrics
from stream.settings import FirehoseSettings

log = logging.getLogger(__name__)

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _SixServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class MetricsServer:
    """Answers GET /metrics. Raises ConfigError when the address cannot be had."""

    def __init__(self, host: str, port: int, metrics: Metrics) -> None:
        try:
            self._server = (_SixServer if ":" in host else ThreadingHTTPServer)(
                (host, port), _handler(metrics)
            )
        except OSError as error:
            raise ConfigError(f"firehose: cannot serve metrics at {host}:{port}: {error}") from error
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds that a client may be silent

        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/metrics"
            body = prometheus(metrics.snapshot()).encode() if found else b"metrics are at /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", _TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


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
    settings: FirehoseSettings, output: Path, metrics: Metrics, now: Callable[[], int]
) -> list[MetricsServer | EmbeddedMetrics]:
    """Begin to tell of metrics, as far as that is asked for; each part is the caller's to close."""
    parts: list[MetricsServer | EmbeddedMetrics] = []
    if settings.metrics_port is not None:
        parts.append(MetricsServer(settings.host, settings.metrics_port, metrics))
    if every := settings.embedded_metrics.total_seconds():
        parts.append(EmbeddedMetrics(output / "metrics.jsonl", every, metrics, now))
    return parts
