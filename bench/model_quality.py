"""Scored rows a second on one core, and the memory of states; prints Markdown.

python bench/model_quality.py [ROWS]

Rows come as batches of 5,000 that are observed and merged into one state, as the join stage does it. Joining
is not in these figures.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

import timing
from monitors.model_quality.estimate import Estimate
from monitors.model_quality.monitor import ModelQuality
from schemas.labelled import Labelled
from schemas.quality import Knots, Model
from schemas.rows import Rows

_BATCH = 5_000
_CLASSES = 10
GOAL = 200_000  # rows a second, joined and scored


def regression(n: int, rng: np.random.Generator) -> Labelled:
    """Rows of a regression, as doubles."""
    label = rng.normal(100.0, 10.0, n)
    return Labelled(pa.array(label + rng.normal(0.0, 3.0, n)), pa.array(label), None, _ids(n))


def binary(n: int, rng: np.random.Generator) -> Labelled:
    """Rows of a binary classifier, classes as text, each with a probability of its own."""
    probability = rng.beta(0.7, 2.0, n)
    label, prediction = rng.random(n) < probability, probability > 0.5
    text = np.array(["0", "1"])
    return Labelled(
        pa.array(text[prediction.astype(int)]),
        pa.array(text[label.astype(int)]),
        pa.array(probability),
        _ids(n),
    )


def multiclass(n: int, rng: np.random.Generator) -> Labelled:
    """Rows of ten classes as text, with a probability of the predicted one."""
    label, other = rng.integers(0, _CLASSES, n), rng.integers(0, _CLASSES, n)
    probability = rng.beta(4.0, 1.0, n)
    names = np.array([f"class {number}" for number in range(_CLASSES)])
    prediction = np.where(rng.random(n) < probability, label, other)
    return Labelled(pa.array(names[prediction]), pa.array(names[label]), pa.array(probability), _ids(n))


def _ids(n: int) -> pa.StringArray:
    return pa.array([f"{number:032x}" for number in range(n)])


def observed(monitor: Any, batches: list[Any]) -> Any:
    """The state of all batches."""
    state = monitor.observe(batches[0])
    for batch in batches[1:]:
        state = state.merge(monitor.observe(batch))
    return state


def line(name: str, monitor: Any, batches: list[Any], n: int) -> float:
    """Measure one monitor, and say its figures."""
    rate = n / timing.best(partial(observed, monitor, batches))
    state = observed(monitor, batches)
    size = sum(map(len, state.dump().values())) / 1024
    ending = timing.best(partial(monitor.finish, state)) * 1_000
    print(f"| {name} | {timing.three_digits(rate)} | {size:,.1f} KiB | {ending:,.1f} ms |")
    return rate


def _rows(batch: Labelled) -> Rows:
    at = np.arange(len(batch))
    return Rows(pa.table({"answer": batch.prediction, "score": batch.probability}), at, at)


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    timing.pin()
    pa.set_cpu_count(1)
    rng = np.random.default_rng(1)
    print(f"{timing.machine(['pyarrow', 'numpy'])}; {n:,} rows, best of three.\n")
    print("| problem | rows/s | state, dumped | finish |\n| --- | --- | --- | --- |")
    made: dict[str, Callable[[int, np.random.Generator], Labelled]] = {
        "Regression": regression,
        "BinaryClassification": binary,
        "MulticlassClassification": multiclass,
    }
    rates = []
    for problem, make in made.items():
        whole = make(n, rng)
        batches = [whole.slice(at, at + _BATCH) for at in range(0, n, _BATCH)]
        model = Model(problem, "answer", "truth", "score", "1", calibration=Knots([0.0, 1.0], [0.0, 1.0]))
        rates.append(line(problem, ModelQuality(model), batches, n))
        if problem == "BinaryClassification":
            rows = [_rows(batch) for batch in batches]
            rates.append(line("estimate (CBPE), binary", Estimate(model), rows, n))
    sys.exit(min(rates) < GOAL)


if __name__ == "__main__":
    main()
