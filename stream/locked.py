"""A file that one process holds at a time."""

import fcntl
from pathlib import Path
from typing import IO


def lock(path: Path) -> IO[str] | None:
    """Hold `path` until the file that is returned is closed or the process ends, however it does; None where
    another process holds it. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        file.close()
        raise
    return file
