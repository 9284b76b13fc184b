"""From a request to its answer: who sent it, what is asked, and what became of it."""

import logging
import re
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from schemas.errors import ConfigError, SinkBusy
from schemas.times import milliseconds
from stream.ingest import requests, signature
from stream.ingest.addresses import is_loopback
from stream.ingest.control import Control, Deliverable
from stream.ingest.create import Terms
from stream.ingest.faults import Fault, unreadable
from stream.ingest.intake import Keeper
from stream.ingest.metrics import Metrics
from stream.ingest.model import TARGET, operations
from stream.ingest.puts import Puts
from stream.ingest.registry import Registry
from stream.ingest.signature import Key, Request, Signed
from stream.ingest.throttle import Bucket, Rates, Throttle
from stream.settings import FirehoseSettings

log = logging.getLogger(__name__)

_TYPES = ("application/x-amz-json-1.1", "application/x-amz-json-1.0", "application/json")
_PLAIN = re.compile(r"[\w.\-]{1,128}", re.ASCII)  # what may stand in a log line as it came
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_TIMED = {
    "DescribeDeliveryStream": "DescribeDeliveryStream",
    "ListDeliveryStreams": "ListDeliveryStreams",
    "UpdateDestination": "UpdateDeliveryStream",  # a metric's name does not always follow its operation
}


class Answer(Struct, frozen=True):
    """What a client gets."""

    status: int
    body: bytes


def refused(fault: Fault) -> Answer:
    """An error as an answer."""
    return Answer(fault.status, fault.body())


class Api:
    """Answers requests that arrive at `settings.host`. Raises ConfigError where anyone could reach it."""

    def __init__(
        self,
        settings: FirehoseSettings,
        keeper: Keeper,
        clock: Callable[[], int],
        metrics: Metrics,
        deliverable: Deliverable,
    ) -> None:
        if not settings.keys and not is_loopback(settings.host):
            raise ConfigError(f"firehose.host {settings.host} can be reached by others: set firehose.keys")
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._keys = _keys(settings)
        throttle = Throttle(_rates(settings))
        self.registry = Registry(keeper, clock, (throttle, metrics))
        self._puts = Puts(self.registry, keeper, throttle, metrics, clock, settings.accept_compressed)
        self._control = Control(self.registry, settings.quota.streams, deliverable)
        self._calls = Bucket(settings.quota.control_per_second, clock())

    async def answer(self, request: Request, address: str) -> Answer:
        """The answer to a request from `address`; errors are answers too."""
        operation = request.headers.get("x-amz-target", "").removeprefix(TARGET)
        signed = Signed()
        try:
            signed = self._sender(request)
            _check(request, operation)
            terms = self._terms(signed)
            if operation == "PutRecord":
                return Answer(200, await self._puts.record(request.body, terms.account))
            if operation == "PutRecordBatch":
                return Answer(200, await self._puts.batch(request.body, terms.account))
            return await self._control_call(operation, request, terms, signed, address)
        except Fault as fault:
            if not operation.startswith("PutRecord"):
                _audit(operation, "", signed, address, fault.name)
            return refused(fault)

    def _sender(self, request: Request) -> Signed:
        if not self._keys:
            return signature.claimed(request)
        return signature.verify(request, self._keys, self._clock())

    def _terms(self, signed: Signed) -> Terms:
        settings = self._settings
        claims = not self._keys and _ACCOUNT.fullmatch(signed.key)
        region = settings.region or (signed.region if _PLAIN.fullmatch(signed.region) else "us-east-1")
        return Terms(
            account=signed.key if claims else settings.account,
            region=region,
            now=self._clock(),
            delay=milliseconds(settings.creation_delay),
            allow_http=settings.allow_http,
        )

    async def _control_call(
        self, operation: str, request: Request, terms: Terms, signed: Signed, address: str
    ) -> Answer:
        began = time.perf_counter()
        if not self._calls.take(1, terms.now):
            raise Fault("ThrottlingException", "Rate exceeded")
        members = await requests.read(operation, request.body)
        stream = members.get("DeliveryStreamName", "")
        try:
            answer = Answer(200, msgspec.json.encode(await self._control.answer(operation, members, terms)))
            result = "ok"
        except Fault as fault:
            answer, result = refused(fault), fault.name
        except SinkBusy as error:
            result = "ServiceUnavailableException"
            answer = refused(Fault(result, f"Not stored: {error}."))
        _audit(operation, stream, signed, address, result)
        if (name := _TIMED.get(operation)) and (stream == "" or self.registry.find(stream)):
            spent = (time.perf_counter() - began) * 1_000
            self._metrics.add(stream, {f"{name}.Requests": 1, f"{name}.Latency": spent})
        return answer


def _check(request: Request, operation: str) -> None:
    if request.method != "POST" or request.target != "/":
        raise Fault("UnknownOperationException", "Requests are sent by POST to /.", 404)
    if not request.headers.get("x-amz-target", "").startswith(TARGET) or operation not in operations():
        raise Fault("UnknownOperationException", f"X-Amz-Target names no operation of {TARGET[:-1]}.")
    if request.headers.get("content-type", "").split(";")[0].strip().lower() not in _TYPES:
        raise unreadable(f"Content-Type must be {_TYPES[0]}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise unreadable("Requests are read without Content-Encoding.")


def _audit(operation: str, stream: str, signed: Signed, address: str, result: str) -> None:
    facts = {"operation": operation, "stream": stream, "key": signed.key, "address": address}
    shown = {name: fact if not fact or _PLAIN.fullmatch(fact) else "?" for name, fact in facts.items()}
    log.info("control call", extra={**shown, "address": address, "result": result})


def _keys(settings: FirehoseSettings) -> dict[str, Key]:
    return {
        key.access_key: Key(
            key.secret_key.get_secret_value(),
            key.session_token.get_secret_value() if key.session_token else None,
        )
        for key in settings.keys
    }


def _rates(settings: FirehoseSettings) -> Rates:
    quota = settings.quota
    return Rates(quota.records_per_second, quota.mebibytes_per_second * 2**20, quota.requests_per_second)
