"""Runs a replay that kills itself (SIGKILL) at a chosen write, then the same replay again until it is done.

    python killed.py CAPTURES WORK POINT [POINT ...]

For each point N the process dies before (odd) or right after (even) a write of log, objects or alerts, and
is started again. `0` is an undisturbed run. Results are left in WORK/<point>/out.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made import settings_for
from sinks import alerts, objects
from stream import log
from stream import replay as replaying


def count_writes(kill_at: int) -> list[int]:
    """Count every write, before and after it; die by SIGKILL when the count is reached."""
    count = [0]

    def tick() -> None:
        count[0] += 1
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            tick()
            result = function(*args, **kwargs)
            tick()
            return result

        return call

    for owner, name in (
        (log.Log, "append"),
        (log.Log, "put"),
        (log.Log, "commit"),
        (objects.Objects, "put"),
        (alerts.AlertFile, "write"),
    ):
        setattr(owner, name, counted(getattr(owner, name)))
    return count


def replay(captures: Path, out: Path, kill_at: int) -> int:
    """Run in a process of its own; gives the signal or exit code, and leaves the number of writes behind."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    try:
        count = count_writes(kill_at)
        replaying._APPEND_BYTES = 20_000  # many appends, so that the log is cut at many places
        replaying.page.write_page = lambda directory: None  # made from the reports; not what is tested here
        work = replaying.Replay(settings_for(out, captures))
        work.run()
        work.close()
        (out.parent / "writes").write_text(str(count[0]))
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def main() -> None:
    captures, work, *points = sys.argv[1:]
    for point in points:
        out = Path(work) / point / "out"
        if point != "0" and replay(Path(captures), out, int(point)) != -signal.SIGKILL:
            raise SystemExit(f"point {point}: the process was not killed")
        if (code := replay(Path(captures), out, 0)) != 0:
            raise SystemExit(f"point {point}: the run after the kill ended with {code}")


if __name__ == "__main__":
    main()
