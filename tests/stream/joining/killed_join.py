"""As killed.py: a replay with labels that kills itself at a chosen write, then runs until it is done.

python killed_join.py WORK POINT [POINT ...]
"""

import sys
from pathlib import Path

from killed import WRITES
from killing import count_writes, in_a_child, kill_then_finish
from labelled import settings
from stream import replay as replaying


def main() -> None:
    place, *points = sys.argv[1:]
    work = Path(place)

    def run(out: Path, kill_at: int) -> int:
        def replay() -> list[int]:
            count = count_writes(kill_at, WRITES)
            replaying._APPEND_BYTES = 10_000
            replaying.page.write_page = lambda directory: None
            more = {"checkpoint": {"rows": 60}, "bias": str(work / "bias.json")}
            chosen = settings(out, work / "captures", work / "truth", **more)
            done = replaying.Replay(chosen)
            done.run()
            done.close()
            return count

        return in_a_child(out, replay)

    kill_then_finish(work, points, run)


if __name__ == "__main__":
    main()
