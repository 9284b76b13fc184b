"""Baselines and scripts: read as a run reads them at its start."""

from collections.abc import Iterator

from schemas.errors import BadBaseline, ConfigError
from stream.doctor.finding import Finding
from stream.settings import Settings
from stream.setup import Setups


def check_baselines(settings: Settings) -> Iterator[Finding]:
    """Baselines, preprocessors and custom monitors of all endpoints."""
    named = [settings.baseline, *(own.baseline for own in settings.endpoints.values())]
    known = sorted({str(baseline) for baseline in named if baseline})
    if not known:
        yield Finding(
            "warn", "baselines", "none: nothing is judged; set baseline, or endpoints.NAME.baseline"
        )
        return
    try:
        Setups(settings)
    except (BadBaseline, ConfigError) as error:
        yield Finding("fail", "baselines", str(error))
    else:
        yield Finding("ok", "baselines", ", ".join(known))
