"""Records to an HTTP endpoint, as Firehose's HTTP destination delivers them.

Source: Data Firehose guide, appendix on HTTP endpoint delivery request and response specifications.
"""

import gzip
import logging
import random
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from schemas.failed import Failed
from schemas.record_ids import document_ids
from schemas.records import Records
from schemas.times import now as wall_clock
from sinks.http_answer import TIMEOUT, Poster, judge
from sinks.http_request import Endpoint, body, fits, headers, request_id, requests
from sinks.refused import Refused

log = logging.getLogger(__name__)

_LONGEST_WAIT = 120.0  # seconds


class HttpEndpoint:
    """Posts the records of one delivery stream.

    `endpoint` may be replaced at any time: the next attempt goes there. `identity` tells the stream from a
    later one of the same name. `attempts`, `successes` and `lost` (records, by 413) count from the start.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        arn: str,
        identity: str,
        *,
        keep_413: bool = False,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], int] = wall_clock,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.endpoint = endpoint
        self.attempts = self.successes = self.lost = 0
        self._arn, self._identity = arn, identity
        self._keep_413 = keep_413
        self._poster = Poster(timeout)
        self._sleep, self._now, self._uniform = sleep, now, uniform

    def deliver(self, records: Records, raw: pa.BinaryArray | None = None) -> list[Failed]:
        """Post all records, in order, and give back those for the backup; `raw` is what was put, where a
        transform changed it.

        Returns when the endpoint has the others or the retry duration is over. The same records are posted
        under the same request ids, however often they are delivered. `sleep` may raise, to stop: nothing is
        to be committed then.
        """
        raw = records.data if raw is None else raw
        short = fits(records)
        failed: list[Failed] = []
        if not short.all():
            too_long = Refused("HttpEndpoint.RecordTooLarge", "a request holds no record this long")
            failed = self._failed(records, raw, np.flatnonzero(~short), too_long, 1)
            rows = np.flatnonzero(short)
            records, raw = records.take(rows), raw.take(pa.array(rows))
        for run in requests(records):
            failed += self._post(records.take(np.arange(run.start, run.stop)), raw[run])
        return failed

    def _post(self, records: Records, raw: pa.BinaryArray) -> list[Failed]:
        identifier = request_id(self._identity, records)
        content = body(identifier, self._now(), records)
        attempt, waited = 0, 0.0
        while True:
            attempt += 1
            endpoint = self.endpoint
            refused = self._attempt(endpoint, identifier, content)
            if refused is None:
                return []
            wait = backoff(attempt, self._uniform)
            # The time that responses take does not count: at least one attempt is made, and none cut short.
            if refused.final or waited + wait > endpoint.retry:
                return self._given_up(records, raw, refused, attempt)
            log.warning("request not taken, trying again", extra={"code": refused.code, "seconds": wait})
            self._sleep(wait)
            waited += wait

    def _attempt(self, endpoint: Endpoint, identifier: str, content: bytes) -> Refused | None:
        packed = gzip.compress(content, 6, mtime=0) if endpoint.gzip else content
        answer = self._poster.post(endpoint.url, headers(endpoint, self._arn, identifier), packed)
        refused = answer if isinstance(answer, Refused) else judge(answer, identifier)
        self.attempts += 1
        self.successes += refused is None
        return refused

    def _given_up(
        self, records: Records, raw: pa.BinaryArray, refused: Refused, attempts: int
    ) -> list[Failed]:
        facts = {"code": refused.code, "attempts": attempts, "records": len(records)}
        if refused.final and not self._keep_413:
            self.lost += len(records)
            log.error("records lost: the endpoint answered 413", extra=facts)
            return []
        log.warning("records go to the backup", extra=facts)
        return self._failed(records, raw, np.arange(len(records)), refused, attempts)

    def _failed(
        self, records: Records, raw: pa.BinaryArray, rows: np.ndarray, refused: Refused, attempts: int
    ) -> list[Failed]:
        ended, ids = self._now(), document_ids(self._identity, records.sequence)
        key = self.endpoint.access_key  # an endpoint may repeat in its answer what it was sent
        message = refused.message.replace(key, "...") if key else refused.message
        return [
            Failed(
                "http-endpoint-failed",
                raw[row].as_py(),
                int(records.arrived[row]),
                int(records.sequence[row]),
                refused.code,
                message,
                attempts,
                ended,
                {"subsequenceNumber": int(ids[row].rpartition(".")[2]), "dataId": ids[row]},
            )
            for row in rows.tolist()
        ]


def backoff(retry: int, uniform: Callable[[float, float], float]) -> float:
    """Seconds before the n-th retry: 2, 4, 8 ... 120, give or take 15%.

    The guide's formula has MAX where its text, and good sense, have a cap of two minutes.

    >>> [backoff(n, lambda low, high: 1.0) for n in (1, 2, 6, 7, 5000)]
    [2.0, 4.0, 64.0, 120.0, 120.0]
    """
    return min(_LONGEST_WAIT, 2.0 ** min(retry, 10)) * uniform(0.85, 1.15)
