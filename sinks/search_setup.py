"""Index templates and indices, put before the first document."""

from typing import Any

from schemas.errors import ConfigError, SinkBusy
from sinks.cluster import Ask
from sinks.refused import Refused
from sinks.search_templates import INDICES, VERSION, template


def prepare(ask: Ask, prefix: str, shards: int, replicas: int) -> None:
    """Put the templates, and make indices that are missing, so that dashboards find them; an index that
    there is gets the fields that it lacks, and is made strict.

    Doing it again changes nothing. What a newer version has put is left as it is: in a rolling update an
    older process may start after a newer one. Shards and replicas of an index are those of its first day.

    Raises SinkBusy when it may be done later, ConfigError when the cluster refuses or an index has a field of
    another type.
    """
    for kind in INDICES:
        _prepare(ask, f"{prefix}-{kind}", template(prefix, kind, shards, replicas))


def _prepare(ask: Ask, name: str, wanted: dict[str, Any]) -> None:
    if installed(ask, name) > VERSION:
        return
    _checked(ask("PUT", f"/_index_template/{name}", wanted))
    there = ask("GET", f"/{name}", None)
    if isinstance(there, Refused) and there.code == "404":
        there = ask("PUT", f"/{name}", None)
        if isinstance(there, Refused) and "resource_already_exists" in there.message:
            there = None  # another process was first
    _checked(there)
    _checked(ask("PUT", f"/{name}/_mapping", wanted["template"]["mappings"]))


def installed(ask: Ask, name: str) -> int:
    """The version of an index template, 0 where there is none. Raises SinkBusy and ConfigError."""
    found = ask("GET", f"/_index_template/{name}", None)
    if isinstance(found, Refused) and found.code == "404":
        return 0
    templates = _checked(found)["index_templates"]
    return max((int(each["index_template"].get("version") or 0) for each in templates), default=0)


def _checked(answer: object) -> Any:
    if isinstance(answer, Refused):
        kind = ConfigError if answer.code == "400" else SinkBusy
        raise kind(f"OpenSearch: {answer.message}")
    return answer
