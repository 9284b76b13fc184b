"""The standard deviation that is computed is that of drawing 80 % of the rows, over and over."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from monitors.model_quality.monitor import ModelQuality
from schemas.labelled import Labelled
from schemas.quality import Metric, Model

DRAWS = 600
ROWS = 1_000


def deviations(monitor: ModelQuality, columns: list[np.ndarray]) -> tuple[dict, dict]:
    """Of every metric: as computed, and over draws of 80 % of the rows."""

    def metrics(rows) -> dict[str, Metric]:
        found = monitor.metrics(monitor.observe(Labelled(*(pa.array(c[rows]) for c in columns))))
        return {name: figure for name, figure in found.items() if isinstance(figure, Metric)}

    rng = np.random.default_rng(5)
    draws = [metrics(rng.permutation(ROWS)[: ROWS * 4 // 5]) for _ in range(DRAWS)]
    computed = {name: figure.standard_deviation for name, figure in metrics(np.arange(ROWS)).items()}
    return computed, {name: np.std([draw[name].value for draw in draws]) for name in computed}


def data(problem: str) -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    if problem == "Regression":
        label = rng.normal(5.0, 2.0, ROWS)
        return [label + rng.normal(0.3, 1.0 + 0.2 * label**2 / 25, ROWS), label]
    probability = rng.beta(0.8, 2.0, ROWS).round(2)
    label = rng.random(ROWS) < probability
    if problem == "BinaryClassification":
        return [(probability > 0.4).astype(str), label.astype(str), probability]
    labels = rng.choice(["a", "b", "c"], ROWS, p=[0.6, 0.3, 0.1])
    return [np.where(rng.random(ROWS) < 0.7, labels, rng.choice(["a", "b", "c"], ROWS)), labels]


@pytest.mark.parametrize("problem", ["Regression", "BinaryClassification", "MulticlassClassification"])
def test_it_is_that_of_many_draws(problem):
    computed, drawn = deviations(ModelQuality(Model(problem, positive_label="1")), data(problem))
    for name, deviation in computed.items():
        assert deviation == pytest.approx(drawn[name], rel=0.12, abs=1e-9), name


def test_below_200_rows_there_is_none():
    labels = pa.array(np.arange(200.0))
    batch = Labelled(labels, pa.array(np.arange(200.0) * 1.1))
    monitor = ModelQuality(Model("Regression"))
    few, enough = (monitor.metrics(monitor.observe(batch.slice(0, n))) for n in (199, 200))
    assert {figure.standard_deviation for figure in few.values()} == {"NaN"}
    assert all(figure.standard_deviation > 0 for figure in enough.values())
