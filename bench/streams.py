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

from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, profile
from monitors.describe import suggest
from schemas import constraints
from schemas.report import Violation
from schemas.rows import Rows

DROPPED = {"id", "timestamp", "period", "clf_target", "repaid"}  # no features: keys, clocks, labels
AS_AWS = {"false_discovery_rate": 1.0, "minimum_sample_size": 0}


class Stream(Struct):
    """A series cut at the end of what the baseline is made of; `changed` is the row of what comes after at
    which its source says that it changes (0: at once)."""

    name: str
    baseline: pa.Table
    after: pa.Table
    window: int
    changed: int
    label: Callable[[int], str]


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
    cut = 17_424 - 17_424 % 336  # whole weeks before Victoria joins
    start = np.datetime64("1996-05-07")
    yield Stream(
        "Elec2", elec2[:cut], elec2[cut:], 336, 17_424 - cut, lambda row: str(start + (cut + row) // 48)
    )
    for name, stem, size, changed in (
        ("synthetic car loan", "synthetic_car_loan", 1_000, 25_000),
        ("California housing", "california_housing", 500, 0),
    ):
        parts = [table(directory / f"{stem}_{part}.csv.gz") for part in ("reference", "analysis")]
        yield Stream(name, *parts, size, changed, lambda row: f"row {row:,}")


def monitors(baseline: pa.Table) -> dict[str, DataQuality]:
    """The monitor with our defaults, and as Model Monitor would judge."""
    described = profile(baseline)
    ours = suggest(described)
    theirs = ours | {"monitoring_config": {**ours["monitoring_config"], **AS_AWS}}
    return {
        "ours": DataQuality(Baseline.of(described, constraints.of(ours))),
        "Model Monitor's": DataQuality(Baseline.of(described, constraints.of(theirs))),
    }


def violations(monitor: DataQuality, rows: pa.Table) -> list[Violation]:
    """What the monitor says of one window."""
    n = len(rows)
    return list(monitor.finish(monitor.observe(Rows(rows, np.arange(n), np.zeros(n, np.int64)))).violations)


def drift_table(found: list[Stream]) -> Iterator[str]:
    yield "| stream | windows | judged by | first flagged | before the change | after | by what, mostly |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for stream in found:
        starts = range(0, len(stream.after) - stream.window + 1, stream.window)
        for judge, monitor in monitors(stream.baseline).items():
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
            yield (
                f"| {stream.name} | {len(starts)} of {stream.window} rows | {judge} | {first} "
                f"| {sum(s in flags for s in before)} of {len(before)} "
                f"| {sum(s in flags for s in after)} of {len(after)} | {often} |"
            )


def alarm_table(found: list[Stream], windows: int) -> Iterator[str]:
    yield "| baseline | rows a window | ours | Model Monitor's defaults |"
    yield "| --- | --- | --- | --- |"
    for stream in found:
        judges = monitors(stream.baseline)
        for size in (50, 200, 1_000):
            rng = np.random.default_rng(0)
            flagged = Counter[str]()
            for _ in range(windows):
                drawn = stream.baseline.take(pa.array(rng.choice(len(stream.baseline), size, replace=False)))
                flagged.update(judge for judge, monitor in judges.items() if violations(monitor, drawn))
            shares = " | ".join(f"{flagged[judge] / windows:.1%}" for judge in judges)
            yield f"| {stream.name} | {size} | {shares} |"


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
