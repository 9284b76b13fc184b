"""A worker that kills itself (SIGKILL) at a chosen write; options of `streamgauge` stand behind its number.

    python killed_worker.py POINT worker --config FILE ...

Writes are what leaves the process: objects, documents, changelog, messages. It dies before (odd) or after
(even) one is begun.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sinks.objects import Objects
from sinks.search_reports import SearchReports
from stream.cli import main
from stream.distributed.faust_outside import FaustEvent, FaustOutside


def count_writes(kill_at: int) -> None:
    """Count every write, before and after it; die when the count is reached."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            print(f"killed at {kill_at}", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            tick()
            result = function(*args, **kwargs)
            tick()
            return result

        return call

    for owner, name in (
        (Objects, "put"),
        (SearchReports, "write"),
        (FaustOutside, "write"),
        (FaustOutside, "send"),
        (FaustEvent, "ack"),
    ):
        setattr(owner, name, counted(getattr(owner, name)))


if __name__ == "__main__":
    count_writes(int(sys.argv.pop(1)))
    main()
