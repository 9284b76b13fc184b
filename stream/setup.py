"""What each subject is watched by: its baseline's layout and monitors, read once."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
from msgspec import Struct, structs

from monitors.base import Monitor
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality
from schemas import constraints, ground_truth, statistics
from schemas.constraints import Defaults
from schemas.errors import BadBaseline, ConfigError
from schemas.frame import Subject
from schemas.layout import Layout
from schemas.prepared import Handler
from schemas.statistics import Statistics
from stream import explain, window_bias
from stream.choices import FilterSettings
from stream.custom import MonitorFile
from stream.joining.predicting import QualitySetup
from stream.joining.setup import quality_setup
from stream.joining.windows import QualityMonitor
from stream.label_settings import QualitySettings
from stream.preprocessor import Preprocessor
from stream.segmenting import segmented
from stream.settings import CheckSettings, ColumnSettings, EndpointSettings, Settings


class Setup(Struct, frozen=True):
    """How one subject's records are read, which are left out, and what looks at them."""

    layout: Layout
    monitors: Sequence[Monitor]
    handler: Handler | None = None
    filter: FilterSettings = FilterSettings()
    quality: QualitySetup | None = None


class Setups:
    """Setups by subject. Baselines and scripts are all read at the start, so that a mistake shows there.

    Raises BadBaseline and ConfigError.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handlers: dict[Path, Preprocessor] = {}
        self._monitors: dict[Path, MonitorFile] = {}
        self._default = self._setup(EndpointSettings())
        self._endpoints = {name: self._setup(own) for name, own in settings.endpoints.items()}
        self._truth_attributes = self._ground_truth_attributes()
        self._check_limits()
        self._check_quality()

    def of(self, subject: Subject) -> Setup | None:
        """The setup of a subject; None when no baseline is configured for it."""
        return self._endpoints.get(subject.endpoint, self._default)

    def monitors(self, subject: Subject) -> Sequence[Monitor]:
        """The monitors of a subject; none when no baseline is configured for it."""
        setup = self.of(subject)
        return setup.monitors if setup else ()

    def quality(self, subject: Subject) -> QualitySetup | None:
        """How a subject's predictions are joined; None when they are not."""
        setup = self.of(subject)
        return setup.quality if setup else None

    def _ground_truth_attributes(self) -> list[str]:
        """What labels are called where ground truth has names; whose it is, is not known when it is read."""
        setups = (self._default, *self._endpoints.values())
        found = {setup.quality.ground_truth_attribute for setup in setups if setup and setup.quality}
        return sorted(name for name in found if name is not None)

    def quality_monitors(self, subject: Subject) -> Sequence[QualityMonitor]:
        """What looks at a subject's predictions that have labels; none where they are not joined."""
        setup = self.quality(subject)
        return setup.monitors if setup else ()

    def read_labels(self, text: pa.StringArray) -> pa.ListArray:
        """The labels of payloads of ground truth, see `ground_truth.values`."""
        return ground_truth.values(text, self._truth_attributes)

    def _setup(self, own: EndpointSettings) -> Setup | None:
        """What an endpoint sets stands in place of what is set for all."""
        chosen = _effective(self._settings, own)
        if chosen.baseline is None:
            return None
        baseline = read_baseline(chosen.baseline)
        columns = chosen.columns or ColumnSettings()
        layout = baseline.layout(columns.outputs, columns.output_position)
        checks = chosen.checks or CheckSettings()
        judge = partial(DataQuality, defaults=checks.defaults, withhold=checks.withhold_values)
        monitors: list[Monitor] = [judge(baseline)]
        for entry in chosen.segments or ():
            monitors.append(segmented(entry, chosen.max_segments or 1, baseline, chosen.baseline, judge))
        quality, estimates, quantity = quality_setup(
            chosen.quality or QualitySettings(), chosen.baseline, layout
        )
        if chosen.bias is not None:
            described = read_statistics(chosen.baseline)
            rules = baseline.constraints
            of_bias = window_bias.read(chosen.bias, layout, rules, described, chosen.baseline, quantity)
            monitors.append(window_bias.of_captures(of_bias, checks.defaults))
            if quality is not None and self._settings.workers_join:
                quality = _with_bias(quality, of_bias, checks.defaults)
        if chosen.explain is not None:
            described = read_statistics(chosen.baseline)
            monitors.append(
                explain.monitor(chosen.explain, layout, described, chosen.baseline, checks.defaults)
            )
        for path in chosen.monitors or ():
            if path not in self._monitors:
                self._monitors[path] = MonitorFile(path)
            monitors += self._monitors[path].monitors(layout, chosen.monitor_settings or {})
        monitors += estimates
        names = [monitor.name for monitor in monitors]
        names += [monitor.name for monitor in quality.monitors] if quality else []
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"two monitors of the name {', '.join(twice)}")
        handler = self._handler(chosen.preprocessor)
        return Setup(layout, monitors, handler, chosen.filter or FilterSettings(), quality)

    def _handler(self, path: Path | None) -> Handler | None:
        if path is not None and path not in self._handlers:
            self._handlers[path] = Preprocessor(path)
        return self._handlers[path] if path is not None else None

    def _check_quality(self) -> None:
        """Labels that nothing is joined with would wait for ever."""
        setups = (self._default, *self._endpoints.values())
        if self._settings.workers_join and not any(setup and setup.quality for setup in setups):
            raise ConfigError(
                "labels: no endpoint has a problem type: set quality.problem_type, or make a baseline with "
                "--problem-type"
            )

    def _check_limits(self) -> None:
        """Limits of a monitor that there is not would otherwise never be missed."""
        known = {name for file in self._monitors.values() for name in file.names}
        given = set(self._settings.monitor_settings)
        for own in self._settings.endpoints.values():
            given |= set(own.monitor_settings or {})
        if strange := sorted(given - known):
            raise ConfigError(f"monitor_settings: there is no monitor {', '.join(strange)}")


