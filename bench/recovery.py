"""How large states are, and how soon a worker that was killed goes on, by the size of its state.

python bench/recovery.py STACK

STACK is the folder of servers that `make stack-up` has started (.stack). Windows stay open because of a long
retention, so that the state grows with the hours that the records are of.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path

import timing
from one_worker import OneWorker, metrics
from servers_at import Servers

FEATURES = 21


def until(condition: str, least: float) -> dict[str, float]:
    """The metrics as soon as one of them is large enough."""
    while (now := metrics()).get(condition, 0.0) < least:
        time.sleep(0.02)
    return now


def measure(folder: Path, servers: Servers, hours: int) -> str:
    """A row of the table."""
    checkpoint = 'rows = 1000000\ninterval = "1s"'
    window = 'size = "1h"\nretention = "365d"'
    run = OneWorker(f"of-{hours}-hours", folder, servers, 1, window, checkpoint)
    count = 4_000 * hours
    run.send(count, 500, hours, final=False)
    first = run.start()
    until("streamgauge_records_total", count)
    while metrics().get("streamgauge_uncovered_messages watch", 1.0):
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    run.send(500, 500, 1.0, final=False)
    began = time.perf_counter()
    second = run.start()
    now = until("streamgauge_state_bytes", 1.0)
    ready = time.perf_counter() - began
    until("streamgauge_records_total", 500)
    going = time.perf_counter() - began
    size = now["streamgauge_state_bytes"]
    second.terminate()
    second.wait()
    each = size / hours / FEATURES
    return f"| {hours} | {size / 2**20:.1f} | {each:,.0f} | {ready:.1f} | {going:.1f} |"


def main() -> None:
    servers = Servers.of(Path(sys.argv[1]))
    print(f"{timing.machine(['faust-streaming', 'rocksdict'])}; 21 columns, 4,000 records an hour.\n")
    print("| windows | state, MiB | bytes a window and column | s to state | s to next records |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for hours in (1, 24, 168):
            print(measure(Path(folder), servers, hours), flush=True)


if __name__ == "__main__":
    main()
