"""`streamgauge doctor`: whether everything that the settings name is there and as it must be."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.errors import ConfigError
from stream.doctor.brokers import check_brokers
from stream.doctor.configuration import check_baselines
from stream.doctor.disk import check_disks
from stream.doctor.finding import Check, Finding
from stream.doctor.labels import check_labels
from stream.doctor.search import check_search
from stream.doctor.store import check_store
from stream.settings import load

CHECKS: Sequence[Check] = (
    check_baselines,
    check_disks,
    check_labels,
    check_brokers,
    check_store,
    check_search,
)


def examine(config: Path, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """What all checks find, as they find it; without readable settings there is nothing to look at."""
    try:
        settings = load(config)
    except ConfigError as error:
        yield Finding("fail", "settings", str(error))
        return
    yield Finding("ok", "settings", str(config))
    for check in checks:
        yield from check(settings)
