"""Count, moments and range of a number, as a state that merges."""

from math import inf, isfinite, sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray


class Moments(Struct, frozen=True):
    """Sufficient statistics of mean and standard deviation; `Moments()` is the identity of merge.

    Where values are so large that a figure passes what a double can hold, it is infinite or no number.

    >>> ab = Moments.of(np.array([1.0, 2.0])).merge(Moments.of(np.array([3.0])))
    >>> ab.n, ab.mean, ab.total, round(ab.std(), 4)
    (3, 2.0, 6.0, 0.8165)
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0  # sum of squared deviations from the mean
    total: float = 0.0
    low: float = inf
    high: float = -inf

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Moments":
        """Summarise finite `values`, shape (n,)."""
        if not len(values):
            return cls()
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(values.sum())
            mean = total / len(values) if isfinite(total) else float((values / len(values)).sum())
            m2 = float(np.square(values - mean).sum())
        return cls(len(values), mean, m2, total, float(values.min()), float(values.max()))

    def merge(self, other: "Moments") -> "Moments":
        """Combine two disjoint samples (Chan, Golub & LeVeque 1983)."""
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.n / n)
        if not isfinite(delta):
            mean = self.mean * (self.n / n) + other.mean * (other.n / n)
        return Moments(
            n,
            mean,
            self.m2 + other.m2 + delta * delta * (self.n * (other.n / n)),
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    def std(self) -> float | None:
        """Population standard deviation, as Model Monitor has it; None when nothing was seen."""
        return sqrt(self.m2 / self.n) if self.n else None
