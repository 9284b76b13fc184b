"""When drift is flagged on series with a known change, and how often on data that has none.

python bench/streams.py DIRECTORY [--windows 500]

DIRECTORY holds elec2.csv.gz (NSW electricity: 45,312 half hours from 1996-05-07; Victoria joins the market
in May 1997, its columns are constant before), california_housing_reference.csv.gz and _analysis.csv.gz,
synthetic_car_loan_reference.csv.gz and _analysis.csv.gz (both as nannyml ships them). Prints Markdown.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from msgspec import Struct

import made
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, profile
from monitors.describe import suggest
from schemas import constraints
from schemas.report import Violation
from schemas.rows import Rows

VICTORIA = ["vicprice", "vicdemand", "transfer"]  # constant until it joins
DROPPED = {"id", "timestamp", "period", "clf_target", "repaid"}  # no features: keys, clocks, labels
AS_AWS = {"false_discovery_rate": 1.0, "minimum_sample_size": 0}  # every difference counts
SIMPLE = {"comparison_method": "Simple", "categorical_drift_method": "ChiSquared"}
JUDGES = {  # of the false alarms: what monitoring_config says, and in it distribution_constraints
    "ours": ({}, {}),
    "Model Monitor's defaults": (AS_AWS, {}),
    "ours, Simple and ChiSquared": ({}, SIMPLE),
    "Model Monitor's, Simple and ChiSquared": (AS_AWS, SIMPLE),
}


class Stream(Struct):
    """A series cut at the end of what the baseline is made of; `changed` is the row of what comes after at
    which its source says that it changes (0: at once), and `where`, in which features (none: in any)."""

    name: str
    baseline: pa.Table
    after: pa.Table
    window: int
    changed: int
    label: Callable[[int], str]
    where: frozenset[str] = frozenset()


def table(path: Path) -> pa.Table:
    """The features of a CSV file, as text."""
    names = pyarrow.csv.read_csv(path).column_names
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    read = pyarrow.csv.read_csv(path, convert_options=options)
    return read.drop_columns([name for name in names if name in DROPPED])


def streams(directory: Path) -> Iterator[Stream]:
    elec2 = table(directory / "elec2.csv.gz")
    cut = 26 * 336  # half a year, and half a year before Victoria joins
    start = np.datetime64("1996-05-07")
    for name, part in (("Elec2, Victoria", elec2.select(VICTORIA)), ("Elec2, all", elec2)):
        yield Stream(
            name, part[:cut], part[cut:], 336, 17_424 - cut, lambda row: str(start + (cut + row) // 48)
        )
    for name, stem, size, changed in (
        ("synthetic car loan", "synthetic_car_loan", 1_000, 25_000),
        ("California housing", "california_housing", 500, 0),
    ):
        parts = [table(directory / f"{stem}_{part}.csv.gz") for part in ("reference", "analysis")]
        yield Stream(name, *parts, size, changed, lambda row: f"row {row:,}")


def monitors(baseline: pa.Table) -> dict[str, DataQuality]:
    """A monitor for each way to judge."""
    described = profile(baseline)
    suggested = suggest(described)
    config = suggested["monitoring_config"]
    judges: dict[str, DataQuality] = {}
    for name, (over, method) in JUDGES.items():
        distribution = {**config["distribution_constraints"], **method}
        edited = suggested | {
            "monitoring_config": {**config, **over, "distribution_constraints": distribution}
        }
        judges[name] = DataQuality(Baseline.of(described, constraints.of(edited)))
    return judges


def violations(monitor: DataQuality, rows: pa.Table) -> list[Violation]:
    """What the monitor says of one window."""
    n = len(rows)
    return list(monitor.finish(monitor.observe(Rows(rows, np.arange(n), np.zeros(n, np.int64)))).violations)


def drift_table(found: list[Stream]) -> Iterator[str]:
    heads = ("stream", "change", "windows", "judged by", "first flagged", "before", "after", "mostly by")
    yield f"| {' | '.join(heads)} |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for stream in found:
        starts = range(0, len(stream.after) - stream.window + 1, stream.window)
        for judge, monitor in [*monitors(stream.baseline).items()][:2]:
            flags: dict[int, list[Violation]] = {}
            for start in starts:
                if said := violations(monitor, stream.after[start : start + stream.window]):
                    flags[start] = said
            before = [start for start in starts if start + stream.window <= stream.changed]
            after = [start for start in starts if start + stream.window > stream.changed]
            by = Counter(
                f"{v.feature_name} {v.constraint_check_type}" for said in flags.values() for v in said
            )
            often = ", ".join(f"{what} ({n})" for what, n in by.most_common(3)) or "nothing"
            first = stream.label(min(flags)) if flags else "never"
            change = stream.label(stream.changed)
            yield (
                f"| {stream.name} | {change} | {len(starts)} of {stream.window} rows | {judge} | {first} "
                f"| {sum(s in flags for s in before)} of {len(before)} "
                f"| {sum(s in flags for s in after)} of {len(after)} | {often} |"
            )


def alarm_table(found: list[Stream], windows: int) -> Iterator[str]:
    yield f"| baseline | rows a window | {' | '.join(JUDGES)} |"
    yield f"| --- | --- |{' --- |' * len(JUDGES)}"
    known = {stream.name: stream.baseline for stream in found}
    for name, baseline in (known | {"made up, 1 % missing": made.baseline_table(20_000)}).items():
        judges = monitors(baseline)
        for size in (50, 200, 1_000):
            rng = np.random.default_rng(0)
            flagged = Counter[str]()
            for _ in range(windows):
                drawn = baseline.take(pa.array(rng.choice(len(baseline), size, replace=False)))
                flagged.update(judge for judge, monitor in judges.items() if violations(monitor, drawn))
            shares = " | ".join(f"{flagged[judge] / windows:.1%}" for judge in judges)
            yield f"| {name} | {size} | {shares} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Drift on streams with a known change.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--windows", type=int, default=500, help="windows drawn for each false-alarm rate")
    given = parser.parse_args()
    found = list(streams(given.directory))
    print("\n".join(drift_table(found)), end="\n\n")
    print("\n".join(alarm_table(found, given.windows)))


if __name__ == "__main__":
    main()
