"""What each subject is watched by: its baseline's layout and monitors, read once."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from monitors.base import Monitor
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality
from schemas import constraints, statistics
from schemas.errors import BadBaseline
from schemas.frame import Subject
from schemas.layout import Layout
from stream.settings import Settings


class Setup(Struct, frozen=True):
    """How one subject's records are read, and what looks at them."""

    layout: Layout
    monitors: Sequence[Monitor]


class Setups:
    """Setups by subject. All baselines are read at the start, so that a mistake in one shows there.

    Raises BadBaseline.
    """

    def __init__(self, settings: Settings) -> None:
        self._default = _setup(settings, None)
        self._endpoints = {name: _setup(settings, name) for name in settings.endpoints}

    def of(self, subject: Subject) -> Setup | None:
        """The setup of a subject; None when no baseline is configured for it."""
        return self._endpoints.get(subject.endpoint, self._default)

    def monitors(self, subject: Subject) -> Sequence[Monitor]:
        """The monitors of a subject; none when no baseline is configured for it."""
        setup = self.of(subject)
        return setup.monitors if setup else ()


def _setup(settings: Settings, endpoint: str | None) -> Setup | None:
    own = settings.endpoints[endpoint] if endpoint else None
    directory = (own and own.baseline) or settings.baseline
    columns = (own and own.columns) or settings.columns
    if directory is None:
        return None
    baseline = read_baseline(directory)
    layout = baseline.layout(columns.outputs, columns.output_position)
    return Setup(layout, (DataQuality(baseline),))


def read_baseline(directory: Path) -> Baseline:
    """The baseline in a directory that `streamgauge baseline` or Model Monitor wrote. Raises BadBaseline.

    Without statistics.json nothing is compared with a distribution; the other checks stand.
    """
    rules_at, statistics_at = directory / "constraints.json", directory / "statistics.json"
    if not rules_at.is_file():
        raise BadBaseline(f"{directory}: {_what_is_wrong(directory)}")
    try:
        rules = constraints.parse(rules_at.read_bytes(), str(rules_at))
        described = None
        if statistics_at.is_file():
            described = statistics.parse(statistics_at.read_bytes(), str(statistics_at))
    except OSError as error:
        raise BadBaseline(f"{directory}: {error}") from error
    try:
        return Baseline.of(described, rules)
    except BadBaseline as error:
        raise BadBaseline(f"{directory}: {error}") from error


def _what_is_wrong(directory: Path) -> str:
    if directory.is_file():
        return "is a file; name its directory"
    if not directory.exists():
        return "no such directory"
    return "no constraints.json; a baseline is what `streamgauge baseline` or Model Monitor wrote"
