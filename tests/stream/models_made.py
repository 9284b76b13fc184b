"""A model of the made-up traffic's rows, and an HTTP server that misbehaves as it is told."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow.compute as pc


def score(rows):
    """Age counts most, city a little."""
    age = rows["age"].to_numpy()
    rome = pc.equal(rows["city"], "rome").fill_null(False).to_numpy(zero_copy_only=False).astype(float)
    return (age - 40) / 40 + 0.2 * rome


def changed(rows):
    """City counts most."""
    age = rows["age"].to_numpy()
    rome = pc.equal(rows["city"], "rome").fill_null(False).to_numpy(zero_copy_only=False).astype(float)
    return (age - 40) / 400 + 2.0 * rome


class Numbers:
    """A model of numbers that knows its own attributions."""

    coef_ = np.array([2.0, -1.0])
    intercept_ = 0.5

    def predict(self, rows):
        raise AssertionError("a linear model is not asked")


numbers = Numbers()


def broken(rows):
    raise KeyError("no such column")


class Flaky:
    """Answers POST by `how`, a function of the number of the call and its rows, and counts calls."""

    def __init__(self, how):
        self.calls, self.most_at_once, self._now = 0, 0, 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    outer.calls += 1
                    outer._now += 1
                    outer.most_at_once = max(outer.most_at_once, outer._now)
                    call = outer.calls
                rows = [line.split(",") for line in body.decode().splitlines()]
                status, text = how(call, rows)
                with lock:
                    outer._now -= 1
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/invocations"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def well(call, rows):
    return 200, "".join(f"{(float(age or 0) - 40) / 40 + 0.2 * (city == 'rome')}\n" for age, city in rows)


def slow(call, rows):
    time.sleep(2)
    return well(call, rows)
