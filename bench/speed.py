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
    csv = made.captures(n)
    payloads = {
        "CSV": csv,
        "CSV, one record of 1,000 wider": wider(csv),
        "JSON": made.captures(n, form="JSON"),
    }
    for payload, records in payloads.items():
        calls = gauge.frames(records, 5_000)
        assert gauge.decoded(calls, known) > 0.99 * n
        log = gauge.frames(records)
        alone = n / timing.best(partial(gauge.decoded, calls, known))
        whole = n / timing.best(partial(gauge.judged, log, known))
        rates = " | ".join(f"{timing.three_digits(rate)} records/s" for rate in (alone, whole))
        print(f"| {payload} | {sum(map(len, records)) / n:.0f} | {rates} |")


def wider(records: list[bytes]) -> list[bytes]:
    """The records, each thousandth with a column too many: it is refused, its neighbours are not."""
    odd = [record.replace(b'"data":"', b'"data":"1,', 1) for record in records[::1_000]]
    return [odd[at // 1_000] if at % 1_000 == 0 else record for at, record in enumerate(records)]


if __name__ == "__main__":
    main()
