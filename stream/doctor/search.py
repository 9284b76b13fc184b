"""The search cluster: does it answer, is it known, are the indices of reports strict, do the clocks agree."""

from collections.abc import Iterator
from typing import Any

from schemas.errors import ConfigError
from schemas.times import now
from sinks.cluster import Ask
from sinks.refused import Refused
from sinks.search_templates import INDICES, VERSION, mapping
from stream.doctor.finding import PATIENCE, Finding, within
from stream.search import cluster
from stream.settings import Settings

OLDEST = 2  # major version of OpenSearch that this is known to work with
SKEW = 30_000  # milliseconds

_AT_START = "a worker puts it when it starts"


class _NoAnswer(Exception):
    """The cluster did not answer as it should."""


def check_search(settings: Settings) -> Iterator[Finding]:
    """The cluster that alerts and metrics go to."""
    if settings.opensearch is None:
        yield Finding("ok", "OpenSearch", "not looked at: there is no table [opensearch]")
        return
    try:
        ask = cluster(settings.opensearch, timeout=PATIENCE)
        yield from examine(ask, settings.opensearch.url, settings.opensearch.prefix)
    except ConfigError as error:
        yield Finding("fail", "OpenSearch", str(error))


def examine(ask: Ask, url: str, prefix: str) -> Iterator[Finding]:
    """What is to be said of the cluster that `ask` reaches."""
    try:
        yield _version(_answer(ask, "/"), url)
        for kind in INDICES:
            yield _template(ask, f"{prefix}-{kind}")
            yield from _index(ask, f"{prefix}-{kind}", _types(mapping(INDICES[kind])))
        yield from _clock(ask)
    except _NoAnswer as error:
        hint = "is it running there, and do opensearch.url, user, password, region, ca fit it?"
        yield Finding("fail", "OpenSearch", f"{url}: {error}; {hint}")


def _answer(ask: Ask, path: str) -> Any:
    """None where there is no such thing. Raises _NoAnswer."""
    try:
        answer = within(lambda: ask("GET", path, None))
    except TimeoutError as error:
        raise _NoAnswer(str(error)) from error
    if isinstance(answer, Refused):
        if answer.code == "404":
            return None
        raise _NoAnswer(answer.message)
    return answer


def _version(about: Any, url: str) -> Finding:
    version = about.get("version") if isinstance(about, dict) else None
    if not isinstance(version, dict) or version.get("distribution") != "opensearch":
        return Finding("fail", "OpenSearch", f"{url}: something else answers there; set opensearch.url")
    number = str(version.get("number"))
    major = number.partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST:
        return Finding("warn", "OpenSearch", f"{url}: version {number}; tried with {OLDEST} and newer")
    return Finding("ok", "OpenSearch", f"{url}: version {number}")


def _template(ask: Ask, name: str) -> Finding:
    what = f"index template {name}"
    found = (_answer(ask, f"/_index_template/{name}") or {}).get("index_templates") or []
    if not found:
        return Finding("warn", what, f"is missing; {_AT_START}")
    template = found[0]["index_template"]
    version = template.get("version") or 0
    if template.get("template", {}).get("mappings", {}).get("dynamic") != "strict":
        return Finding("fail", what, f"is not strict; delete it, {_AT_START}")
    if version != VERSION:
        age = "newer" if version > VERSION else "older"
        return Finding(
            "warn", what, f"is of {age} version {version}, not {VERSION}; {_AT_START} if it is older"
        )
    return Finding("ok", what, f"strict, version {version}")


def _index(ask: Ask, name: str, wanted: dict[str, str]) -> Iterator[Finding]:
    """Nothing of an index that is not there yet: it is made with the template."""
    found = _answer(ask, f"/{name}/_mapping")
    for index, about in (found or {}).items():
        what, types = f"index {index}", _types(about["mappings"])
        wrong = [
            f"{field} is {types[field]}"
            for field in wanted
            if types.get(field, wanted[field]) != wanted[field]
        ]
        if wrong:
            mend = "it is older than its template: move it away, or set another opensearch.prefix"
            yield Finding("fail", what, f"{', '.join(wrong)}; {mend}")
        elif about["mappings"].get("dynamic") != "strict" or wanted.keys() - types.keys():
            yield Finding("fail", what, "is not strict or lacks fields; a worker mends it when it starts")
        else:
            yield Finding("ok", what, "strict")


def _types(mappings: Any, prefix: str = "") -> dict[str, str]:
    """The type of each field of a mapping; a dot stands between an object and its fields."""
    types: dict[str, str] = {}
    for name, about in mappings.get("properties", {}).items():
        inner = _types(about, f"{prefix}{name}.")
        types |= inner or {f"{prefix}{name}": about.get("type", "object")}
    return types


def _clock(ask: Ask) -> Iterator[Finding]:
    """The clock of the node that answers."""
    before = now()
    found = _answer(ask, "/_nodes/_local/stats/os?filter_path=nodes.*.timestamp") or {}
    after = now()
    for node in found.get("nodes", {}).values():
        moment = int(node["timestamp"])
        off = moment - min(max(moment, before), after)
        if abs(off) > SKEW:
            text = f"OpenSearch's is {off / 1000:+,.0f} s off this machine's; let both follow a time server"
            yield Finding("warn", "clock", text)
        else:
            yield Finding("ok", "clock", "OpenSearch's and this machine's agree")
