"""An OpenSearch cluster in memory: versions from outside, strict mappings, and searches that see what was
there at the last refresh. Only what `SearchReports` asks of it."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from sinks.refused import Refused

DOWN = Refused("OpenSearch.ConnectionFailed", "connection refused")


class Killed(Exception):
    """The process that asked is no more."""


class FakeCluster:
    """`plan` says for each request in turn what goes wrong with it; after its end nothing does.

    `down` and `lost`: no answer, before or after the request was carried out. `killed` and `killed after`:
    the one who asked is gone. `busy`: every second document is refused for now. A function is called before
    the request.
    """

    def __init__(self, *plan: str | Callable[[], object] | None) -> None:
        self.plan: Iterator[Any] = iter(plan)
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.templates: dict[str, dict[str, Any]] = {}
        self.mappings: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, dict[str, tuple[int, dict[str, Any] | None]]] = {}
        self.largest = 1 << 30
        self._seen: dict[str, dict[str, tuple[int, dict[str, Any] | None]]] = {}

    def __call__(self, method: str, path: str, body: object = None) -> object:
        fault = next(self.plan, None)
        self.asked.append((method, path))
        if callable(fault):
            fault()
        if fault == "down":
            return DOWN
        if fault == "killed":
            raise Killed
        answer = self._answer(method, path, body, fault == "busy")
        if fault == "killed after":
            raise Killed
        return DOWN if fault == "lost" else answer

    def now(self, index: str) -> dict[str, dict[str, Any]]:
        """What documents the index has."""
        found = self.documents.get(index, {})
        return {name: source for name, (_, source) in found.items() if source is not None}

    def _answer(self, method: str, path: str, body: Any, busy: bool) -> object:
        path = path.partition("?")[0]
        if path == "/_bulk":
            self.bodies.append(body)
            return Refused("413", "too large") if len(body) > self.largest else self._bulk(body, busy)
        if match := re.fullmatch(r"/_index_template/(.+)", path):
            return self._template(method, match[1], body)
        if match := re.fullmatch(r"/([^/_]+)/_mget", path):
            return {"docs": [self._get(match[1], one) for one in body["ids"]]}
        if path.endswith("/_refresh"):
            for index in path.strip("/").removesuffix("/_refresh").split(","):
                self._seen[index] = dict(self.documents.get(index, {}))
            return {}
        if match := re.fullmatch(r"/([^/_]+)/_search", path):
            return self._search(match[1], body)
        if match := re.fullmatch(r"/([^/_]+)/_mapping", path):
            self.mappings[match[1]] = body
            return {}
        return self._make(method, path.strip("/"))

    def _template(self, method: str, name: str, body: Any) -> object:
        if method == "PUT":
            self.templates[name] = json.loads(json.dumps(body))
            return {"acknowledged": True}
        if name not in self.templates:
            return Refused("404", "no such template", final=True)
        return {"index_templates": [{"name": name, "index_template": self.templates[name]}]}

    def _make(self, method: str, index: str) -> object:
        if method == "PUT":
            if index in self.documents:
                return Refused("400", "resource_already_exists_exception")
            self.documents[index] = {}
        return {} if index in self.documents else Refused("404", "no such index")

    def _get(self, index: str, name: str) -> dict[str, Any]:
        version, source = self.documents.get(index, {}).get(name, (0, None))
        return {"_id": name, "found": source is not None, "_version": version}

    def _search(self, index: str, body: Any) -> object:
        assert body["query"]["bool"]["filter"]
        hits = [
            {"_id": name, "_source": source}
            for name, (_, source) in self._seen.get(index, {}).items()
            if source is not None and all(_holds(each, source) for each in body["query"]["bool"]["filter"])
        ]
        return {"hits": {"hits": hits[: body["size"]]}}

    def _bulk(self, body: bytes, busy: bool) -> object:
        rest = iter(body.decode().splitlines())
        items = []
        for place, line in enumerate(rest):
            ((operation, about),) = json.loads(line).items()
            source = None if operation == "delete" else json.loads(next(rest))
            status, error = (429, "busy") if busy and place % 2 else self._one(operation, about, source)
            items.append({operation: {"status": status} | ({"error": error} if error else {})})
        return {"items": items}

    def _one(self, operation: str, about: Any, source: Any) -> tuple[int, object]:
        index = self.documents.setdefault(about["_index"], {})
        version, old = index.get(about["_id"], (0, None))
        if operation == "create":
            if old is not None:
                return 409, {"type": "version_conflict_engine_exception"}
            about = {**about, "version": 1}
        elif about["version"] < version:
            return 409, {"type": "version_conflict_engine_exception"}
        strange = _strange(source or {}, self.mappings.get(about["_index"], {"properties": None}))
        if strange:
            return 400, {"type": "strict_dynamic_mapping_exception", "reason": strange}
        index[about["_id"]] = about["version"], source
        return (404, None) if operation == "delete" and old is None else (201, None)


def _holds(query: dict[str, Any], source: dict[str, Any]) -> bool:
    ((kind, about),) = query.items()
    ((field, value),) = about.items()
    if kind == "terms":
        return source[field] in value
    return source[field] < value["lt"] if kind == "range" else source[field] == value


def _strange(source: dict[str, Any], mapping: Any) -> str:
    """A field that the mapping does not have."""
    for name, value in source.items() if mapping["properties"] is not None else ():
        if name not in mapping["properties"]:
            return name
        if isinstance(value, dict) and (inner := _strange(value, mapping["properties"][name])):
            return inner
    return ""
