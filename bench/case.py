"""One measurement in a process of its own: python bench/case.py LIBRARY ACTION FOLDER ROWS REPEATS

Prints a line of JSON. It runs in the library's environment, pinned to one core; peers.py calls it.
"""

import json
import logging
import sys
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

import timing
from cases.data import Data


def main() -> None:
    library, name, folder, rows, repeats = sys.argv[1:]
    timing.pin()
    pa.set_cpu_count(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    module = import_module(f"cases.{library}")
    action = module.ACTIONS[name](Data(Path(folder), int(rows)))
    pa.default_memory_pool().release_unused()
    timing.forget_peak()
    before = timing.resident()
    found: list[str] = []
    seconds = timing.best(lambda: found.__setitem__(slice(None), action()), int(repeats))
    versions = [f"{package} {version(package)}" for package in module.PACKAGES]
    print(
        json.dumps(
            {
                "rate": int(rows) / seconds,
                "growth": timing.peak() - before,
                "drifted": found,
                "versions": versions,
            }
        )
    )


if __name__ == "__main__":
    main()
