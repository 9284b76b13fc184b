"""A small model server with the contract of SageMaker's containers: POST /invocations and GET /ping."""

import io
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv

from monitors.shap.kernel import Array
from schemas.errors import ConfigError, ModelFailed
from stream.models.base import Model
from stream.models.payloads import CSV, JSON, JSON_LINES

_MOST_BYTES = 6 << 20  # what SageMaker takes


class ModelServer:
    """Serves `model` in threads of its own. `columns` name the cells of CSV requests and lists.

    Raises ConfigError when the address cannot be had.
    """

    def __init__(
        self, model: Model, host: str = "127.0.0.1", port: int = 0, columns: Sequence[str] | None = None
    ) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(model, columns))
        except OSError as error:
            raise ConfigError(f"cannot listen at {host}:{port}: {error}") from error
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="model", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it is closed."""
        self._thread.join()

    def close(self) -> None:
        """Let go of the port."""
        self._server.shutdown()
        self._server.server_close()


def read(body: bytes, kind: str, columns: Sequence[str] | None) -> pa.Table:
    """Rows of a request: numbers as float64, all else as text. Raises ModelFailed.

    >>> read(b'{"features": [39, "rome"]}', "application/jsonlines", ["age", "city"]).to_pylist()
    [{'age': 39.0, 'city': 'rome'}]
    """
    try:
        if kind == CSV:
            table = pa.csv.read_csv(
                io.BytesIO(body),
                pa.csv.ReadOptions(column_names=columns, autogenerate_column_names=columns is None),
                convert_options=pa.csv.ConvertOptions(strings_can_be_null=True, null_values=[""]),
            )
        elif kind == JSON:
            table = _rows(msgspec.json.decode(body)["instances"], columns)
        elif kind == JSON_LINES:
            table = _rows([msgspec.json.decode(line) for line in body.splitlines() if line], columns)
        else:
            raise ModelFailed(f"no content type {kind}")
    except (pa.ArrowException, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise ModelFailed(f"the request cannot be read as {kind}: {error}") from error
    return pa.table({name: _plain(table[name]) for name in table.column_names})


def _rows(items: Sequence[Any], columns: Sequence[str] | None) -> pa.Table:
    lists = [item["features"] if isinstance(item, dict) and "features" in item else item for item in items]
    if lists and isinstance(lists[0], dict):
        return pa.table({name: [row.get(name) for row in lists] for name in lists[0]})
    names = columns or [f"_c{at}" for at in range(len(lists[0]) if lists else 0)]
    return pa.table({name: list(cells) for name, cells in zip(names, zip(*lists, strict=True), strict=True)})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
    return column.cast(pa.float64() if numeric else pa.string())


def write(found: Array, kind: str) -> bytes:
    """Answers: a CSV line a row, {"predictions": [{"score": ...}]}, or {"score": ...} a line; a list of
    scores where the model has several outputs."""
    if kind == CSV:
        return "\n".join(",".join(repr(value) for value in row) for row in found.tolist()).encode() + b"\n"
    scores = [{"score": row[0] if len(row) == 1 else row} for row in found.tolist()]
    if kind == JSON:
        return msgspec.json.encode({"predictions": scores})
    return b"".join(msgspec.json.encode(score) + b"\n" for score in scores)


def _handler(model: Model, columns: Sequence[str] | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30  # seconds that a client may be silent

        def do_GET(self) -> None:
            self._answer(200 if self.path == "/ping" else 404, b"", CSV)

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if self.path != "/invocations" or size > _MOST_BYTES:
                self.close_connection = True  # the body is not read
                return self._answer(404 if size <= _MOST_BYTES else 413, b"", CSV)
            body = self.rfile.read(size)
            kind = str(self.headers.get("Content-Type", CSV)).partition(";")[0]
            accept = str(self.headers.get("Accept", kind)).partition(";")[0]
            accept = accept if accept in (CSV, JSON, JSON_LINES) else kind
            try:
                found = model.predict(read(body, kind, columns))
            except ModelFailed as error:
                return self._answer(400, f"{error}\n".encode(), CSV)
            return self._answer(200, write(found, accept), accept)

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
