"""Documents into OpenSearch by their versions: each answer is read, and what is refused for good is kept."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct

from schemas.errors import SinkBusy
from schemas.splitting import split
from sinks.bulk import lines, read
from sinks.cluster import Ask
from sinks.refused import Refused
from sinks.search_documents import Document

log = logging.getLogger(__name__)

LARGEST_BODY = 5 << 20  # bytes of a bulk request: OpenSearch advises 5 to 15 MB

_CONFLICT, _NOT_FOUND, _TOO_LARGE = "409", "404", "413"
# Errors that somebody can put right without touching the document: keys, a missing index, one closed for
# writing.
_MENDABLE = ("401", "403", _NOT_FOUND, "408")


class Left(Struct, frozen=True):
    """Documents that were not taken: the cluster has `newer` ones, or is `busy`, and why. By their ids."""

    newer: set[str] = set()
    busy: dict[str, str] = {}


class _Action(Struct, frozen=True):
    """What is done to a document; a delete has no text."""

    operation: Literal["index", "create", "delete"]
    index: str
    document: Document
    text: bytes | None

    def lines(self) -> bytes:
        version = None if self.operation == "create" else self.document.version
        return lines(self.operation, self.index, "", self.document.id, self.text, version)


class Writes:
    """Writes documents into indices whose names begin with `prefix`, each attempted once.

    `stored` counts what the cluster took, again ones too; `rejected` what it never will, each once however
    often it is tried; `retries` what was to be tried again. Deletes are counted like the others.
    """

    def __init__(self, ask: Ask, prefix: str, largest_body: int = LARGEST_BODY) -> None:
        self.stored = self.rejected = self.retries = 0
        self._ask, self._prefix, self._largest = ask, prefix, largest_body

    def put(self, documents: Iterable[Document]) -> Left:
        """Store documents where the cluster has none of a higher version. Raises SinkBusy when the cluster
        does not take the whole request."""
        return self._carry_out(
            [_Action("index", self._index(each), each, msgspec.json.encode(each.body)) for each in documents]
        )

    def delete(self, documents: Iterable[Document]) -> Left:
        """Delete documents where the cluster has none of a higher version. Raises SinkBusy as `put` does."""
        return self._carry_out([_Action("delete", self._index(each), each, None) for each in documents])

    def _index(self, document: Document) -> str:
        return f"{self._prefix}-{document.kind}"

    def _carry_out(self, actions: list[_Action]) -> Left:
        left = Left(set(), {})
        rejected = []
        for action, refused in self._sent(actions):
            identifier = action.document.id
            if refused is None:
                self.stored += 1
            elif refused.code == _CONFLICT:
                left.newer.add(identifier)
            elif action.operation == "delete" and refused.code == _NOT_FOUND:
                pass  # somebody else has deleted it
            elif _is_final(refused):
                rejected.append(self._rejection(action, refused))
            else:
                left.busy[identifier] = refused.message
        left.busy.update(self._keep(rejected))
        self.retries += len(left.busy)
        return left

    def _keep(self, rejected: list[_Action]) -> dict[str, str]:
        """Keep documents that are refused for good; gives those for which there is no room now. A `create`
        tells the first time, which is counted, from others."""
        busy = {}
        for action, refused in self._sent(rejected):
            if refused is None:
                self.rejected += 1
            elif refused.code == _CONFLICT:
                continue
            elif _is_final(refused):
                self.rejected += 1
                facts = {"document": action.document.body["id"], "reason": refused.message}
                log.error("a rejected document is not kept either", extra=facts)
            else:
                busy[action.document.id] = refused.message
        return busy

    def _rejection(self, action: _Action, refused: Refused) -> _Action:
        document, text = action.document, (action.text or b"").decode()
        body = {
            "@timestamp": document.body["@timestamp"],  # of its window: the same when it is rejected again
            "index": action.index,
            "id": document.id,
            "status": refused.code,
            "reason": refused.message,
            "document": text,
        }
        about = msgspec.json.encode((action.index, document.id, document.version, text))
        kept = Document("rejected", hashlib.sha256(about).hexdigest()[:32], document.version, body)
        return _Action("create", self._index(kept), kept, msgspec.json.encode(body))

    def _sent(self, actions: Sequence[_Action]) -> Iterator[tuple[_Action, Refused | None]]:
        """Each action and what the cluster says of it, in requests of limited size. Raises SinkBusy."""
        texts = [action.lines() for action in actions]
        for run in split((np.array([len(text) for text in texts], np.int64), self._largest)):
            yield from zip(actions[run], self._answers(texts[run]), strict=True)

    def _answers(self, texts: Sequence[bytes]) -> list[Refused | None]:
        """What the cluster says of each; a request that is too large for it, or for a proxy, is halved."""
        answer = self._ask("POST", "/_bulk", b"".join(texts))
        if isinstance(answer, Refused) and answer.code == _TOO_LARGE:
            if len(texts) == 1:
                return [Refused(_TOO_LARGE, answer.message, final=True)]
            half = len(texts) // 2
            return self._answers(texts[:half]) + self._answers(texts[half:])
        try:
            if isinstance(answer, Refused):
                raise ValueError(answer.message)
            return read(answer, len(texts))
        except ValueError as error:
            self.retries += len(texts)
            raise SinkBusy(f"OpenSearch: {error}") from error


def _is_final(refused: Refused) -> bool:
    return refused.final and refused.code not in _MENDABLE
