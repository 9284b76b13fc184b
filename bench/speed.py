"""Records a second on one core, from raw capture bytes to a judged window; prints Markdown.

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
    print(f"{timing.machine(['pyarrow', 'numpy'])}; {n:,} records, best of three.\n")
    print("| payload | bytes a record | decode alone, 5,000 a call | bytes to judged window |")
    print("| --- | --- | --- | --- |")
    for form in ("CSV", "JSON"):
        records = made.captures(n, form=form)
        assert gauge.decoded(records[:10_000], known) == 10_000
        log = gauge.frames(records)
        alone = n / timing.best(partial(gauge.decoded, records, known))
        whole = n / timing.best(partial(gauge.judged, log, known))
        rates = " | ".join(f"{timing.three_digits(rate)} records/s" for rate in (alone, whole))
        print(f"| {form} | {sum(map(len, records)) / n:.0f} | {rates} |")


if __name__ == "__main__":
    main()
