"""The store of objects: a small object is put, read back and deleted."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from schemas.errors import ConfigError, PipelineError
from sinks.objects import Objects
from stream.doctor.disk import standing
from stream.doctor.finding import PATIENCE, Finding, within
from stream.settings import Settings

PROBE = ".streamgauge-probe"  # what a name begins with that readers of data sets pass over


def check_store(settings: Settings) -> Iterator[Finding]:
    """Where reports, rows and errors go: `store`, or else the output directory; and `rows` of their own."""
    places = {"store": settings.store or str(settings.output)}
    if settings.rows:
        places["rows"] = settings.rows
    for what, place in places.items():
        yield _try(what, place, settings)


def _try(what: str, place: str, settings: Settings) -> Finding:
    try:
        within(lambda: _probe(place, settings))
    except PipelineError as error:
        hint = "does the bucket exist, and may these credentials put, get and delete?" if _far(place) else ""
        return Finding("fail", what, f"{place}: {error}" + (f"; {hint}" if hint else ""))
    except TimeoutError as error:
        return Finding("fail", what, f"{place}: {error}; is s3.endpoint right?")
    return Finding("ok", what, place)


def _far(place: str) -> bool:
    return "://" in place


def _probe(place: str, settings: Settings) -> None:
    """Raises ConfigError and SinkBusy."""
    root = place if _far(place) else standing(Path(place))
    # A request that is still under way would hold up the end of the program.
    objects = Objects.at(root, settings.s3.endpoint, settings.s3.region, timeout=PATIENCE / 4)
    key, body = f"{PROBE}-{uuid4().hex}", b"put by streamgauge doctor"
    objects.put(key, body)
    try:
        if objects.get(key) != body:
            raise ConfigError("gives back something else than was put")
    finally:
        objects.delete(key)
