"""Growth of memory from one million records to ten million of one window: decoded, watched and judged.

python bench/memory.py [MILLIONS]    prints Markdown

Every record is new (other values, another id, a later time), is made when it is needed, a few thousand at a
time, and is not kept. Making them takes the same memory at every time, so it adds nothing to the growth. The
baseline is made by another process: what that leaves free could hide a growth.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context

import pyarrow as pa

import gauge
import made
import timing
from schemas.frame import Frame
from stream.batch import MAX_RECORDS

MILLION = 1_000_000
LIMIT = 50  # MiB
_AT_ONCE = MAX_RECORDS


def messages(n: int) -> Iterator[tuple[int, Frame]]:
    """`n` records, their times spread over one hour, as messages of a log."""
    for offset, at in enumerate(range(0, n, _AT_ONCE)):
        when = made.START + timedelta(hours=1) * (at / n)
        records = made.stream(min(_AT_ONCE, n - at), offset, when)
        yield offset, Frame.of(gauge.SUBJECT, records, gauge.ARRIVED)


def report(records: int) -> None:
    """Say what memory is held, and the most that was."""
    print(f"| {records:,} | {timing.resident():,.0f} MiB | {timing.peak():,.0f} MiB |")


def main() -> None:
    millions = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    timing.pin()
    pa.set_cpu_count(1)
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        pipeline = gauge.Pipeline(other.submit(gauge.baseline).result())
    timing.forget_peak()
    print("| records | held | peak |\n| --- | --- | --- |")
    report(0)
    at_first = 0.0
    began = time.perf_counter()
    for offset, frame in messages(millions * MILLION):
        pipeline.observe([(offset, frame)])
        if not at_first and pipeline.rows >= MILLION:
            at_first = timing.peak()
            report(pipeline.rows)
    drifted = pipeline.finish(offset + 1)
    assert pipeline.rows == millions * MILLION and not drifted
    growth = timing.peak() - at_first
    report(pipeline.rows)
    seconds = time.perf_counter() - began
    print(f"\nGrowth of the peak behind the first million: {growth:,.1f} MiB (at most {LIMIT}).")
    print(f"{timing.machine(['pyarrow', 'numpy'])}; {seconds:,.0f} s, the making of records included.")
    sys.exit(growth >= LIMIT)


if __name__ == "__main__":
    main()
