"""Records to OpenSearch, as Firehose's OpenSearch destination delivers them.

Source: Data Firehose guide and API reference, OpenSearch Service destination. All retries together take no
longer than the retry duration, and only what failed is sent again. An id that stays makes a retry overwrite
its document, also after a restart.
"""

import logging
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.failed import Failed
from schemas.record_ids import document_ids
from schemas.records import Records
from schemas.splitting import split
from schemas.times import now as wall_clock
from sinks.bulk import document, lines, read
from sinks.cluster import Bulk, Cluster
from sinks.refused import Refused
from sinks.rotation import index_names

log = logging.getLogger(__name__)

LARGEST_BODY = 10 << 20  # bytes: what the smaller kinds of AWS's clusters take

_NO_OBJECT = Refused("400", "the record is not one JSON object in UTF-8", final=True)
_CONFLICT = "409"


class _Documents(Struct, frozen=True):
    """Of each record its lines, None where it is no document, its id and its index."""

    lines: list[bytes | None]
    ids: list[str]
    indexes: list[str]


class OpenSearchSink:
    """Stores the records of one delivery stream as documents.

    `identity` tells the stream from a later one of the same name. `attempts` and `successes` count requests
    from the start.
    """

    def __init__(
        self,
        cluster: Cluster,
        bulk: Bulk,
        identity: str,
        *,
        largest_body: int = LARGEST_BODY,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = wall_clock,
    ) -> None:
        self.attempts = self.successes = 0
        self._cluster, self._bulk, self._identity = cluster, bulk, identity
        self._largest = largest_body
        self._sleep, self._clock, self._now = sleep, clock, now

    def deliver(self, records: Records, raw: pa.BinaryArray | None = None) -> list[Failed]:
        """Store all records and give back those for the backup; `raw` is what was put, where a transform
        changed it.

        Returns when the cluster has the others or the retry duration is over. `sleep` may raise, to stop:
        nothing is to be committed then.
        """
        raw = records.data if raw is None else raw
        documents = self._documents(records)
        refused = {row: _NO_OBJECT for row, text in enumerate(documents.lines) if text is None}
        failed = self._failed(records, raw, documents, refused, 1)
        pending = [row for row in range(len(records)) if row not in refused]
        start, attempt = self._clock(), 0
        while pending:
            attempt += 1
            refused = self._attempt(documents, pending)
            left = self._cluster.retry - (self._clock() - start)
            final = {row: reason for row, reason in refused.items() if reason.final or left <= 0}
            failed += self._failed(records, raw, documents, final, attempt)
            pending = [row for row in refused if row not in final]
            if pending:
                wait = min(self._cluster.cadence, left)
                log.warning(
                    "documents not stored, trying again", extra={"documents": len(pending), "seconds": wait}
                )
                self._sleep(wait)
        return failed

    def _documents(self, records: Records) -> _Documents:
        cluster = self._cluster
        numbers = document_ids(self._identity, records.sequence)
        ids = numbers if cluster.ids else [""] * len(records)
        indexes = index_names(cluster.index, records.arrived, cluster.rotation, cluster.us_weeks)
        texts = map(document, records.data.to_pylist())
        each = zip(indexes, ids, texts, strict=True)
        made = [
            None if text is None else lines(cluster.operation, index, cluster.kind, identifier, text)
            for index, identifier, text in each
        ]
        return _Documents(made, ids, indexes)

    def _attempt(self, documents: _Documents, pending: list[int]) -> dict[int, Refused]:
        """Send the lines of these rows; why each of them was refused that was, in order."""
        texts = [documents.lines[row] or b"" for row in pending]
        sizes: NDArray[np.int64] = np.array([len(text) for text in texts], np.int64)
        refused: dict[int, Refused] = {}
        for run in split((sizes, self._largest)):
            results = self._send(b"".join(texts[run]), run.stop - run.start)
            refused |= {
                row: reason for row, reason in zip(pending[run], results, strict=True) if reason is not None
            }
        return refused

    def _send(self, body: bytes, count: int) -> list[Refused | None]:
        self.attempts += 1
        answer = self._bulk(body)
        if isinstance(answer, Refused):
            return [answer] * count
        try:
            results = [None if self._is_stored(reason) else reason for reason in read(answer, count)]
        except ValueError as error:
            return [Refused("OpenSearch.InvalidResponse", str(error))] * count
        self.successes += 1
        return results

    def _is_stored(self, reason: Refused | None) -> bool:
        """Whether a document is there, be it from an attempt whose answer was lost: none else has its id."""
        if reason is None:
            return True
        return self._cluster.operation == "create" and self._cluster.ids and reason.code == _CONFLICT

    def _failed(
        self,
        records: Records,
        raw: pa.BinaryArray,
        documents: _Documents,
        refused: dict[int, Refused],
        attempts: int,
    ) -> list[Failed]:
        ended = self._now()
        prefix = "os" if self._cluster.serverless else "es"
        return [
            Failed(
                "AmazonOpenSearchService-failed",
                raw[row].as_py(),
                int(records.arrived[row]),
                int(records.sequence[row]),
                reason.code,
                reason.message,
                attempts,
                ended,
                {f"{prefix}DocumentId": documents.ids[row], f"{prefix}IndexName": documents.indexes[row]}
                | ({} if self._cluster.serverless else {"esTypeName": self._cluster.kind}),
            )
            for row, reason in refused.items()
        ]
