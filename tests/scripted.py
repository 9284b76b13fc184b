"""An HTTP server on the loopback that plays back answers and keeps the requests that it got."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Message
    body: bytes


Reply = tuple[int, Mapping[str, str | None], bytes]  # a header of None is left out
Answer = Reply | str | threading.Event | Callable[[Request], Reply]


class Scripted:
    """Gives one answer a request, the last for ever: a reply, a function that makes one, `reset` to cut the
    connection, `drip` for a byte now and then, or an event to wait for before an empty answer."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.requests = list(answers), list[Request]()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/ingest?x=1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.command, self.path, self.headers, body)
                answer = script.next(request)
                if answer == "reset":
                    linger = struct.pack("ii", 1, 0)  # close with a reset
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                if answer == "drip":
                    self.reply(200, {"Content-Length": "1000"}, b"{")
                    for _ in range(200):
                        time.sleep(0.01)
                        self.wfile.write(b" ")
                    self.close_connection = True
                    return
                if isinstance(answer, threading.Event):
                    answer.wait(30)
                    answer = (200, {}, b"")
                self.reply(*(answer(request) if callable(answer) else answer))

            do_GET = do_PUT = do_POST

            def reply(self, status: int, headers: Mapping[str, str | None], body: bytes) -> None:
                defaults = {"Content-Type": "application/json", "Content-Length": str(len(body))}
                if headers.get("Content-Length", "") is None:
                    defaults["Connection"] = "close"
                self.send_response(status)
                for name, value in {**defaults, **headers}.items():
                    if value is not None:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        """A client that went away is part of the script."""
