"""The stack that `make stack-up` started, for tests: where its servers are, and what happens without one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import running
from servers.process import Process
from servers.running import Folder


class Stack:
    """Servers that run, by name: kafka, opensearch, s3. What is stopped here starts again as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder.resolve())
        self._ports: dict[str, dict[str, int]] = {}
        for name in running.KINDS:
            if process := self.folder.process(name):
                self._ports[name] = process.ports

    def __contains__(self, name: str) -> bool:
        """Whether it was started with the stack; it may be stopped at the moment."""
        return name in self._ports

    def address(self, name: str) -> str:
        """host:port of a server, also while it is stopped."""
        return f"127.0.0.1:{self._ports[name][name]}"

    def process(self, name: str) -> Process | None:
        """Its process, if it was not stopped."""
        return self.folder.process(name)

    def stop(self, name: str, *, kill: bool = False) -> None:
        """Stop it and return once nobody answers; `kill` gives it no time to tidy up."""
        running.down(self.folder, [name], patience=0.0 if kill else 30.0)

    def start(self, name: str) -> None:
        """Start it with the same data and ports and return once it is ready; nothing when it runs."""
        if not self.runs(name):
            running.up(self.folder, [name], self._ports[name], say=lambda line: None)

    def runs(self, name: str) -> bool:
        process = self.process(name)
        return process is not None and process.runs

    def start_all(self) -> None:
        """Start again whatever does not run."""
        for name in self._ports:
            self.start(name)

    @contextmanager
    def without(self, name: str, seconds: float = 0.0, *, kill: bool = False) -> Iterator[None]:
        """Within the block a server refuses connections, for at least so many seconds; then it is back."""
        begun = time.monotonic()
        self.stop(name, kill=kill)
        try:
            yield
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
        finally:
            self.start(name)
