"""Where a Lambda function is: a Python function in this process, or an HTTP address that takes Invoke calls.

    functions/enrich.py:handler     a file and a function(event, context) in it
    package.module:handler          the same in a module that can be imported
    http://127.0.0.1:9000/2015-03-31/functions/function/invocations

Sources: Lambda developer guide, Python handlers and their context; Lambda API reference, Invoke; the runtime
interface emulator, which tells of an error in a 200 answer.
"""

import importlib
import importlib.util
import json
import threading
import traceback
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

import msgspec
import urllib3

from schemas.errors import ConfigError, InvokeFailed
from stream.transforms.lambda_ import Invoke
from stream.transforms.lambda_event import LIMIT

TIMEOUT = 300.0  # seconds; the longest that Firehose waits for a function

Handler = Callable[[Any, Any], Any]

_CODES = {
    401: "InvokeAccessDenied",
    403: "InvokeAccessDenied",
    404: "ResourceNotFound",
    429: "InvokeLimitExceeded",
}


def target(arn: str, targets: Mapping[str, str]) -> str:
    """Where the function of `arn` is: `targets` name it by ARN, with or without version, or by its name.

    Raises ConfigError.

    >>> target("arn:aws:lambda:us-east-1:000000000000:function:enrich:$LATEST", {"enrich": "it.py:handler"})
    'it.py:handler'
    """
    parts = arn.split(":")
    name = parts[6] if len(parts) > 6 else arn
    for key in (arn, ":".join(parts[:7]), name):
        if key in targets:
            return targets[key]
    raise ConfigError(f"no target is configured for the function {arn}")


def invoker(place: str, arn: str = "", timeout: float = TIMEOUT) -> Invoke:
    """A way to call the function at `place`, see above. Raises ConfigError when it cannot be loaded."""
    if place.startswith(("http://", "https://")):
        return _Remote(place, timeout)
    return _Local(load(place), arn or place, timeout)


def load(place: str) -> Handler:
    """The Python function that `FILE.py:function` or `module:function` names. Raises ConfigError."""
    module_name, _, name = place.rpartition(":")
    if not module_name:
        raise ConfigError(f"{place!r}: write FILE.py:function, module:function or an http:// address")
    try:
        module = _module(module_name)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{place}: {described(error)}") from error
    found = getattr(module, name, None)
    if not callable(found):
        raise ConfigError(f"{module_name} has no function {name}")
    return found  # type: ignore[no-any-return]


def _module(name: str) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name).resolve()
    spec = importlib.util.spec_from_file_location(f"function_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # it ends with .py
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def described(error: BaseException) -> str:
    """An exception with the file and line that raised it.

    >>> described(SyntaxError("invalid syntax", ("enrich.py", 3, 1, "x =")))
    'SyntaxError: invalid syntax (enrich.py, line 3)'
    """
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}: {error} ({frames[-1].filename}, line {frames[-1].lineno})"


class Context:
    """What a handler learns of its call, as far as it has a meaning here."""

    memory_limit_in_mb = "0"
    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, arn: str, timeout: float) -> None:
        self.invoked_function_arn = arn
        self.function_name = arn.split(":")[6] if arn.count(":") > 5 else arn
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = ""
        self.aws_request_id = str(uuid.uuid4())
        self._end = monotonic() + timeout

    def get_remaining_time_in_millis(self) -> int:
        return max(int((self._end - monotonic()) * 1000), 0)


class _Local:
    """Calls a handler, one event at a time, as one environment of Lambda does.

    A call that takes too long is given up, but Python cannot end it: it goes on beside the next.
    """

    def __init__(self, handler: Handler, arn: str, timeout: float) -> None:
        self._handler, self._arn, self._timeout = handler, arn, timeout
        self._one = threading.Lock()

    def __call__(self, request: bytes) -> bytes:
        outcome: list[bytes | BaseException] = []
        with self._one:
            call = threading.Thread(target=self._run, args=(request, outcome), daemon=True)
            call.start()
            call.join(self._timeout)
        if not outcome:
            raise InvokeFailed("Lambda.FunctionTimedOut", f"no answer within {self._timeout:g} s")
        if isinstance(outcome[0], BaseException):
            raise InvokeFailed("Lambda.FunctionError", described(outcome[0])) from outcome[0]
        return outcome[0]

    def _run(self, request: bytes, outcome: list[bytes | BaseException]) -> None:
        try:
            answer = self._handler(msgspec.json.decode(request), Context(self._arn, self._timeout))
            outcome.append(json.dumps(answer).encode())
        except (Exception, SystemExit) as error:
            outcome.append(error)


class _Remote:
    """Posts events to an address that takes Lambda's Invoke."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._seconds = url, timeout
        self._timeout = urllib3.Timeout(connect=min(timeout, 10.0), read=timeout)
        self._pool = urllib3.PoolManager(maxsize=8, retries=False)

    def __call__(self, request: bytes) -> bytes:
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                body=request,
                headers={"Content-Type": "application/json"},
                timeout=self._timeout,
                redirect=False,
                preload_content=False,
            )
            body = answer.read(LIMIT + 1)
            answer.release_conn() if len(body) <= LIMIT else answer.close()
        except urllib3.exceptions.ReadTimeoutError as error:
            raise InvokeFailed("Lambda.FunctionTimedOut", f"no answer within {self._seconds:g} s") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise InvokeFailed("Lambda.FunctionError", f"{self._url}: {type(error).__name__}") from error
        _refuse_errors(answer.status, "X-Amz-Function-Error" in answer.headers, body)
        return body


def _refuse_errors(status: int, marked: bool, body: bytes) -> None:
    """Raise InvokeFailed when an answer tells of an error, be it by status, by header or in its body."""
    text = body[:1000].decode(errors="replace")
    if status != 200:
        raise InvokeFailed(f"Lambda.{_CODES.get(status, 'FunctionError')}", f"{status}: {text}")
    if marked or _is_error(body):
        late = "Task timed out" in text
        raise InvokeFailed(f"Lambda.{'FunctionTimedOut' if late else 'FunctionError'}", text)


def _is_error(body: bytes) -> bool:
    """Whether the emulator answers with an exception: an object of its type and message, or a plain text."""
    if body.startswith(b"Task timed out"):
        return True
    if not body.lstrip().startswith(b"{") or b'"errorMessage"' not in body[:1000]:
        return False
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return "errorMessage" in answer and "records" not in answer
