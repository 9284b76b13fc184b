"""Whose an output directory is: what a run may find in it, and what it may take away."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import StateError
from sinks.objects import Objects
from stream.log import Log
from stream.settings import Settings

STATE = "streamgauge.sqlite"
_MADE_HERE = ("captures", "reports", "errors", "merged")
_FILES_MADE_HERE = ("alerts.jsonl", "summary.json", "index.html")


def fingerprint(settings: Settings) -> str:
    """What a replay's result depends on, so that only the same replay is resumed."""
    about: list[Any] = [settings.model_dump(mode="json", exclude={"output", "checkpoint"})]
    for place in sorted(_places(settings)):
        about += [file.read_bytes().hex() if file.is_file() else None for file in _files(place)]
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()


def _places(settings: Settings) -> set[Path]:
    """Baseline directories and scripts."""
    places = {settings.baseline, settings.quality.baseline, settings.preprocessor, *settings.monitors}
    places |= {settings.bias}
    for own in settings.endpoints.values():
        places |= {own.baseline, own.preprocessor, *(own.monitors or ()), own.bias}
        places |= {own.quality.baseline} if own.quality else set()
    for chosen in (settings.explain, *(own.explain for own in settings.endpoints.values())):
        if chosen is not None:
            script = Path((chosen.model or "").rpartition(":")[0] or chosen.model or "")
            places |= {chosen.config, chosen.background, script if script.is_file() else None}
    return {place for place in places if place is not None}


FILES = (  # of a baseline
    "constraints.json",
    "statistics.json",
    "analysis.json",
    "shap_baseline.csv",
    "model_quality.json",
)


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    more = sorted([*place.glob("segments/**/*.json"), *place.glob("model_quality/*.json")])
    return [*(place / name for name in FILES), *more]


def prepare(output: Path, overwrite: bool) -> None:
    """See that the directory is ours; with `overwrite`, empty it of what an earlier replay made."""
    if not output.exists() or not any(output.iterdir()):
        return
    if not (output / STATE).exists():
        raise StateError(f"{output}: holds files that streamgauge did not make; choose another directory")
    if overwrite:
        earlier = Log(output / STATE)
        kind, _ = earlier.get("owner", ("replay", ""))
        earlier.close()
        if kind != "replay":
            raise StateError(f"{output}: belongs to streamgauge {kind}, which a replay does not overwrite")
        for name in _MADE_HERE:
            shutil.rmtree(output / name, ignore_errors=True)
        for name in (*_FILES_MADE_HERE, STATE, f"{STATE}-wal", f"{STATE}-shm"):
            (output / name).unlink(missing_ok=True)


def keep_foreign_rows(settings: Settings) -> None:
    """Rows that went elsewhere than into the output directory are not taken away, so they must be gone."""
    if settings.rows is not None and not Objects.at(settings.rows).is_empty():
        raise StateError(
            f"{settings.rows}: --overwrite does not take away rows in another place; empty it first"
        )


def claim(store: Log, kind: str, mark: str) -> bool:
    """Make the log this run's, or see that it already is; True when there is work to resume."""
    owner, known = store.get("owner", (None, None))
    if owner is None:
        store.put("owner", (kind, mark))
        return False
    where = store.path.parent
    problem = None
    if owner != kind:
        problem = f"{where}: belongs to streamgauge {owner}; choose another directory"
    elif store.get("finished", False):
        problem = f"{where}: holds a finished replay; choose another directory, or --overwrite"
    elif known != mark and kind == "replay":
        problem = (
            f"{where}: holds an unfinished run of other captures or settings; choose another directory, "
        )
        problem += "or --overwrite"
    elif known != mark:
        problem = f"{where}: was made with other settings under [window]; choose another directory"
    if problem:
        store.close()
        raise StateError(problem)
    return True
