"""A worker that kills itself (SIGKILL) at a chosen write; options of `streamgauge` stand behind its number.

    python killed_worker.py POINT worker --config FILE ...

Writes are what leaves the process: objects, documents, changelog, messages. It dies before (odd) or after
(even) one is begun.
"""

import sys

from killing import count_writes
from sinks.objects import Objects
from sinks.search_reports import SearchReports
from stream.cli import main
from stream.distributed.faust_outside import FaustEvent, FaustOutside

WRITES = [
    (Objects, "put"),
    (SearchReports, "write"),
    (FaustOutside, "write"),
    (FaustOutside, "send"),
    (FaustEvent, "ack"),
]

if __name__ == "__main__":
    count_writes(int(sys.argv.pop(1)), WRITES)
    main()
