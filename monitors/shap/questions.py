"""What a model is asked: rows of which a part is the background's, each different one once."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]
Hashes = NDArray[np.uint64]

_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_DOWN = np.uint64(32)


class Questions(Struct, frozen=True):
    """Each of some rows with each coalition over each background row, not written out: `x` (rows, features),
    `background` (background rows, features), and which features are the row's, `chosen` (rows, coalitions,
    features).

    A question's number is that of its row, coalition and background row, the last fastest.
    """

    x: Array
    background: Array
    chosen: NDArray[np.bool_]

    @classmethod
    def of(
        cls, rows: Array, plays: NDArray[np.bool_], masks: NDArray[np.bool_], background: Array
    ) -> "Questions":
        """Of rows in which as many features `plays` marks as there are players in `masks`."""
        chosen = np.zeros((len(rows), len(masks), rows.shape[1]), np.bool_)
        players = np.nonzero(plays)[1].reshape(len(plays), -1)
        places = np.broadcast_to(players[:, None, :], (len(rows), *masks.shape))
        np.put_along_axis(chosen, places, np.broadcast_to(masks, places.shape), axis=2)
        return cls(rows, background, chosen)

    def marks(self) -> Hashes:
        """A hash of each question, shape (questions,): the sum of those of its cells (Zobrist 1970).

        Two that differ share one by a chance of 2^-64.
        """
        with np.errstate(over="ignore"):
            ours, known = _cells(self.x), _cells(self.background)
            found = np.zeros((len(self.x), self.chosen.shape[1], len(known)), np.uint64)
            for feature in range(self.x.shape[1]):
                gain = ours[:, None, feature] - known[None, :, feature]  # (rows, background rows)
                found += self.chosen[:, :, None, feature] * gain[:, None, :]
            whole: Hashes = found + known.sum(axis=1, dtype=np.uint64)
            return whole.reshape(-1)

    def rows(self, numbers: NDArray[np.int64]) -> Array:
        """Some questions written out, shape (numbers, features)."""
        rest, known = np.divmod(numbers, len(self.background))
        row, coalition = np.divmod(rest, max(1, self.chosen.shape[1]))
        return np.where(self.chosen[row, coalition], self.x[row], self.background[known])


def _cells(rows: Array) -> Hashes:
    """A hash of each cell, by its value and feature; 0.0 and -0.0 are one, and so are all NaN."""
    plain = np.where(np.isnan(rows), np.nan, rows + 0.0)
    with np.errstate(over="ignore"):
        feature = (np.arange(rows.shape[1], dtype=np.uint64) + np.uint64(1)) * _FIRST
        found = (plain.view(np.uint64) ^ feature) * _SECOND
        found = (found ^ (found >> _DOWN)) * _FIRST
        found = (found ^ (found >> _DOWN)) * _SECOND
        mixed: Hashes = found ^ (found >> _DOWN)
        return mixed


def distinct(
    marks: Sequence[Hashes],
) -> tuple[list[NDArray[np.int64]], list[int], list[NDArray[np.int64]]]:
    """Of groups of questions by their marks: numbers (over all groups) of the first of each kind, by group,
    where each group's numbers start, and for every question, by group, the place of its kind's answer."""
    sizes = [len(group) for group in marks]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    _, first, inverse = np.unique(np.concatenate(marks), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # ascending numbers, so that groups stay apart
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    kept = first[order]
    cuts = np.searchsorted(kept, starts[1:-1])
    return np.split(kept, cuts), starts[:-1].tolist(), np.split(rank[inverse], starts[1:-1])
