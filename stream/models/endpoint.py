"""A model behind an endpoint: rows in requests, several at a time, tried again where that may help."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import urllib3
from msgspec import Struct

from monitors.shap.kernel import Array
from schemas.errors import ModelFailed
from stream.models import payloads
from stream.models.budget import Budget

MEGABYTES = 6  # that SageMaker takes in one request
_TRANSIENT = (408, 424, 429, 500, 502, 503, 504)
_LONGEST = 200  # characters of an answer that are repeated

Invoke = Callable[[bytes, float], bytes]
"""Sends a body, waits for so many seconds at most, and gives the answer's body. Raises Refused."""


class Refused(ModelFailed):
    """The endpoint did not answer the request; `transient` where it may the next time."""

    def __init__(self, message: str, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class Form(Struct, frozen=True):
    """How an endpoint is spoken to: content types, whether JSON rows carry names, which outputs are meant."""

    content: str = payloads.CSV
    accept: str = payloads.CSV
    named: bool = False
    outputs: tuple[str | int, ...] | None = None


class Endpoint:
    """Asks in requests of `most / concurrency` rows, of which `concurrency` are under way at once; each waits
    `timeout` seconds and is sent up to 1 + `retries` times, all under `budget`. After one that failed to the
    end each is sent once, until an answer comes: an endpoint that is gone costs a window one timeout."""

    def __init__(
        self,
        invoke: Invoke,
        form: Form,
        budget: Budget,
        batch: int = 1_000,
        concurrency: int = 4,
        timeout: float = 10.0,
        retries: int = 2,
        pauses: Sequence[float] = (0.2, 1.0, 3.0),
    ) -> None:
        self._invoke, self._form, self._budget = invoke, form, budget
        self._batch, self._timeout, self._retries, self._pauses = batch, timeout, retries, pauses
        self._failing = False
        self._write = payloads.writer(form.content, form.named)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="explain")
        self.most = batch * concurrency

    def predict(self, rows: pa.Table) -> Array:
        """Outputs of `rows`, shape (rows, outputs). Raises ModelFailed; then no request is under way."""
        parts = [rows.slice(at, self._batch) for at in range(0, rows.num_rows, self._batch)]
        waiting = [self._pool.submit(self._ask, part) for part in parts]
        failed: ModelFailed | None = None
        for future in waiting:
            error = future.exception()
            if error is not None and failed is None:
                self._budget.stopped.set()  # those that have not begun need not
                failed = error if isinstance(error, ModelFailed) else ModelFailed(str(error))
        if failed:
            raise failed
        found = [future.result() for future in waiting]
        if len({part.shape[1] for part in found}) > 1:
            raise ModelFailed("the model answered with different numbers of outputs")
        return np.concatenate(found)

    def _ask(self, rows: pa.Table) -> Array:
        body = self._write(rows)
        tries = 1 if self._failing else self._retries + 1
        for attempt in range(tries):
            self._budget.take()
            try:
                answer = self._invoke(body, max(0.05, min(self._timeout, self._budget.left)))
            except Refused as error:
                if not error.transient or attempt == tries - 1:
                    self._failing = True
                    raise
                pause = self._pauses[min(attempt, len(self._pauses) - 1)]
                self._budget.stopped.wait(min(pause, self._budget.left))
            else:
                self._failing = False
                return payloads.read(answer, self._form.accept, rows.num_rows, self._form.outputs)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown()


def http(url: str, form: Form, concurrency: int) -> Invoke:
    """Over HTTP: POST with SageMaker's content types; any 200 counts."""
    pool = urllib3.PoolManager(maxsize=concurrency, retries=False)
    headers = {"Content-Type": form.content, "Accept": form.accept}

    def invoke(body: bytes, seconds: float) -> bytes:
        try:
            answer = pool.request(
                "POST",
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=seconds),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Refused(_why(error, seconds), True) from error
        if answer.status != 200:
            said = answer.data[:_LONGEST].decode("utf-8", "replace").strip()
            raise Refused(f"the model answered {answer.status}: {said}", answer.status in _TRANSIENT)
        return answer.data

    return invoke


def _why(error: Exception, seconds: float) -> str:
    refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
        return f"the model did not answer within {seconds:.3g} s"
    return f"the model cannot be reached: {type(error).__name__}"


def sagemaker(name: str, form: Form, variant: str | None = None) -> Invoke:
    """A SageMaker endpoint by its name, with the credentials and region that boto3 finds."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    clients: dict[float, object] = {}

    def invoke(body: bytes, seconds: float) -> bytes:
        whole = float(max(1, round(seconds)))
        if whole not in clients:
            config = Config(read_timeout=whole, connect_timeout=whole, retries={"total_max_attempts": 1})
            clients[whole] = boto3.client("sagemaker-runtime", config=config)
        more = {"TargetVariant": variant} if variant else {}
        client: object = clients[whole]
        try:
            answer = client.invoke_endpoint(  # type: ignore[attr-defined]
                EndpointName=name, Body=body, ContentType=form.content, Accept=form.accept, **more
            )
            raw: bytes = answer["Body"].read()
            return raw
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise Refused(f"SageMaker: {error}", status in _TRANSIENT) from error
        except BotoCoreError as error:
            raise Refused(f"SageMaker: {error}", True) from error

    return invoke
