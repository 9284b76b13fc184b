"""How often an interval of 95 % holds the true value: windows drawn from Adult, whose own metrics are the
truth.

python bench/bias_coverage.py ADULT_TRAIN_CSV_GZ [WINDOWS]; prints Markdown.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

import timing
from bias_alarms import SEX, adult, with_labels
from monitors.bias import facts, planning
from monitors.bias.describe import Measured, describe
from monitors.bias.monitor import Bias
from schemas.analysis_config import POST_TRAINING, PRE_TRAINING, AnalysisConfig

SIZES = (300, 1_000, 3_000)
LEAST = 30  # rows in each group that a metric is divided by, as in what is judged


def measure(monitor: Bias, plan: planning.Plan, table: pa.Table) -> dict[str, Measured]:
    """Metrics of the only facet value, by name."""
    (found,) = describe(plan, monitor.of_table(table)).measured.values()
    return found


def main() -> None:
    windows = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    timing.pin()
    rng = np.random.default_rng(3)
    whole = with_labels(adult(Path(sys.argv[1])), rng)
    config = AnalysisConfig("label", (1,), (SEX,), "education-num", "predicted", excluded=("race",))
    plan = planning.build(config, facts.of_table(whole))
    monitor = Bias(plan)
    truth = measure(monitor, plan, whole)
    held: dict[int, Counter[str]] = {size: Counter() for size in SIZES}
    seen: dict[int, Counter[str]] = {size: Counter() for size in SIZES}
    for size in SIZES:
        for _ in range(windows):
            window = whole.take(pa.array(rng.integers(0, len(whole), size)))
            for name, found in measure(monitor, plan, window).items():
                interval = found.entry(None).interval
                if isinstance(interval, tuple) and found.base >= LEAST:
                    seen[size][name] += 1
                    held[size][name] += interval[0] <= truth[name].value <= interval[1]
    print(f"{timing.machine(['numpy'])}; {windows} windows of each size.\n")
    print(f"| metric | {' | '.join(f'{size:,} rows' for size in SIZES)} |")
    print("| --- |" + " --- |" * len(SIZES))
    for name in (*PRE_TRAINING, *POST_TRAINING):
        shares = [f"{held[s][name] / seen[s][name]:.0%}" if seen[s][name] else "" for s in SIZES]
        print(f"| {name} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
