"""Records a second on one core, from raw capture bytes to a judged window.

python bench/speed.py [RECORDS]
"""

import sys
from functools import partial

import pyarrow as pa

import gauge
import made
import timing


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    timing.pin()
    pa.set_cpu_count(1)
    known = gauge.baseline()
    print(f"{timing.machine(['pyarrow', 'numpy'])}, {n:,} records")
    for form in ("CSV", "JSON"):
        records = made.captures(n, form=form)
        log = gauge.frames(records)
        size = sum(map(len, records)) / n
        assert gauge.decoded(records[:10_000], known) == 10_000
        print(f"{form}: {size:.0f} bytes a record")
        rates = {
            "decode, 5,000 a call": n / timing.best(partial(gauge.decoded, records, known)),
            "bytes to judged window": n / timing.best(partial(gauge.judged, log, known)),
        }
        for what, rate in rates.items():
            print(f"  {what:<24}{rate:>10,.0f} records/s")
    print(f"peak memory {timing.peak():,.0f} MiB")


if __name__ == "__main__":
    main()
