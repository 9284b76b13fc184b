"""Records a second on one core, from raw capture bytes to a judged window.

python bench/speed.py [RECORDS]
"""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import pyarrow as pa

import made
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, profile
from monitors.describe import suggest
from schemas import constraints
from schemas.decode import decode
from schemas.frame import Frame, Subject
from schemas.times import END_OF_TIME
from stream.batch import batches
from stream.judge import Judge
from stream.settings import WindowSettings
from stream.watch import Watch

SUBJECT = Subject("bench")
ARRIVED = 2_000_000_000_000
FRAME = 500  # records, as PutRecordBatch sends them


def best(action: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some wall times, in seconds: other work on the machine only ever adds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def frames(records: list[bytes]) -> list[tuple[int, Frame]]:
    """Records as they lie in the log."""
    return [
        (offset, Frame.of(SUBJECT, pa.array(records[at : at + FRAME], pa.binary()), ARRIVED))
        for offset, at in enumerate(range(0, len(records), FRAME))
    ]


def judged(log: list[tuple[int, Frame]], known: Baseline) -> int:
    """Everything between the log and the report; gives the number of violations."""
    monitors = (DataQuality(known),)
    windows = WindowSettings()
    watch, judge = Watch(0, windows, lambda _: monitors), Judge(windows, lambda _: monitors)
    layout = known.layout()
    found = 0
    end = (len(log), Frame.completion(SUBJECT, END_OF_TIME))
    for batch in batches([*log, end]):
        watched = watch.observe(decode(batch.frame, layout))
        for report in judge.observe(watched.partials, watched.progress):
            found += len(report.finding.violations)
    return found


def decoded(records: list[bytes], known: Baseline, size: int = 5_000) -> int:
    layout = known.layout()
    rows = 0
    for at in range(0, len(records), size):
        frame = Frame.of(SUBJECT, pa.array(records[at : at + size], pa.binary()), ARRIVED)
        rows += sum(len(table) for table in decode(frame, layout).tables)
    return rows


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    described = profile(made.baseline_table(20_000))
    known = Baseline.of(described, constraints.of(suggest(described)))
    print(f"Python {platform.python_version()}, pyarrow {pa.__version__}, one core, {n:,} records")
    for form in ("CSV", "JSON"):
        records = made.captures(n, form=form)
        log = frames(records)
        size = sum(map(len, records)) / n
        assert decoded(records[:10_000], known) == 10_000
        print(f"{form}: {size:.0f} bytes a record")
        rates = {
            "decode, 5,000 a call": n / best(partial(decoded, records, known)),
            "bytes to judged window": n / best(partial(judged, log, known)),
        }
        for what, rate in rates.items():
            print(f"  {what:<24}{rate:>10,.0f} records/s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
