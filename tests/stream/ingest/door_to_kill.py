"""A door in a process of its own: logs its port, and serves until it is killed."""

import asyncio
import logging
import sys
from pathlib import Path

from stream.ingest.door import Door
from stream.ingest.queue import Queue
from stream.logs import configure
from stream.settings import FirehoseSettings


async def main(path: Path) -> None:
    configure(logging.INFO)
    door = Door(FirehoseSettings(port=0), Queue(path))
    await door.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
