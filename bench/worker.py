"""Records a second of one worker on one core: from Kafka to judged windows, rows as Parquet on S3.

python bench/worker.py STACK [RECORDS [RAW]]

STACK is the folder of servers that `make stack-up` has started (.stack). RECORDS are sent in frames of 500,
and RAW others one a message.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import timing
from one_worker import OneWorker, metrics
from servers_at import Servers

HOURS = 4


def spent_by(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def times_of(count: int, worker: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Seconds of wall and of processor time, from the first records taken in until all are judged, stored,
    and covered by checkpoints."""
    before = 0.0
    began = used = 0.0
    while worker.poll() is None:
        now = metrics()
        taken = now.get("streamgauge_records_total", 0.0)
        if taken and not before:
            began, used, before = time.perf_counter(), spent_by(worker.pid), taken
        covered = now.get("streamgauge_uncovered_messages watch", 1.0) == 0
        if taken >= count and covered and now.get("streamgauge_windows", 0.0) >= HOURS:
            share = count / (count - before)
            return (time.perf_counter() - began) * share, (spent_by(worker.pid) - used) * share
        time.sleep(0.1)
    raise SystemExit("the worker has ended")


def measure(folder: Path, servers: Servers, count: int, frame: int) -> str:
    """A row of the table. Every row must be on S3 once."""
    run = OneWorker(f"frames-of-{frame}", folder, servers)
    sent = run.send(count, frame, hours=HOURS)
    worker = run.start()
    try:
        wall, used = times_of(count, worker)
    finally:
        worker.terminate()
        worker.wait()
    assert run.rows == count, f"{run.rows} rows of {count} records"
    rates = " | ".join(timing.three_digits(count / seconds) for seconds in (wall, used))
    return f"| {frame} | {count:,} | {sent / count:.0f} | {rates} |"


def main() -> None:
    servers = Servers.of(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000_000
    raw = int(sys.argv[3]) if len(sys.argv) > 3 else 60_000
    print(f"{timing.machine(['faust-streaming', 'aiokafka', 'pyarrow'])}.\n")
    print("| records a message | records | bytes a record in Kafka | records/s | per s of processor time |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for records, frame in ((count, 500), (raw, 1)):
            print(measure(Path(folder), servers, records, frame), flush=True)


if __name__ == "__main__":
    main()
