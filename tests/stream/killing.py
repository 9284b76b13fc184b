"""Processes that die by SIGKILL at a chosen write."""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def count_writes(kill_at: int, writes: Iterable[tuple[type, str]]) -> list[int]:
    """Count these writes (a class and its method), before and after each; die when the count is reached."""
    count = [0]

    def tick() -> None:
        count[0] += 1
        if count[0] == kill_at:
            print(f"killed at {kill_at}", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            tick()
            result = function(*args, **kwargs)
            tick()
            return result

        return call

    for owner, name in writes:
        setattr(owner, name, counted(getattr(owner, name)))
    return count


def in_a_child(out: Path, work: Callable[[], list[int]]) -> int:
    """Do `work` in a process of its own; gives the signal or exit code. The number of writes that it returns
    is left in a file beside `out`."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    try:
        (out.parent / "writes").write_text(str(work()[0]))
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def kill_then_finish(work: Path, points: Iterable[str], run: Callable[[Path, int], int]) -> None:
    """For each point, in a directory of its own: `run` until it is killed there, unless that is 0, and then
    again to its end."""
    for point in points:
        out = work / point / "out"
        if point != "0" and run(out, int(point)) != -signal.SIGKILL:
            raise SystemExit(f"point {point}: the process was not killed")
        if (code := run(out, 0)) != 0:
            raise SystemExit(f"point {point}: the run after the kill ended with {code}")
