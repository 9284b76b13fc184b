"""Reports to OpenSearch: alerts that open and resolve, series of numbers, and the reports themselves.

Writing is safe to repeat, and reports may come in any order: a document's id is made of what it is about,
and its version of the revision; the cluster takes none below what it has (`external_gte`). Of each report:

1. Its own document goes first. Where the cluster has a newer one, the report is out of date, and nothing
   else of it is written.
2. Its alerts, as open, and its points.
3. What an earlier revision said and the newest does not is searched for: those alerts are stored again as
   resolved, those points deleted; but points of documents stay where a report does not carry documents.
   Which revision is the newest is asked after 2: where two processes write two revisions at the same time,
   the one that ends last clears up, whichever it is.

After a crash between the steps the report is written again, as is all that a caller has not seen stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.errors import SinkBusy
from schemas.report import Report
from sinks.cluster import Ask
from sinks.refused import Refused
from sinks.search_documents import (
    ALWAYS,
    OPEN,
    Document,
    parts,
    report_document,
    report_id,
    resolved,
    says_all,
)
from sinks.search_setup import prepare
from sinks.search_writes import LARGEST_BODY, Writes

_PAGE = 1_000  # documents of earlier revisions that are looked at together


class SearchReports:
    """Stores reports in indices whose names begin with `prefix`.

    Not for OpenSearch Serverless, which knows no versions from outside and no refresh.
    """

    def __init__(
        self, ask: Ask, prefix: str, *, shards: int = 1, replicas: int = 0, largest_body: int = LARGEST_BODY
    ) -> None:
        self._ask, self._prefix = ask, prefix
        self._shards, self._replicas = shards, replicas
        self._writes = Writes(ask, prefix, largest_body)

    @property
    def stored(self) -> int:
        """Documents that the cluster took, again ones too."""
        return self._writes.stored

    @property
    def rejected(self) -> int:
        """Documents that the cluster never takes; they are in `<prefix>-rejected`."""
        return self._writes.rejected

    @property
    def retries(self) -> int:
        """Documents that were to be tried again."""
        return self._writes.retries

    def prepare(self) -> None:
        """Put templates and make missing indices; safe to repeat. Raises SinkBusy and ConfigError."""
        prepare(self._ask, self._prefix, self._shards, self._replicas)

    def write(self, reports: Sequence[Report]) -> None:
        """Store reports: when it returns, the cluster has every document or has refused it for good.

        Each is attempted once. Raises SinkBusy when some may be stored later: write the same reports again.
        """
        newest = {report_id(report): report for report in sorted(reports, key=lambda report: report.revision)}
        own = self._writes.put([report_document(report) for report in newest.values()])
        current = {name: report for name, report in newest.items() if name not in own.newer | own.busy.keys()}
        rest = self._writes.put(part for report in current.values() for part in parts(report))
        busy = own.busy | rest.busy | self._clear(current)
        if busy:
            raise SinkBusy(f"OpenSearch: {len(busy)} documents not stored: {next(iter(busy.values()))}")

    def _clear(self, current: Mapping[str, Report]) -> dict[str, str]:
        """Take back what earlier revisions said and the newest does not; gives what could not be."""
        revised = {name: revision for name, revision in self._revisions(current).items() if revision}
        busy: dict[str, str] = {}
        if revised:
            self._refresh()  # a search knows only what was there at the last one
        for name, revision in revised.items():
            while self._clear_page(name, revision, says_all(current[name]), busy):
                self._refresh()
        return busy

    def _clear_page(self, report: str, revision: int, whole: bool, busy: dict[str, str]) -> bool:
        """Whether there may be more, and it is of use to go on."""
        before = self.stored
        alerts, points = [*self._open_alerts(report, revision)], [*self._points(report, revision, whole)]
        busy |= self._writes.put(alerts).busy | self._writes.delete(points).busy
        return _PAGE in (len(alerts), len(points)) and self.stored > before

    def _revisions(self, current: Mapping[str, Report]) -> dict[str, int]:
        """The newest revision of each report."""
        if not current:
            return {}
        found = self._asked(f"{self._prefix}-reports/_mget?_source=false", {"ids": [*current]})["docs"]
        known = {each["_id"]: each["_version"] - 1 for each in found if each.get("found")}
        return {name: max(known.get(name, 0), report.revision) for name, report in current.items()}

    def _open_alerts(self, report: str, newest: int) -> Iterator[Document]:
        hits = self._search("alerts", report, newest, {"term": {"status": OPEN}}, source=True)
        return (resolved(hit["_id"], hit["_source"], newest) for hit in hits)

    def _points(self, report: str, newest: int, whole: bool) -> Iterator[Document]:
        told: tuple[dict[str, Any], ...] = () if whole else ({"terms": {"metric": ALWAYS}},)
        hits = self._search("metrics", report, newest, *told, source=False)
        return (Document("metrics", hit["_id"], newest + 1, {}) for hit in hits)

    def _search(
        self, kind: str, report: str, below: int, *more: dict[str, Any], source: bool
    ) -> list[dict[str, Any]]:
        """Documents of a report from before a revision."""
        filters = [{"term": {"report": report}}, {"range": {"revision": {"lt": below}}}, *more]
        body = {"size": _PAGE, "sort": ["_doc"], "_source": source, "query": {"bool": {"filter": filters}}}
        # Without this, shards that do not answer are only missing from the answer.
        path = f"{self._prefix}-{kind}/_search?allow_partial_search_results=false"
        hits: list[dict[str, Any]] = self._asked(path, body)["hits"]["hits"]
        return hits

    def _refresh(self) -> None:
        self._asked(f"{self._prefix}-alerts,{self._prefix}-metrics/_refresh")

    def _asked(self, path: str, body: object = None) -> Any:
        answer = self._ask("POST", f"/{path}", body)
        if isinstance(answer, Refused):
            raise SinkBusy(f"OpenSearch: {answer.message}")
        return answer
