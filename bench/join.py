"""The join on one core: rows joined and scored a second, and the memory of what waits.

    python bench/join.py [RECORDS]

Predictions and labels come in batches of 20,000. Labels are late by up to three days of event time, evenly,
in the order in which they come: so most predictions wait, and labels are looked for among all that wait. Time
is that of the core, which other work on the machine does not add to.
"""

import sys
import time

import numpy as np
import pyarrow as pa

from monitors.model_quality.monitor import ModelQuality
from schemas import ground_truth
from schemas.frame import Subject
from schemas.predictions import Predictions
from schemas.quality import Model
from schemas.times import END_OF_TIME
from stream.joining.join import Join
from stream.joining.windows import QualityWindows
from stream.placing import Timing
from timing import forget_peak, machine, peak, pin, resident, three_digits

HOUR = 3_600_000
DAYS = 10
DELAY = 72 * HOUR
RETENTION = 7 * 24 * HOUR
CHECKPOINT = 50_000  # rows
TIMING = Timing(HOUR, 0, RETENTION)
BATCH = 20_000
SUBJECT = Subject("bench")
ONE = pa.list_(pa.float64())


def predictions(first: int, n: int, times: np.ndarray, rng: np.random.Generator) -> Predictions:
    """Predictions of ids from `first` on."""
    each = pa.array(np.arange(n + 1, dtype=np.int32))
    probability = pa.array(rng.random(n).round(4))
    answers = pa.array(np.asarray(probability) > 0.5).cast(pa.float64())
    lists = (pa.ListArray.from_arrays(each, values) for values in (answers, probability))
    return Predictions(SUBJECT, np.arange(n), ids(np.arange(first, first + n)), times, *lists)


def ids(numbers: np.ndarray) -> pa.StringArray:
    """Ids as long as most are."""
    return pa.array([f"3f2b8a54-0000-4000-8000-{number:012x}" for number in numbers.tolist()])


def batches(n: int) -> list[tuple[int, object]]:
    """Both sides in the order in which they come, with when."""
    rng = np.random.default_rng(1)
    made = np.sort(rng.integers(0, DAYS * 24 * HOUR, n))
    came = made + rng.integers(0, DELAY, n)
    found: list[tuple[int, object]] = []
    for start in range(0, n, BATCH):
        times = made[start : start + BATCH]
        found.append((int(times[-1]), predictions(start, len(times), times, rng)))
    order = np.argsort(came)
    for start in range(0, n, BATCH):
        rows = order[start : start + BATCH]
        labels = pa.array(np.where(rng.random(len(rows)) < 0.5, "C1", "C0"))
        found.append((int(came[rows[-1]]), (ids(rows), labels)))
    return sorted(found, key=lambda batch: batch[0])


def run(join: Join, windows: QualityWindows, parts: list[tuple[int, object]]) -> tuple[int, int, float]:
    """Join and score everything; rows that were scored, most predictions that were kept, and seconds of the
    core."""
    told: dict[int, int] = {}
    most = taken = 0

    def advance(watermark: int, version: int) -> None:
        for partial in windows.advance(SUBJECT, watermark, version):
            told[partial.window.start] = partial.states[ModelQuality.name].scored

    began = time.process_time()
    for at, (when, part) in enumerate(parts):
        if isinstance(part, Predictions):
            starts, counts = np.unique(part.time // HOUR * HOUR, return_counts=True)
            windows.came(SUBJECT, dict(zip(starts.tolist(), counts.tolist(), strict=True)))
            windows.joined(join.predictions(part, np.full(len(part), -1, np.int64)))
            join.advance(SUBJECT, when)
            advance(when, at)
        else:
            windows.joined(join.labels(*part))
        most = max(most, join.predictions_kept)
        taken += BATCH
        if taken >= CHECKPOINT:
            windows.checkpoint()
            taken = 0
    advance(END_OF_TIME, len(parts))
    return sum(told.values()), most, time.process_time() - began


def waiting(n: int) -> float:
    """MiB that `n` predictions take that wait for a label."""
    rng = np.random.default_rng(2)
    join = Join(HOUR, RETENTION, 1 << 40, ground_truth.values, {})
    forget_peak()
    before = resident()
    times = np.sort(rng.integers(0, DAYS * 24 * HOUR, n))
    for start in range(0, n, BATCH):
        part = predictions(start, min(BATCH, n - start), times[start : start + BATCH], rng)
        join.predictions(part, np.full(len(part), -1, np.int64))
        del part
    pa.default_memory_pool().release_unused()
    forget_peak()
    return resident() - before


def main() -> None:
    pin()
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    held = waiting(n)
    parts = batches(n)
    join = Join(HOUR, RETENTION, 1 << 40, ground_truth.values, {})
    forget_peak()
    before = resident()
    monitor = ModelQuality(Model("BinaryClassification"))
    windows = QualityWindows(0, TIMING, lambda _: (monitor,), {})
    rows, most, seconds = run(join, windows, parts)
    assert rows == n == join.counts.matched, "a match was lost, or found twice"
    print(machine(["numpy", "pyarrow"]))
    print(f"{three_digits(rows / seconds)} rows/s joined and scored ({rows:,} in {seconds:.1f} s)")
    print(f"{held / n * 1e6:.0f} MiB for a million waiting predictions")
    print(f"{peak() - before:.0f} MiB more at the most, with {most:,} predictions kept and as many labels")


if __name__ == "__main__":
    main()
