"""Servers of one folder: start them, wait for them, stop them, say how they are."""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from servers import jars, java, ports
from servers.errors import StackError
from servers.kinds import KINDS, Kind
from servers.process import Process

DEFAULT_PORTS = {name: port for kind in KINDS.values() for name, port in kind.ports.items()}


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a stack keeps jars, data, logs and who runs; nothing of it is anywhere else."""

    path: Path

    def jars(self, name: str) -> Path:
        return self.path / "jars" / name

    def data(self, name: str) -> Path:
        return self.path / "data" / name

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def process_file(self, name: str) -> Path:
        return self.path / "run" / f"{name}.json"

    def process(self, name: str) -> Process | None:
        """The one that was started last and not stopped; it may have crashed."""
        return Process.read(self.process_file(name))


def up(
    folder: Folder,
    names: Iterable[str] = tuple(KINDS),
    at: Mapping[str, int] = DEFAULT_PORTS,
    say: Callable[[str], None] = print,
) -> None:
    """Start those that do not run, all at once, and wait until each is ready. Raises StackError."""
    waiting = [name for name in names if not _runs_already(folder, name, say)]
    chosen = {name: java.find(KINDS[name].java, name) for name in waiting}
    for name in waiting:
        _check_ports(KINDS[name], at)
        jars.fetch(name, folder.jars(name), say)
    begun = time.monotonic()
    for name in waiting:
        _start(folder, KINDS[name], chosen[name], {port: at[port] for port in KINDS[name].ports})
    while waiting:
        for name in [name for name in waiting if _is_up(folder, KINDS[name], begun)]:
            say(f"{name}: ready at {address(folder, name)} after {time.monotonic() - begun:.0f} s")
            waiting.remove(name)
        time.sleep(0.1)


def down(folder: Folder, names: Iterable[str] = tuple(KINDS), *, patience: float = 30.0) -> list[str]:
    """Stop what this folder's `up` has started; the names of those that ran. Patience 0 kills."""
    stopped = []
    for name in names:
        process = folder.process(name)
        if process is not None:
            if process.runs:
                process.stop(patience)
                stopped.append(name)
                _until_free(process.ports.values())
            folder.process_file(name).unlink()
    return stopped


def wipe(folder: Folder, names: Iterable[str] = tuple(KINDS)) -> None:
    """Remove data and logs of servers that do not run; the jars stay."""
    for name in names:
        shutil.rmtree(folder.data(name), ignore_errors=True)
        folder.log(name).unlink(missing_ok=True)


def state(folder: Folder, name: str) -> str:
    """running, starting, crashed or stopped."""
    process = folder.process(name)
    if process is None:
        return "stopped"
    if not process.runs:
        return "crashed"
    return "running" if KINDS[name].is_ready(_port(name, process)) else "starting"


def address(folder: Folder, name: str) -> str:
    """host:port of one that was started. Raises StackError."""
    process = folder.process(name)
    if process is None:
        raise StackError(f"{name} was not started from {folder.path}")
    return f"{ports.HOST}:{_port(name, process)}"


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def _port(name: str, process: Process) -> int:
    return process.ports[next(iter(KINDS[name].ports))]


def _runs_already(folder: Folder, name: str, say: Callable[[str], None]) -> bool:
    process = folder.process(name)
    if process is None or not process.runs:
        return False
    say(f"{name}: runs already at {address(folder, name)}, process {process.pid}")
    return True


def _check_ports(kind: Kind, at: Mapping[str, int]) -> None:
    for name in kind.ports:
        if not ports.is_free(at[name]):
            raise StackError(
                f"Port {at[name]} of {ports.HOST}, for {name}, is taken by another program."
                f" Stop that, or choose another port with --{name}-port."
            )


def _until_free(taken: Iterable[int], patience: float = 10.0) -> None:
    """A process that was killed holds its ports for a moment longer."""
    end = time.monotonic() + patience
    while not all(ports.is_free(port) for port in taken) and time.monotonic() < end:
        time.sleep(0.05)


def _start(folder: Folder, kind: Kind, runtime: java.Java, at: dict[str, int]) -> None:
    data, libraries = folder.data(kind.name), folder.jars(kind.name)
    data.mkdir(parents=True, exist_ok=True)
    kind.prepare(runtime, libraries, data, at)
    mark = f"-Dstreamgauge.stack={data}"
    command = [str(runtime.program), f"-Xmx{kind.heap}", mark, "-cp", f"{libraries}/*", *kind.main(data, at)]
    Process.start(command, mark, at, folder.log(kind.name)).write(folder.process_file(kind.name))


def _is_up(folder: Folder, kind: Kind, begun: float) -> bool:
    """Whether it is ready; one that is not in time is stopped again. Raises StackError."""
    now = state(folder, kind.name)
    late = time.monotonic() - begun > kind.patience
    if now == "running" or (now == "starting" and not late):
        return now == "running"
    down(folder, [kind.name])
    reason = "ended while it started" if now == "crashed" else f"was not ready after {kind.patience:.0f} s"
    log = folder.log(kind.name)
    raise StackError(f"{kind.name} {reason}. The end of {log}:\n{tail(log)}")
