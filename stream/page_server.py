"""A few pages over HTTP, made when they are asked for: metrics, and whether a process is well."""

import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from msgspec import Struct

from schemas.errors import ConfigError

TEXT = "text/plain; charset=utf-8"


class Page(Struct, frozen=True):
    """What is answered."""

    body: bytes
    status: int = 200
    kind: str = TEXT


class _SixServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class PageServer:
    """Answers GET for each path of `pages`, in threads of its own: also while everything else waits.

    Raises ConfigError when the address cannot be had.
    """

    def __init__(self, host: str, port: int, pages: Mapping[str, Callable[[], Page]]) -> None:
        kind = _SixServer if ":" in host else ThreadingHTTPServer
        try:
            self._server = kind((host, port), _handler(pages))
        except OSError as error:
            raise ConfigError(f"cannot listen at {host}:{port}: {error}") from error
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="pages", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(pages: Mapping[str, Callable[[], Page]]) -> type[BaseHTTPRequestHandler]:
    known = " ".join(pages)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds that a client may be silent

        def do_GET(self) -> None:
            make = pages.get(self.path.partition("?")[0])
            page = make() if make else Page(f"there are {known}\n".encode(), 404)
            self.send_response(page.status)
            self.send_header("Content-Type", page.kind)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
