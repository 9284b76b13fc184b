"""Rows a second on one core for one facet and all metrics of bias, side by side with smclarify; prints
Markdown.

python bench/bias.py ADULT_TRAIN_CSV_GZ [ROWS]

Both are given the same rows in memory, text as text (smclarify's facet, label and prediction as categories,
which it needs on pandas 3), 20 parts of one window. streamgauge observes each part, merges the states and
reads all metrics, intervals included, off the last; smclarify, which cannot merge, is given the window whole.
FT rests on at most 2,000 rows in streamgauge; therefore there is a line without it.
"""

import logging
import sys
from functools import partial, reduce
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from smclarify.bias import report

import timing
from bias_alarms import SEX, adult, with_labels
from monitors.bias import facts, planning
from monitors.bias.monitor import Bias
from monitors.bias.state import BiasState
from schemas.analysis_config import POST_TRAINING, PRE_TRAINING, AnalysisConfig

PARTS = 20
GROUP = "education-num"
WITHOUT_FT = tuple(name for name in POST_TRAINING if name != "FT")


def ours(parts: list[pa.Table], monitor: Bias) -> dict[str, float | None]:
    """Every metric, from 20 parts."""
    state: BiasState = reduce(BiasState.merge, map(monitor.of_table, parts))
    document = monitor.finish(state).documents["analysis.json"]
    stages = [document[f"{stage}_training_bias_metrics"] for stage in ("pre", "post")]
    return {m["name"]: m["value"] for stage in stages for m in stage["facets"]["sex"][0]["metrics"]}


def theirs(frame: pd.DataFrame, post: tuple[str, ...]) -> dict[str, float | None]:
    """Every metric, from the whole window."""
    features = frame.drop(columns=["label", "predicted", GROUP])
    label, predicted = (report.LabelColumn(name, frame[name], [1]) for name in ("label", "predicted"))
    found = {}
    for stage, names in (
        (report.StageType.PRE_TRAINING, PRE_TRAINING),
        (report.StageType.POST_TRAINING, post),
    ):
        facet = report.FacetColumn("sex", ["Female"])
        (entry,) = report.bias_report(features, facet, label, stage, predicted, list(names), frame[GROUP])
        found |= {metric["name"]: metric["value"] for metric in entry["metrics"]}
    return found


def main() -> None:
    timing.pin()
    pa.set_cpu_count(1)
    logging.disable(logging.CRITICAL)
    table = with_labels(adult(Path(sys.argv[1])), np.random.default_rng(1)).drop_columns(["race"])
    table = table.slice(0, int(sys.argv[2]) if len(sys.argv) > 2 else len(table))
    n = len(table)
    parts = [table.slice(at, -(-n // PARTS)) for at in range(0, n, -(-n // PARTS))]
    frame = table.to_pandas()
    for name in ("sex", "label", "predicted"):
        frame[name] = frame[name].astype("category")
    print(f"{timing.machine(['numpy', 'pandas', 'smclarify'])}; {n:,} rows in {PARTS} parts.\n")
    print("| metrics | streamgauge | smclarify | faster by | largest difference |")
    print("| --- | --- | --- | --- | --- |")
    for said, post in (("all 21", POST_TRAINING), ("all but FT", WITHOUT_FT)):
        config = AnalysisConfig("label", (1,), (SEX,), GROUP, "predicted", post_training=post)
        monitor = Bias(planning.build(config, facts.of_table(table)))
        mine, real = ours(parts, monitor), theirs(frame, post)
        assert mine.keys() == real.keys()
        difference = max(abs((mine[name] or 0) - (real[name] or 0)) for name in real if name != "FT")
        fast = n / timing.best(partial(ours, parts, monitor))
        slow = n / timing.best(partial(theirs, frame, post), repeats=1)
        rates = " | ".join(f"{timing.three_digits(rate)} rows/s" for rate in (fast, slow))
        print(f"| {said} | {rates} | {fast / slow:.0f} | {difference:.1e} |")


if __name__ == "__main__":
    main()
