"""Local directories: can they be written to, and is there room."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stream.doctor.finding import Finding
from stream.settings import Settings

LITTLE, TOO_LITTLE = 1 << 30, 64 << 20  # bytes


def check_disks(settings: Settings) -> Iterator[Finding]:
    """The output directory and, where there are workers, that of their states."""
    yield _directory("output directory", settings.output)
    if "kafka" in settings.model_fields_set:
        yield _directory("state directory", settings.kafka.state)


def _directory(what: str, path: Path) -> Finding:
    there = standing(path)
    try:
        with tempfile.TemporaryFile(dir=there, prefix=".streamgauge-probe") as file:
            file.write(b"probe")
            file.flush()
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding("fail", what, f"{path}: cannot be written to: {error.strerror}")
    seen = f"{path}: {free / (1 << 30):,.1f} GiB free"
    if free < TOO_LITTLE:
        return Finding("fail", what, f"{seen}: make room, or set another directory")
    return Finding("warn" if free < LITTLE else "ok", what, seen)


def standing(path: Path) -> Path:
    """The directory itself or, where it is still to be made, the nearest above it: looking makes none."""
    return next((each for each in (path.absolute(), *path.absolute().parents) if each.exists()), Path("/"))
