"""Rows explained a second on one core, side by side with shap's KernelExplainer; prints Markdown.

python bench/shap_values.py [ADULT_TRAIN_CSV_GZ] [ROWS]

Both explain the same gradient-boosting models (scikit-learn's two, 100 trees) with the same background and
the same number of coalitions, one after the other in turns on the same core. shap is given every tenth row,
because it takes each by itself; its l1_reg is off, which is nearer to the exact values than its default. The
error is the root mean square over 50 rows and all features against all 2^14 coalitions. Without the file the
table is made up: 14 features, of which eight are categories.
"""

import csv
import gzip
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import shap
from numpy.typing import NDArray
from shap.utils._legacy import DenseData
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

import timing
from monitors.shap.background import means, prototypes
from monitors.shap.kernel import Array, Background, collected, explain

COLUMNS = 14
CHECKED = 50
SHARE = 10  # shap is given a row of so many


def table(place: Path | None) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[int]]:
    """(features as numbers, label, which features are codes of categories)."""
    if place is None:
        random = np.random.default_rng(0)
        codes = random.integers(0, 9, (30_000, 8))
        x = np.column_stack([random.normal(size=(30_000, 6)), codes])
        return x, x[:, 0] * x[:, 1] + (x[:, 7] > 4) + x[:, 2] > 0.5, list(range(6, 14))
    text = gzip.decompress(place.read_bytes()).decode()
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if len(row) > COLUMNS]
    columns = list(zip(*rows, strict=True))
    categories = [at for at in range(COLUMNS) if not columns[at][0].replace("-", "").isdigit()]
    x = np.empty((len(rows), COLUMNS))
    for at in range(COLUMNS):
        codes = np.unique(columns[at], return_inverse=True)[1]
        x[:, at] = codes if at in categories else np.array(columns[at], np.float64)
    return x, np.array([label.startswith(">") for label in columns[COLUMNS]]), categories


def main() -> None:
    timing.pin()
    warnings.simplefilter("ignore")
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    x, y, categories = table(place)
    categorical = np.isin(np.arange(COLUMNS), categories)
    rows = x[np.random.default_rng(1).permutation(len(x))[:n]]
    named = "Adult" if place else "a made table"
    print(f"{timing.machine(['numpy', 'scikit-learn', 'shap'])}; {n:,} rows of {named}.\n")
    print("| model | baseline rows | coalitions | streamgauge | shap | faster by | error | error of shap |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    models = (
        HistGradientBoostingClassifier(early_stopping=False, random_state=0),
        GradientBoostingClassifier(),
    )
    for fitted in (model.fit(x, y) for model in models):
        for known in (means(x, categorical), prototypes(x[:3_000], categorical, 5, seed=0)):
            exact = ours(fitted, rows[:CHECKED], known, 2**COLUMNS)
            for samples in (100, 2 * COLUMNS + 2048):
                print(f"| {type(fitted).__name__} {line(fitted, rows, known, samples, exact)}", flush=True)


def line(fitted: Any, rows: Array, known: Background, samples: int, exact: Array) -> str:
    """One line of the table: both in turns on the same core."""
    background = DenseData(known.rows, [str(at) for at in range(COLUMNS)], None, known.weights)
    explainer = shap.KernelExplainer(lambda asked: fitted.predict_proba(asked)[:, 1], background)
    few, checked = rows[::SHARE], rows[:CHECKED]
    times = [time.perf_counter()]
    for _ in range(2):
        ours(fitted, rows, known, samples)
        times.append(time.perf_counter())
        explainer.shap_values(few, nsamples=samples, l1_reg=0, silent=True)
        times.append(time.perf_counter())
    taken = np.diff(times)
    fast, slow = len(rows) / min(taken[::2]), len(few) / min(taken[1::2])
    theirs = explainer.shap_values(checked, nsamples=samples, l1_reg=0, silent=True)
    errors = [np.sqrt(((v - exact) ** 2).mean()) for v in (ours(fitted, checked, known, samples), theirs)]
    rates = " | ".join(f"{timing.three_digits(rate)} rows/s" for rate in (fast, slow))
    said = " | ".join(f"{error:.5f}" for error in errors)
    return f"| {len(known.rows)} | {samples:,} | {rates} | {fast / slow:.1f} | {said} |"


def ours(fitted: Any, rows: Array, known: Background, samples: int) -> Array:
    """Values of the probability, shape (rows, features)."""
    parts = explain(lambda asked: fitted.predict_proba(asked)[:, 1], rows, known, samples, seed=0)
    return collected(parts).values[:, :, 0]


if __name__ == "__main__":
    main()
