"""Replaying capture files through the embedded host, from the first file or from where it stopped."""

from collections.abc import Callable, Iterable, Iterator

from schemas.errors import SourceError
from schemas.frame import Frame
from schemas.times import END_OF_TIME
from schemas.times import now as wall_clock
from sinks import page
from stream import directory, source
from stream.embedded import Embedded, Outputs
from stream.log import Log, Position
from stream.retry import persist
from stream.settings import Settings
from stream.setup import Setups
from stream.source import CaptureFile, Chunk

_APPEND_BYTES = 4 << 20  # of records between two syncs of the log
_DELAYS = (0.2, 1.0, 5.0)  # between tries of a write; a person waits, and the same command goes on later

Progress = Callable[[int, int], None]  # bytes of captures read, and of how many


class Replay:
    """One replay of capture files into an output directory, resumable after a crash.

    `problems` are files that could not be read to their end; the rest is done without them.

    Raises SourceError, BadBaseline and ConfigError before anything is written, and StateError when the
    directory holds something else than this replay, unfinished.
    """

    def __init__(self, settings: Settings, *, overwrite: bool = False) -> None:
        self.settings = settings
        self.problems: list[str] = []
        captures = source.find(settings.source.captures, settings.source.subject)
        self._subjects = {file.subject for file in captures}
        labels = source.find_labels(settings.labels.places)
        self._files = sorted([*captures, *labels], key=CaptureFile.order)
        setups = Setups(settings)
        if overwrite:
            directory.keep_foreign_rows(settings)
        directory.prepare(settings.output, overwrite)
        outputs = Outputs.of(settings)
        self._log = Log(settings.output / directory.STATE)
        self.resumed = directory.claim(self._log, "replay", directory.fingerprint(settings))
        self.host = Embedded(settings, self._log, setups, outputs, lambda action: persist(action, _DELAYS))

    def run(self, progress: Progress | None = None) -> None:
        """Read every file, close every window, write the page."""
        total = sum(file.size for file in self._files)
        self.host.pump()
        for chunks, done in _gathered(self._chunks()):
            frames = [frame for chunk in chunks for frame in chunk.frames]
            self.host.append(frames, {chunk.path: chunk.position for chunk in chunks})
            self.host.pump()
            if progress:
                progress(done, total)
        self._finish()

    def _finish(self) -> None:
        if not self._log.get("closed", False):
            subjects = sorted(self._subjects, key=str)
            self.host.append([Frame.completion(subject, END_OF_TIME) for subject in subjects])
            self._log.put("closed", True)
        self.host.pump()
        self.host.checkpoint()
        self.host.write_summary(problems=self.problems, finished=True)
        page.write_page(self.settings.output)
        self._log.put("finished", True)

    def _chunks(self) -> Iterator[tuple[Chunk | None, int]]:
        """Every chunk not yet read, with the bytes of all files read by then; None ends a file."""
        positions = self._log.positions()
        arrived = wall_clock()
        done = 0
        for file in self._files:
            at = positions.get(file.path, Position())
            if at.size < 0:
                try:
                    for chunk in source.read(file, at, arrived):
                        yield chunk, done + min(chunk.position.offset, file.size)
                except SourceError as error:
                    self.problems.append(str(error))
            done += file.size
            yield None, done

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()


def _gathered(chunks: Iterable[tuple[Chunk | None, int]]) -> Iterator[tuple[list[Chunk], int]]:
    """Chunks in groups worth a sync, with the bytes read by the end of each."""
    group: list[Chunk] = []
    size = done = 0
    for chunk, done in chunks:
        if chunk is not None:
            group.append(chunk)
            size += sum(frame.data.nbytes for frame in chunk.frames)
        if size >= _APPEND_BYTES:
            yield group, done
            group, size = [], 0
    yield group, done
