"""Delivers what waits in a queue, and kills itself at one of its writes: delivery_to_kill.py PATH WRITE."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sinks.local_bucket import LocalBuckets
from stream.deliveries.channel import Channel
from stream.deliveries.surroundings import Surroundings
from stream.ingest.metrics import Metrics
from stream.ingest.queue import Queue


class Deadly:
    """Counts writes, those of the queue and those of buckets, and kills at one: twice its number, odd for
    after it."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def around(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def deadly(*arguments: Any, **more: Any) -> Any:
            self.point()
            result = write(*arguments, **more)
            self.point()
            return result

        return deadly

    def point(self) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def main(path: Path, at: int) -> None:
    deadly = Deadly(at)
    queue = Queue(path / "queue.db")
    bucket = LocalBuckets(path / "buckets")
    for owner, names in ((queue, ("intend", "commit")), (bucket, ("put",))):
        for name in names:
            setattr(owner, name, deadly.around(getattr(owner, name)))
    around = Surroundings(bucket=bucket, sleep=time.sleep, now=lambda: time.time_ns() // 1_000_000)
    channel = Channel(queue, "s", around, Metrics())
    while queue.waiting("s"):
        channel.step()
    queue.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
