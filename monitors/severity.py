"""How severe a violation is, by one rule for all features."""

from math import inf

from schemas.report import Drift, Severity


def of_drift(drift: Drift) -> Severity:
    """By distance / threshold: low below 1.5, medium below 2.5, high from there on. At the usual threshold of
    0.1 the last mark is 0.25, where the stability index is read as a large shift.

    ChiSquared's p-value counts when it is small: there it is threshold / p-value.

    >>> of_drift(Drift("carrier", "categorical", 0.2, 0.1, "PSI", [], [], []))
    'medium'
    """
    large, small = drift.distance or 0.0, drift.threshold
    if drift.method == "ChiSquared":
        large, small = small, large
    return of_ratio(large, small)


def of_ratio(large: float, small: float) -> Severity:
    """By how many times `small`, what is allowed, goes into `large`; see `of_drift`.

    >>> of_ratio(0.4, 0.2), of_ratio(0.1, 0.0)
    ('medium', 'high')
    """
    ratio = large / small if small else inf
    return "low" if ratio < 1.5 else "medium" if ratio < 2.5 else "high"


def of_share(short: float) -> Severity:
    """By the share of values that a constraint is missed by: low below 1 %, medium below 10 %, then high.

    >>> of_share(0.003), of_share(0.03), of_share(0.3)
    ('low', 'medium', 'high')
    """
    return "low" if short < 0.01 else "medium" if short < 0.1 else "high"
