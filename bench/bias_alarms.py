"""How often chance alone raises an alarm of bias, and how often a change does: random labels on Adult.

python bench/bias_alarms.py ADULT_TRAIN_CSV_GZ [WINDOWS]; prints Markdown. The file is UCI's Adult, without a
header.
"""

import csv
import gzip
import io
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

import timing
from monitors.bias import facts, planning
from monitors.bias.describe import describe
from monitors.bias.monitor import Bias
from schemas.analysis_config import AnalysisConfig, FacetConfig
from schemas.constraints import Defaults

SIZES = (100, 300, 1_000, 3_000, 10_000)
NUMBERS = {"age": 0, "education-num": 4, "capital-gain": 10, "capital-loss": 11, "hours-per-week": 12}
RULES = {"ours": Defaults(), "compatible": Defaults(0, 1.0)}
SEX = FacetConfig("sex", ("Female",))
RACE, AGE = FacetConfig("race"), FacetConfig("age", (40,), True)
CASES = {"sex": (SEX,), "sex, each race, age above 40": (SEX, RACE, AGE)}


def adult(place: Path) -> pa.Table:
    """Numbers, sex, race, and what a linear model predicts of the true labels; `label` is made by
    `shuffled`."""
    text = gzip.decompress(place.read_bytes()).decode()
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    columns = {name: np.array([float(row[at]) for row in rows]) for name, at in NUMBERS.items()}
    sex, race, high = (np.array([row[at] for row in rows]) for at in (9, 8, 14))
    known = np.column_stack([*columns.values(), sex == "Male", np.ones(len(rows))])
    weights, *_ = np.linalg.lstsq(known, high == ">50K", rcond=None)
    predicted = (known @ weights > 0.45).astype(int)
    return pa.table({**columns, "sex": sex, "race": race, "predicted": predicted})


def with_labels(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """The table with labels by the toss of a coin: nothing that rests on them differs between groups."""
    return table.append_column("label", pa.array(rng.integers(0, 2, len(table))))


def changed(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """The table where a fifth of the men's predictions, and nobody else's, are turned positive."""
    men = np.array(table["sex"]) == "Male"
    predicted = np.array(table["predicted"])
    turned = men & (rng.random(len(table)) < 0.2)
    predicted = np.where(turned, 1, predicted)
    return table.set_column(table.column_names.index("predicted"), "predicted", pa.array(predicted))


def monitors(table: pa.Table, facets: tuple[FacetConfig, ...]) -> dict[str, Bias]:
    """A monitor by each rule, with `table` as the baseline."""
    config = AnalysisConfig("label", (1,), facets, "education-num", "predicted", excluded=("race", "sex"))
    plan = planning.build(config, facts.of_table(table))
    known = describe(plan, Bias(plan).of_table(table)).analysis
    return {rule: Bias(plan, known, defaults) for rule, defaults in RULES.items()}


def main() -> None:
    windows = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    timing.pin()
    pa.set_cpu_count(1)
    table = adult(Path(sys.argv[1]))
    print(f"{timing.machine(['numpy', 'pyarrow'])}; {windows} windows of each size.\n")
    print("| facets | rows a window | ours, by chance | compatible, by chance | ours, after the change |")
    print("| --- | --- | --- | --- | --- |")
    for case, facets in CASES.items():
        rng = np.random.default_rng(8)
        judges = monitors(with_labels(table, rng), facets)
        for size in SIZES:
            alarms: Counter[str] = Counter()
            by_metric: Counter[str] = Counter()
            for _ in range(windows):
                window = with_labels(table.take(pa.array(rng.choice(len(table), size, replace=False))), rng)
                state = judges["ours"].of_table(window)
                for rule, judge in judges.items():
                    found = judge.finish(state).violations
                    alarms[rule] += bool(found)
                    if rule == "ours":
                        by_metric.update(f"{v.facet} {v.metric_name}" for v in found)
                after = judges["ours"].of_table(changed(window, rng))
                alarms["change"] += bool(judges["ours"].finish(after).violations)
            shares = [f"{alarms[name] / windows:.1%}" for name in ("ours", "compatible", "change")]
            print(f"| {case} | {size:,} | {' | '.join(shares)} |")
            print(f"{size:,} rows, {case}: {dict(by_metric.most_common(6))}", file=sys.stderr)


if __name__ == "__main__":
    main()
