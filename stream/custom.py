"""Custom monitors from the files that settings name."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monitors import custom
from monitors.base import Monitor
from monitors.guarded import Guarded
from schemas.errors import ConfigError
from schemas.layout import Layout
from stream.choices import Limits
from stream.scripts import Script


class MonitorFile:
    """A file of monitors, run once; each subject gets monitors of its own. Raises ConfigError."""

    def __init__(self, path: Path) -> None:
        with custom.registering() as found:
            self._script = Script(path)
        if not found:
            raise ConfigError(f"{path}: registers no monitor; put @register above its class")
        self._classes: Mapping[str, type] = found

    @property
    def names(self) -> Sequence[str]:
        """What its monitors are called."""
        return [*self._classes]

    def monitors(self, layout: Layout, limits: Mapping[str, Limits]) -> Iterator[Monitor]:
        """Its monitors for columns of `layout`; `limits` stand above those in the file."""
        for name, cls in self._classes.items():
            try:
                made = custom.made(cls)
                inner = _with_limits(made, layout, limits.get(name, Limits()), custom.is_whole(cls))
            except Exception as error:
                raise ConfigError(self._script.blame(error)) from error
            yield Guarded(inner, self._script.blame)


def _with_limits(made: Any, layout: Layout, limits: Limits, is_whole: bool) -> Monitor:
    at_most = getattr(made, "at_most", None) if limits.at_most is None else limits.at_most
    at_least = getattr(made, "at_least", None) if limits.at_least is None else limits.at_least
    if not is_whole:
        return custom.Summed(made, layout, at_most, at_least)
    if limits != Limits():
        made.at_most, made.at_least = at_most, at_least
    whole: Monitor = made
    return whole
