"""Which coalitions of features a game is played with, and how Shapley values are read off their worth."""

from functools import lru_cache
from itertools import combinations
from math import comb, factorial

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

_ENUMERATE = 200_000  # subsets of one size that are written down rather than drawn


class Design(Struct, frozen=True):
    """Coalitions `masks`, shape (coalitions, players), neither the empty one nor that of all, and the linear
    map that takes their worth to Shapley values; `exact` where every coalition is there.

    The same design serves every row with so many players: the map is worked out once.
    """

    masks: NDArray[np.bool_]
    reads: NDArray[np.float64]  # (players, coalitions)
    exact: bool

    def values(self, worth: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shapley values, shape (rows, players, outputs), which sum to `whole` exactly.

        `worth` of the coalitions (rows, coalitions, outputs) and `whole`, that of all players (rows,
        outputs), are both counted from the worth of none.
        """
        players = self.masks.shape[1]
        even = whole[:, None, :] / players
        sizes = self.masks.sum(axis=1)[None, :, None]
        found: NDArray[np.float64] = np.matmul(self.reads, worth - sizes * even) + even
        return found


def design(players: int, num_samples: int, seed: int | None) -> Design:
    """Coalitions of so many players: all 2^players - 2 where `num_samples` allows it, else a sample.

    The sample is paired (a coalition and its complement), without repetition, and stratified by size: small
    and large coalitions, which weigh most, come whole, the others share what is left. Together those of a
    size weigh what the Shapley kernel gives them, (d-1) / (s (d-s)).

    Source: Lundberg & Lee 2017 (the kernel); Covert & Lee 2021 (pairs); Musco & Witter 2025 (no repetition).

    >>> design(3, 100, None).masks.shape, design(3, 100, None).exact
    ((6, 3), True)
    >>> design(20, 100, 0).masks.shape
    (100, 20)
    """
    if players < 2:
        return Design(np.empty((0, players), np.bool_), np.empty((players, 0)), True)
    if players < 63 and 2**players - 2 <= num_samples:
        return _complete(players)
    return _sampled(players, num_samples, None) if seed is None else _repeatable(players, num_samples, seed)


@lru_cache(32)
def _complete(players: int) -> Design:
    """All coalitions, with Shapley's own weights: s! (d-s-1)! / d! for a player who joins s others."""
    codes = np.arange(1, 2**players - 1)
    masks = (codes[:, None] >> np.arange(players) & 1).astype(np.bool_)
    joins = np.array([factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)])
    sizes = masks.sum(axis=1)
    with_, without = joins[sizes - 1], joins[np.minimum(sizes, players - 1)]
    return Design(masks, np.where(masks, with_[:, None], -without[:, None]).T.copy(), True)


@lru_cache(32)
def _repeatable(players: int, num_samples: int, seed: int) -> Design:
    return _sampled(players, num_samples, seed)


def _sampled(players: int, num_samples: int, seed: int | None) -> Design:
    """A sample of pairs, read by least squares within the values that sum to the whole."""
    random = np.random.default_rng(seed)
    shares = _shares(players, max(1, num_samples // 2))
    masks, weights = [], []
    for size, pairs in shares.items():
        found = _subsets(players, size, pairs, random)
        masks += [found, ~found]
        kernel = (players - 1) / (size * (players - size))  # of all coalitions of the size together
        weights += [np.full(2 * len(found), kernel / (2 * len(found)) * (1 if 2 * size == players else 2))]
    mask = np.concatenate(masks)
    plane = mask - mask.mean(axis=1, keepdims=True)  # of values that sum to 0
    moved = plane * np.concatenate(weights)[:, None]
    inverse = np.linalg.pinv(moved.T @ plane, rcond=1e-10, hermitian=True)  # it is singular by intention
    return Design(mask, inverse @ moved.T, False)


def _shares(players: int, pairs: int) -> dict[int, int]:
    """How many pairs to take of each size up to the half: by the kernel's weight of the size, all of it where
    its share is enough, and what such sizes leave goes to the larger ones."""
    sizes = range(1, players // 2 + 1)
    weight = {s: (1 if 2 * s == players else 2) / (s * (players - s)) for s in sizes}
    taken: dict[int, int] = {}
    left = pairs
    for size in sizes:
        share = weight[size] / sum(weight[other] for other in sizes if other >= size)
        taken[size] = min(_pairs(players, size), round(left * share) or min(1, left))
        left -= taken[size]
    return {size: n for size, n in taken.items() if n}


def _pairs(players: int, size: int) -> int:
    """How many pairs of complements one of this size makes with one of the others."""
    return comb(players, size) // (2 if 2 * size == players else 1)


def _subsets(players: int, size: int, n: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """`n` different subsets of a size, of which no two are complements of one another."""
    half = 2 * size == players
    total = _pairs(players, size)
    if total <= _ENUMERATE:
        listed = combinations(range(1, players), size - 1) if half else combinations(range(players), size)
        chosen = np.array([(0, *c) if half else c for c in listed])
        chosen = chosen if n >= total else chosen[random.choice(total, n, replace=False)]
    else:
        chosen = np.empty((0, size), np.int64)
        while len(chosen) < n:
            drawn = np.sort(np.argsort(random.random((n, players)), axis=1)[:, :size], axis=1)
            if half:
                drawn = drawn[drawn[:, 0] == 0]
            both = np.concatenate([chosen, drawn])
            _, first = np.unique(both, axis=0, return_index=True)
            chosen = both[np.sort(first)]
        chosen = chosen[:n]
    masks = np.zeros((len(chosen), players), np.bool_)
    np.put_along_axis(masks, chosen, True, axis=1)
    return masks
