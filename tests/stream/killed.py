"""Runs a replay that kills itself (SIGKILL) at a chosen write, then the same replay again until it is done.

    python killed.py CAPTURES WORK POINT [POINT ...]

For each point N the process dies before (odd) or right after (even) a write of log, objects or alerts, and
is started again. `0` is an undisturbed run. Results are left in WORK/<point>/out.
"""

import sys
from pathlib import Path

from killing import count_writes, in_a_child, kill_then_finish
from made import settings_for
from sinks import alerts, objects
from stream import log
from stream import replay as replaying

WRITES = [
    (log.Log, "append"),
    (log.Log, "put"),
    (log.Log, "commit"),
    (objects.Objects, "put"),
    (alerts.AlertFile, "write"),
]


def main() -> None:
    captures, work, *points = sys.argv[1:]

    def run(out: Path, kill_at: int) -> int:
        def work() -> list[int]:
            count = count_writes(kill_at, WRITES)
            replaying._APPEND_BYTES = 20_000  # many appends, so that the log is cut at many places
            replaying.page.write_page = lambda directory: None  # made from the reports; not what is tested
            replay = replaying.Replay(settings_for(out, Path(captures)))
            replay.run()
            replay.close()
            return count

        return in_a_child(out, work)

    kill_then_finish(Path(work), points, run)


if __name__ == "__main__":
    main()
