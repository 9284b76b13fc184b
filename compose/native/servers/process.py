"""One server as a process: a file says which it is, and only that one is ever stopped."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_started: dict[tuple[int, str], subprocess.Popen[bytes]] = {}  # by this program, to bury them


@dataclass(frozen=True, slots=True)
class Process:
    """What runs, or ran, as it stands in its file. `mark` is part of its command line and of no other's."""

    pid: int
    mark: str
    ports: dict[str, int]

    @classmethod
    def start(cls, command: Sequence[str], mark: str, ports: dict[str, int], log: Path) -> "Process":
        """Start it as leader of a process group of its own, with its output appended to a log."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started[child.pid, mark] = child
        return cls(child.pid, mark, ports)

    @classmethod
    def read(cls, file: Path) -> "Process | None":
        """The one that a file tells of, if there is the file."""
        try:
            return cls(**json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            return None

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"pid": self.pid, "mark": self.mark, "ports": self.ports}), "utf-8")

    @property
    def runs(self) -> bool:
        """Whether it runs and is the one that was started: its number may be another's by now."""
        if child := _started.get((self.pid, self.mark)):
            return child.poll() is None
        return self.mark in _command_line(self.pid)

    def stop(self, patience: float = 30.0) -> None:
        """Ask it to end, and end it when it does not; returns once it is gone. Patience 0 does not ask."""
        if not (patience and self._ends_by(signal.SIGTERM, patience)):
            self._ends_by(signal.SIGKILL, 30.0)
        if child := _started.pop((self.pid, self.mark), None):
            child.wait()

    def _ends_by(self, what: signal.Signals, patience: float) -> bool:
        if self.runs:
            os.killpg(self.pid, what)
        end = time.monotonic() + patience
        while self.runs:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


def _command_line(pid: int) -> str:
    """Arguments of a process; empty when there is none, and for one that has ended but is not buried."""
    if not Path("/proc/self").exists():
        asked = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
        return subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=False).stdout
    for _ in range(100):  # for a moment, one that becomes another program or ends has no arguments
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
        except OSError:
            return ""
        if arguments or status in "ZX":
            return arguments.replace(b"\0", b" ").decode("utf-8", "replace")
        time.sleep(0.01)
    return ""
