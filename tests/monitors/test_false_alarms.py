"""How often windows that are drawn from the baseline itself raise an alarm: hardly ever."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, profile
from monitors.describe import suggest
from schemas import constraints
from schemas.rows import Rows

ROWS = 5_000


def column(kind: int, scale: int, rng: np.random.Generator) -> np.ndarray:
    """Normal, skewed, whole, two-valued numbers, or texts."""
    if kind == 4:
        return np.array([f"v{n}" for n in np.minimum(rng.geometric(0.2, ROWS), 30)])
    shapes = (rng.normal(0, scale, ROWS), rng.lognormal(0, 1, ROWS), rng.integers(0, 10 * scale, ROWS))
    return shapes[kind] if kind < 3 else rng.integers(0, 2, ROWS)


def training() -> pa.Table:
    """20 features, 12 of them with missing values: 0.2 to 17 %."""
    rng = np.random.default_rng(1)
    shares = [0.002 * 1.5**i if i < 12 else 0.0 for i in range(20)]
    return pa.table(
        {
            f"f{i}": pa.array(column(i % 5, 1 + i, rng), mask=rng.random(ROWS) < share)
            for i, share in enumerate(shares)
        }
    )


def alarms(windows: int, size: int, known: Baseline, table: pa.Table) -> Counter[str]:
    """Of windows of `size` rows of the baseline, how many raise an alarm, by check and in all."""
    rng = np.random.default_rng(size)
    of = DataQuality(known)
    n = np.arange(size)
    found: Counter[str] = Counter()
    for _ in range(windows):
        rows = Rows(table.take(rng.integers(0, ROWS, size)), n, n)
        violations = of.finish(of.observe(rows)).violations
        found.update({violation.constraint_check_type for violation in violations})
        found["any"] += bool(violations)
    return found


@pytest.mark.parametrize("size", [200, 2_000])
def test_of_windows_drawn_from_the_baseline_hardly_any_raises_an_alarm(size):
    """And nearly all do where the checks are Model Monitor's, for values that the baseline lacks too."""
    table = training()
    statistics = profile(table)
    document = suggest(statistics)
    found = alarms(150, size, Baseline.of(statistics, constraints.of(document)), table)
    assert found["any"] <= 0.05 * 150
    off = {"minimum_sample_size": 0, "false_discovery_rate": 1.0}
    document["monitoring_config"] = document["monitoring_config"] | off
    found = alarms(40, size, Baseline.of(statistics, constraints.of(document)), table)
    assert found["completeness_check"] >= 0.9 * 40