def _with_bias(quality: QualitySetup, chosen: window_bias.Chosen, defaults: Defaults) -> QualitySetup:
    """Bias as well of rows with labels, for which their predictions carry what it needs."""
    found = window_bias.of_joined(chosen, defaults, quality.attributes)
    if found is None:
        return quality
    monitor, columns = found
    attributes = structs.replace(quality.attributes, carried=columns)
    return structs.replace(quality, attributes=attributes, monitors=(*quality.monitors, monitor))


def _effective(settings: Settings, own: EndpointSettings) -> EndpointSettings:
    """The settings of an endpoint with those for all where it has none of its own."""
    names = EndpointSettings.model_fields
    given = {name: getattr(own, name) for name in names}
    return own.model_copy(
        update={name: getattr(settings, name) if value is None else value for name, value in given.items()}
    )


def read_baseline(directory: Path) -> Baseline:
    """The baseline in a directory that `streamgauge baseline` or Model Monitor wrote. Raises BadBaseline.

    Without statistics.json nothing is compared with a distribution; the other checks stand.
    """
    rules_at = directory / "constraints.json"
    if not rules_at.is_file():
        raise BadBaseline(f"{directory}: {_what_is_wrong(directory)}")
    try:
        rules = constraints.parse(rules_at.read_bytes(), str(rules_at))
        described = read_statistics(directory)
    except OSError as error:
        raise BadBaseline(f"{directory}: {error}") from error
    try:
        return Baseline.of(described, rules)
    except BadBaseline as error:
        raise BadBaseline(f"{directory}: {error}") from error


def read_statistics(directory: Path) -> Statistics | None:
    """The statistics.json of a baseline; None where it has none. Raises BadBaseline and OSError."""
    place = directory / "statistics.json"
    return statistics.parse(place.read_bytes(), str(place)) if place.is_file() else None


def _what_is_wrong(directory: Path) -> str:
    if directory.is_file():
        return "is a file; name its directory"
    if not directory.exists():
        return "no such directory"
    return "no constraints.json; a baseline is what `streamgauge baseline` or Model Monitor wrote"
