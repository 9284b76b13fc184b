"""What the commands do: make a baseline, replay captures."""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from monitors import describe
from monitors.data_quality import profile
from schemas.errors import SourceError, StateError
from schemas.frame import Frame, Subject
from schemas.times import END_OF_TIME
from sinks import page
from sinks.objects import Objects
from sinks.reports import pretty
from stream import source
from stream.embedded import Embedded, Outputs
from stream.log import Log, Position
from stream.retry import persist
from stream.settings import Settings
from stream.setup import Setups
from stream.source import CaptureFile, Chunk

log = logging.getLogger(__name__)

STATE = "streamgauge.sqlite"
_MADE_HERE = ("captures", "reports", "errors")
_FILES_MADE_HERE = ("alerts.jsonl", "summary.json", "index.html")
_APPEND_BYTES = 4 << 20  # of records between two syncs of the log
_REPLAY_DELAYS = (0.2, 1.0, 5.0)  # a person waits: give up soon, the same command goes on later

Progress = Callable[[int, int], None]  # bytes of captures read, and of how many


def make_baseline(table: pa.Table, output: Path) -> dict[str, Any]:
    """Write statistics.json and constraints.json of a data set; gives the constraints."""
    described = profile(table)
    suggested = describe.suggest(described)
    objects = Objects.at(output)
    objects.put("statistics.json", pretty(described))
    objects.put("constraints.json", pretty(suggested))
    return suggested


class Replay:
    """One replay of capture files into an output directory, resumable after a crash.

    Raises StateError when the directory holds something else than this replay, unfinished.
    """

    def __init__(self, settings: Settings, *, overwrite: bool = False) -> None:
        self.settings = settings
        self._files = source.find(settings.source.captures, default_subject(settings))
        setups = Setups(settings)
        _prepare(settings.output, overwrite)
        self._log = Log(settings.output / STATE)
        self.resumed = claim(self._log, "replay", fingerprint(settings))
        outputs = Outputs.of(settings)
        self.host = Embedded(settings, self._log, setups, outputs, lambda a: persist(a, _REPLAY_DELAYS))
        self.problems: list[str] = self._log.get("problems", [])

    def run(self, progress: Progress | None = None) -> None:
        """Read every file, close every window, write the page."""
        total = sum(file.size for file in self._files)
        done = 0
        self.host.pump()
        for chunks, files in _gathered(self._chunks(), self._files):
            self.host.append(*_joined(chunks))
            self.host.pump()
            done += sum(file.size for file in files)
            if progress:
                progress(done, total)
        subjects = sorted({file.subject for file in self._files})
        if not self._log.get("closed", False):
            self.host.append([Frame.completion(subject, END_OF_TIME) for subject in subjects])
            self._log.put("closed", True)
        self.host.pump()
        self.host.checkpoint()
        self.host.write_summary(problems=self.problems, finished=True)
        page.write_page(self.settings.output)
        self._log.put("finished", True)

    def _chunks(self) -> Iterator[tuple[CaptureFile, Chunk | None]]:
        """Every chunk not yet read; None marks the end of a file."""
        positions = self._log.positions()
        arrived = time.time_ns() // 1_000_000
        for file in self._files:
            at = positions.get(file.path, Position())
            if at.size < 0:
                try:
                    for chunk in source.read(file, at, arrived):
                        yield file, chunk
                except SourceError as error:
                    self.problem(str(error))
            yield file, None

    def problem(self, text: str) -> None:
        """Remember what could not be read at all; the rest goes on."""
        log.warning("capture file skipped", extra={"reason": text})
        if text not in self.problems:
            self.problems.append(text)
            self._log.put("problems", self.problems)

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()


def _gathered(
    chunks: Iterable[tuple[CaptureFile, Chunk | None]], files: list[CaptureFile]
) -> Iterator[tuple[list[Chunk], list[CaptureFile]]]:
    """Chunks in groups worth a sync, with the files that end in each group."""
    group: list[Chunk] = []
    ended: list[CaptureFile] = []
    size = 0
    for file, chunk in chunks:
        if chunk is None:
            ended.append(file)
        else:
            group.append(chunk)
            size += sum(frame.data.nbytes for frame in chunk.frames)
        if size >= _APPEND_BYTES:
            yield group, ended
            group, ended, size = [], [], 0
    if group or ended:
        yield group, ended


def _joined(chunks: Iterable[Chunk]) -> tuple[list[Frame], dict[str, Position]]:
    chunks = list(chunks)
    return [f for chunk in chunks for f in chunk.frames], {c.path: c.position for c in chunks}


def fingerprint(settings: Settings) -> str:
    """What a replay's result depends on, so that only the same replay is resumed."""
    about: list[Any] = [settings.model_dump(mode="json", exclude={"output", "checkpoint"})]
    directories = {settings.baseline, *(endpoint.baseline for endpoint in settings.endpoints.values())}
    for directory in sorted(str(d) for d in directories if d):
        for name in ("constraints.json", "statistics.json"):
            file = Path(directory) / name
            about.append(file.read_bytes().hex() if file.is_file() else None)
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()


def default_subject(settings: Settings) -> Subject:
    """Whose a capture file is that lies outside the layout."""
    return Subject(settings.source.endpoint, settings.source.variant)


def _prepare(output: Path, overwrite: bool) -> None:
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
    elif known != mark:
        problem = f"{where}: holds an unfinished run of other captures or settings; choose another directory"
        problem += ", or --overwrite" if kind == "replay" else ""
    if problem:
        store.close()
        raise StateError(problem)
    return True
