"""The HTTP side: requests read within bounds of time and memory, answers written at once.

An answer's headers and body leave in one write: when they come apart, some clients now and then send a
request again that was already answered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp.web import BaseRequest, Response, Server, StreamResponse
from aiohttp.web_protocol import RequestHandler

from stream.ingest.api import Answer, refused
from stream.ingest.faults import Fault, slow_down, unreadable
from stream.ingest.signature import Request

log = logging.getLogger(__name__)

MAX_BODY = 8 * 2**20  # the largest batch takes about 5.6 MB
_MAX_BODIES = 256 * 2**20  # of all requests under way
_CHUNK = 2**20
_SETTLE = 0.02  # seconds
_LINGER = 3.0  # seconds in which a client that was answered early may send the rest, to hear the answer

Answering = Callable[[Request, str], Awaitable[Answer]]


class Requests:
    """Reads requests, lets `answering` answer them; a client has `timeout` seconds to send one."""

    def __init__(self, answering: Answering, timeout: float) -> None:
        self._answering = answering
        self._timeout = timeout
        self._bodies = 0
        self._under_way = 0
        self._closing = False

    def server(self) -> Server:
        """What a listening socket is served by."""
        return _Server(
            self._handle,
            keepalive_timeout=self._timeout,
            read_bufsize=_CHUNK,
            lingering_time=min(self._timeout, _LINGER),
            auto_decompress=False,
            access_log=None,
        )

    async def drain(self, seconds: float) -> None:
        """Answer the requests under way, and let their connections end with that.

        The server itself drops what still comes of a request once it is told to close.
        """
        self._closing = True
        until = asyncio.get_running_loop().time() + seconds
        while self._under_way and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(_SETTLE)

    async def _handle(self, incoming: BaseRequest) -> StreamResponse:
        self._under_way += 1
        try:
            response, whole = await self._respond(incoming)
        finally:
            self._under_way -= 1
        if self._closing or not whole:
            response.force_close()
        return response

    async def _respond(self, incoming: BaseRequest) -> tuple[Response, bool]:
        """The response, and whether all of the request was read."""
        whole = False
        try:
            body = await self._body(incoming)
            whole = True
            headers = {name.lower(): ",".join(incoming.headers.getall(name)) for name in incoming.headers}
            request = Request(incoming.method, incoming.raw_path, headers, body)
            answer = await self._answering(request, incoming.remote or "")
        except Fault as fault:
            answer = refused(fault)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("request failed")
            answer = refused(Fault("InternalFailure", "The request failed for a reason of the server."))
        return _response(answer), whole

    async def _body(self, incoming: BaseRequest) -> bytes:
        """The whole body. Raises Fault when it is too large, too slow, or one too many."""
        length = incoming.content_length
        expected = MAX_BODY if length is None and incoming.body_exists else length or 0
        if expected > MAX_BODY:
            raise _too_large()
        if self._bodies + expected > _MAX_BODIES:
            raise slow_down()
        self._bodies += expected
        try:
            if incoming.headers.get("Expect", "").lower() == "100-continue" and incoming.transport:
                incoming.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            async with asyncio.timeout(self._timeout):
                return await _read(incoming)
        except TimeoutError as error:
            raise Fault("RequestTimeoutException", "The request was not sent in time.") from error
        finally:
            self._bodies -= expected


async def _read(incoming: BaseRequest) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := await incoming.content.readany():
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            raise _too_large()
    return b"".join(parts)


def _too_large() -> Fault:
    return Fault("RequestEntityTooLargeException", f"A request has at most {MAX_BODY} bytes.")


def _response(answer: Answer) -> Response:
    headers = {"x-amzn-RequestId": str(uuid4()), "Server": "streamgauge"}
    kind = "application/x-amz-json-1.1"
    return Response(status=answer.status, body=answer.body, headers=headers, content_type=kind)


class _Connection(RequestHandler):
    """Answers also what is no HTTP in the form of the API."""

    __slots__ = ()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        log.debug("request is no HTTP", extra={"address": request.remote, "reason": message})
        fault = unreadable("The request is not HTTP as this server reads it.")
        response = _response(Answer(status if 400 <= status < 500 else 400, fault.body()))
        response.force_close()
        return response


class _Server(Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)
