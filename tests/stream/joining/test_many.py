"""Many predictions and labels, shuffled, late by days: each match is found once, and memory has a bound."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas import ground_truth
from schemas.frame import Subject
from schemas.predictions import Predictions
from stream.joining.join import Join

HOUR = 3_600_000
DAY = 24 * HOUR
N, BATCH = 120_000, 3_000
SUBJECT = Subject("many")


def made(numbers: np.ndarray, times: np.ndarray) -> Predictions:
    each = pa.array(np.arange(len(numbers) + 1, dtype=np.int32))
    values = pa.ListArray.from_arrays(each, pa.array(numbers.astype(np.float64)))
    ids = pa.array([f"id-{number}" for number in numbers.tolist()])
    none = pa.ListArray.from_arrays(each, pa.nulls(len(numbers), pa.float64()))
    return Predictions(SUBJECT, np.arange(len(numbers)), ids, times, values, none)


def labels(numbers: np.ndarray) -> tuple[pa.StringArray, pa.StringArray]:
    names = numbers.tolist()
    return pa.array([f"id-{number}" for number in names]), pa.array([f"C{number}" for number in names])


def in_order(delay: int, seed: int = 5) -> tuple[np.ndarray, list[tuple[int, str, np.ndarray]]]:
    """Event times, and batches of both sides in the order in which they come."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, 10 * DAY, N))
    came = {"predicted": times + rng.integers(0, HOUR, N), "labelled": times + rng.integers(-HOUR, delay, N)}
    found = []
    for side, when in came.items():
        order = np.argsort(when, kind="stable")
        for start in range(0, N, BATCH):
            rows = rng.permutation(order[start : start + BATCH])
            found.append((int(when[order[start]]), side, rows))
    return times, sorted(found, key=lambda batch: batch[0])


@pytest.mark.parametrize("restart_at", [None, 7, 41])
def test_each_match_is_found_once_however_late(restart_at):
    times, parts = in_order(delay=3 * DAY)
    stored: dict[str, bytes] = {}
    join = Join(HOUR, 7 * DAY, 1 << 40, ground_truth.values, {})
    seen = np.zeros(N, np.int64)
    for number, (when, side, rows) in enumerate(parts):
        if side == "predicted":
            joined = join.predictions(made(rows, times[rows]), np.full(len(rows), -1, np.int64))
            join.advance(SUBJECT, when - HOUR)
        else:
            joined = join.labels(*labels(rows))
        for part in joined:
            (found,) = part.rows
            assert found.prediction.to_pylist() == list(map(float, found.label.to_pylist()))
            matched = np.asarray(found.prediction, np.int64)
            assert (times[matched] // HOUR * HOUR == part.start).all()
            seen[matched] += 1
        if restart_at and number % restart_at == 0:
            for name, value in join.checkpoint().items():
                stored.pop(name, None) if value is None else stored.update({name: value})
            join = Join(HOUR, 7 * DAY, 1 << 40, ground_truth.values, dict(stored))
    assert (seen == 1).all()
    assert (join.counts.matched, join.counts.duplicates, join.counts.expired_predictions) == (N, 0, 0)


def test_what_is_kept_has_a_bound_and_what_is_lost_for_it_is_counted():
    times, parts = in_order(delay=3 * DAY)
    limit = 3 << 19
    join = Join(HOUR, 7 * DAY, limit, ground_truth.values, {})
    gone = 0
    for when, side, rows in parts:
        if side == "predicted":
            join.predictions(made(rows, times[rows]), np.full(len(rows), -1, np.int64))
            join.advance(SUBJECT, when - HOUR)
        else:
            join.labels(*labels(rows))
        gone += sum(n for *_, n in join.make_room())
        assert join.nbytes <= limit
    counts = join.counts
    assert counts.matched + counts.expired_predictions + join.waiting[0] == N
    assert 0 < gone == counts.expired_predictions < N // 2


def test_a_checkpoint_holds_what_changed_and_no_more():
    times, parts = in_order(delay=HOUR)
    join = Join(HOUR, 7 * DAY, 1 << 40, ground_truth.values, {})
    sizes = []
    for _, side, rows in parts:
        if side == "predicted":
            join.predictions(made(rows, times[rows]), np.full(len(rows), -1, np.int64))
        else:
            join.labels(*labels(rows))
        sizes.append(sum(len(value or b"") for value in join.checkpoint().values()))
    stored = 2 * N * 50
    assert sum(sizes) < 6 * stored, "each row is written a few times, as runs are merged"
    assert max(len(value or b"") for value in join.checkpoint().values()) < 900_000
