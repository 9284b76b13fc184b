"""Growth of memory from one million records to ten million of one window: decoded, watched and judged.

python bench/memory.py [MILLIONS]

Every record is new (other values, another id, a later time), is made when it is needed, a few thousand at a
time, and is not kept. Making them takes the same memory at every time, so it adds nothing to the growth.
"""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta

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


def main() -> None:
    millions = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    timing.pin()
    pa.set_cpu_count(1)
    pipeline = gauge.Pipeline(gauge.baseline())
    at_first = 0.0
    began = time.perf_counter()
    for offset, frame in messages(millions * MILLION):
        pipeline.observe([(offset, frame)])
        if not at_first and pipeline.rows >= MILLION:
            at_first = timing.peak()
            print(f"at {pipeline.rows:>10,} records: peak {at_first:,.0f} MiB, {timing.resident():,.0f} held")
    drifted = pipeline.finish(offset + 1)
    assert pipeline.rows == millions * MILLION and not drifted
    growth = timing.peak() - at_first
    seconds = time.perf_counter() - began
    print(f"at {pipeline.rows:>10,} records: peak {timing.peak():,.0f} MiB, {timing.resident():,.0f} held")
    print(
        f"peak grew by {growth:,.1f} MiB (at most {LIMIT}); {seconds:,.0f} s, the making of records included"
    )
    print(f"{timing.machine(['pyarrow', 'numpy'])}")
    sys.exit(growth >= LIMIT)


if __name__ == "__main__":
    main()
