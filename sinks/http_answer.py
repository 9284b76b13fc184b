"""What an HTTP endpoint answers, and whether that means that it has the records.

Source: Data Firehose guide, appendix on HTTP endpoint delivery request and response specifications. Only 200
with the whole of the form is success; whatever breaks a rule counts as a 500.
"""

from collections.abc import Mapping
from time import monotonic

import msgspec
import urllib3
from msgspec import Struct
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError, SSLError

from sinks.refused import Refused

LARGEST = 1 << 20  # bytes of a body
TIMEOUT = 180.0  # seconds until an answer is complete

_CONNECT = 10.0  # seconds
_MESSAGE = 8192  # characters of what is kept of an answer


class Answer(Struct, frozen=True):
    """Status, headers and body as they came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Form(Struct, rename="camel"):
    request_id: str
    timestamp: int
    error_message: str = ""


_form = msgspec.json.Decoder(_Form)


class Poster:
    """Posts, and follows no redirect. Its messages hold neither the request nor the address."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=min(timeout, _CONNECT), read=timeout)
        )

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Refused:
        """The answer, or why there was none."""
        end = monotonic() + self._timeout
        try:
            response = self._pool.request(
                "POST",
                url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            return self._read(response, end)
        except SSLError as error:
            return Refused("HttpEndpoint.SSLHandshakeFailure", str(error.args[0]) if error.args else "")
        except ReadTimeoutError:
            return self._late()
        except (ProtocolError, OSError) as error:
            return Refused("HttpEndpoint.ConnectionReset", _reason(error))
        except HTTPError as error:
            return Refused("HttpEndpoint.ConnectionFailed", _reason(error))

    def _read(self, response: urllib3.BaseHTTPResponse, end: float) -> Answer | Refused:
        content = bytearray()
        while block := response.read1(1 << 16):
            content += block
            if len(content) > LARGEST:
                response.close()
                return Refused("HttpEndpoint.ResponseTooLarge", f"the response is above {LARGEST} bytes")
            if monotonic() > end:
                response.close()
                return self._late()
        response.release_conn()
        return Answer(response.status, response.headers, bytes(content))

    def _late(self) -> Refused:
        return Refused("HttpEndpoint.RequestTimeout", f"no complete response within {self._timeout:g} s")


def _reason(error: Exception) -> str:
    """The kinds of an error and of what caused it; their texts may hold the address."""
    causes = [error, *(part for part in error.args if isinstance(part, Exception))]
    return ": ".join(type(cause).__name__ for cause in causes)


def judge(answer: Answer, identifier: str) -> Refused | None:
    """None when the endpoint has taken the request of this id."""
    if answer.status != 200:
        text = answer.body[:_MESSAGE].decode(errors="replace")
        message = f"{answer.status}: {text}"
        return Refused("HttpEndpoint.DestinationException", message, final=answer.status == 413)
    fault = _fault(answer, identifier)
    return Refused("HttpEndpoint.InvalidResponseFromDestination", fault) if fault else None


def _fault(answer: Answer, identifier: str) -> str:
    """What is wrong with a 200, empty when nothing is."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return "the response's Content-Type is not application/json"
    if "Content-Encoding" in answer.headers:
        return "the response has a Content-Encoding"
    if "Content-Length" not in answer.headers:
        return "the response has no Content-Length"
    try:
        form = _form.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return f"the response is not of the form that it must have: {error}"
    if form.request_id != identifier:
        return "the response's requestId is not that of the request"
    if len(form.error_message) > _MESSAGE:
        return f"the response's errorMessage is above {_MESSAGE} characters"
    return ""
