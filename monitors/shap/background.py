"""What stands for an unknown feature: the rows of a data set, boiled down to a few."""

import numpy as np
from numpy.typing import NDArray

from monitors.shap.kernel import Array, Background

MOST_CLUSTERS = 12  # Clarify's, where the number is left open
_ROUNDS = 50
_STARTS = 4


def means(rows: Array, categorical: NDArray[np.bool_]) -> Background:
    """One row: the mean of each number, the most frequent code of each category. Missing values are passed
    over; a column of nothing else stays missing.

    >>> means(np.array([[1.0, 7.0], [3.0, 7.0], [np.nan, 8.0]]), np.array([False, True])).rows
    array([[2., 7.]])
    """
    return Background.of(_centre(rows, categorical)[None])


def prototypes(
    rows: Array, categorical: NDArray[np.bool_], clusters: int | None = None, seed: int | None = None
) -> Background:
    """A row for each of `clusters` clusters, which weighs as many as it stands for.

    k-means, or with `categorical` columns, shape (features,), k-prototypes: the squared distance of numbers
    in standard deviations, and half for each category that differs. Without `clusters` there are as many, up
    to 12, as where a further one stops to pay: the point of the falling curve of distances that is farthest
    from the line between its ends. The features of a row may be missing: they are at the mean.

    Source: Huang 1998 (k-prototypes); Arthur & Vassilvitskii 2007 (starts).
    """
    random = np.random.default_rng(seed)
    scaled = _scaled(rows, categorical)
    most = len(np.unique(scaled, axis=0))
    if clusters is not None:
        groups = _clustered(scaled, categorical, min(clusters, most), random)[0]
        return _of_groups(rows, categorical, groups)
    tried = [_clustered(scaled, categorical, k, random) for k in range(1, min(MOST_CLUSTERS, most) + 1)]
    return _of_groups(rows, categorical, tried[_elbow([cost for _, cost in tried])][0])


def _of_groups(rows: Array, categorical: NDArray[np.bool_], groups: NDArray[np.int64]) -> Background:
    kept, counts = np.unique(groups, return_counts=True)
    return Background.of(
        np.array([_centre(rows[groups == g], categorical) for g in kept]), counts.astype(np.float64)
    )


def _elbow(costs: list[float]) -> int:
    curve = np.array(costs)
    if len(curve) < 3 or curve[0] <= curve[-1]:
        return 0
    line = np.linspace(curve[0], curve[-1], len(curve))
    return int(np.argmax(line - curve))


def _centre(rows: Array, categorical: NDArray[np.bool_]) -> Array:
    found = np.full(rows.shape[1], np.nan)
    for column, values in enumerate(rows.T):
        known = values[~np.isnan(values)]
        if len(known):
            found[column] = _mode(known) if categorical[column] else known.mean()
    return found


def _mode(values: Array) -> float:
    codes, counts = np.unique(values, return_counts=True)
    return float(codes[np.argmax(counts)])


def _scaled(rows: Array, categorical: NDArray[np.bool_]) -> Array:
    """Numbers in standard deviations from their mean; missing ones at it, missing categories one of their
    own."""
    scaled = rows.copy()
    for column in range(rows.shape[1]):
        values = scaled[:, column]
        missing = np.isnan(values)
        if categorical[column]:
            values[missing] = -1.0
        elif not missing.all():
            spread = values[~missing].std() or 1.0
            values[~missing] = (values[~missing] - values[~missing].mean()) / spread
            values[missing] = 0.0
        else:
            values[:] = 0.0
    return scaled


def _distances(rows: Array, centres: Array, categorical: NDArray[np.bool_]) -> Array:
    """Shape (rows, centres)."""
    numbers, codes = ~categorical, categorical
    found = ((rows[:, None, numbers] - centres[None, :, numbers]) ** 2).sum(axis=2)
    differ: Array = found + 0.5 * (rows[:, None, codes] != centres[None, :, codes]).sum(axis=2)
    return differ


def _clustered(
    rows: Array, categorical: NDArray[np.bool_], clusters: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], float]:
    """(cluster of each row, sum of distances), the best of a few starts."""
    runs = (_run(rows, categorical, clusters, random) for _ in range(_STARTS))
    return min(runs, key=lambda run: run[1])


def _run(
    rows: Array, categorical: NDArray[np.bool_], clusters: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], float]:
    centres = _start(rows, categorical, clusters, random)
    groups = np.full(len(rows), -1)
    for _ in range(_ROUNDS):
        distances = _distances(rows, centres, categorical)
        nearest = np.argmin(distances, axis=1)
        if (nearest == groups).all():
            break
        groups = nearest
        for cluster in np.unique(groups):
            centres[cluster] = _centre(rows[groups == cluster], categorical)
    return groups, float(distances.min(axis=1).sum())


def _start(rows: Array, categorical: NDArray[np.bool_], clusters: int, random: np.random.Generator) -> Array:
    """Rows that are far apart, drawn by their distance from those chosen before."""
    chosen = [int(random.integers(len(rows)))]
    while len(chosen) < clusters:
        far = _distances(rows, rows[chosen], categorical).min(axis=1)
        chosen.append(int(random.choice(len(rows), p=far / far.sum())))
    return rows[chosen].copy()
