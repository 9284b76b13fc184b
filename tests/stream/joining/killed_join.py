"""As killed.py: a replay with labels that kills itself at a chosen write, then runs until it is done.

python killed_join.py WORK POINT [POINT ...]
"""

import os
import signal
import sys
from pathlib import Path

from killed import count_writes
from labelled import settings
from stream import replay as replaying


def replay(work: Path, out: Path, kill_at: int) -> int:
    """Run in a process of its own; gives the signal or exit code, and leaves the number of writes behind."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    try:
        count = count_writes(kill_at)
        replaying._APPEND_BYTES = 10_000
        replaying.page.write_page = lambda directory: None
        run = replaying.Replay(settings(out, work / "captures", work / "truth", checkpoint={"rows": 60}))
        run.run()
        run.close()
        (out.parent / "writes").write_text(str(count[0]))
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def main() -> None:
    work, *points = sys.argv[1:]
    for point in points:
        out = Path(work) / point / "out"
        if point != "0" and replay(Path(work), out, int(point)) != -signal.SIGKILL:
            raise SystemExit(f"point {point}: the process was not killed")
        if (code := replay(Path(work), out, 0)) != 0:
            raise SystemExit(f"point {point}: the run after the kill ended with {code}")


if __name__ == "__main__":
    main()
