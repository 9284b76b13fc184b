"""Checks of one feature against its rule, each with the words that Model Monitor uses."""

from collections.abc import Iterator, Mapping

import numpy as np

from monitors import distances
from monitors.baseline import Reference
from monitors.distances import Sample
from monitors.feature import FeatureState
from monitors.quantiles import bin_counts
from schemas.constraints import Rule
from schemas.layout import NUMERIC
from schemas.report import Drift, Violation

_SHOWN = 24  # categories in a report's distribution; the rest is one bin
_OTHER = "(other)"


def values(state: FeatureState, rule: Rule, rows: int) -> Iterator[Violation]:
    """Type, completeness, sign and domain of one feature's values."""
    share = state.types.share(rule.kind)
    if share < rule.type_share:
        yield Violation(
            rule.name,
            "data_type_check",
            f"Data type match requirement is not met. Expected data type: {rule.kind}, "
            f"Expected match: {rule.type_share * 100}%. "
            f"Observed: Only {share * 100}% of data is {rule.kind}.",
        )
    completeness = state.types.present / rows if rows else 1.0
    if rule.completeness is not None and completeness < rule.completeness:
        yield _value(rule.name, "completeness_check", completeness)
    if rule.kind in NUMERIC and rule.non_negative and state.moments.n and state.moments.low < 0:
        yield _value(rule.name, "non_negative_check", state.moments.low)
    inside = _domain_share(state, rule)
    if inside is not None and inside < rule.domain_share:
        yield _value(rule.name, "categorical_values_check", inside)


def _value(name: str, check: str, value: float) -> Violation:
    return Violation(name, check, f"Value: {value} does not meet the constraint requirement!")


def _domain_share(state: FeatureState, rule: Rule) -> float | None:
    """Share of values inside the domain, None where none is asked for or there is no value.

    Where there are too many different values to count each, it is the largest share that is possible: those
    that the domain has no room for (three standard errors allowed) are outside once at least.
    """
    present = state.types.present
    if rule.domains is None or rule.kind in NUMERIC or not present:
        return None
    counts = state.categories.counts
    if counts is None:
        return 1.0 - min(max(0.0, 0.95 * state.categories.distinct() - len(rule.domains)) / present, 1.0)
    return sum(n for value, n in counts.items() if value in rule.domains) / present


def drift(state: FeatureState, rule: Rule, reference: Reference) -> Drift | None:
    """Distance of one feature from its baseline; None where the baseline holds no distribution."""
    if reference.sample is not None and reference.edges is not None:
        return _numeric_drift(state, rule, reference.sample, reference.edges)
    if reference.counts is not None and state.categories.counts is not None:
        return _categorical_drift(state.categories.counts, rule, reference.counts)
    return None


def drift_violation(drift: Drift) -> Violation | None:
    """The violation that a distance above its threshold is; a p-value counts when below it."""
    if drift.distance is None:
        return None
    if drift.method == "ChiSquared":
        if drift.distance >= drift.threshold:
            return None
        text = f"Baseline drift p-value: {drift.distance} is below threshold: {drift.threshold}"
        return Violation(drift.feature_name, "baseline_drift_check", text)
    if drift.distance <= drift.threshold:
        return None
    text = f"Baseline drift distance: {drift.distance} exceeds threshold: {drift.threshold}"
    return Violation(drift.feature_name, "baseline_drift_check", text)


def _numeric_drift(state: FeatureState, rule: Rule, baseline: Sample, edges: np.ndarray) -> Drift:
    current = Sample(*state.quantiles.weighted())
    distance = distances.kolmogorov_smirnov(current, baseline)
    if distance is not None and rule.method == "Robust":
        distance = distances.robust(distance, current.n, baseline.n)
    shares = [(bin_counts(s.values, s.weights, edges) / max(s.n, 1.0)).tolist() for s in (baseline, current)]
    return Drift(rule.name, "numeric", distance, rule.distance, rule.method, edges.tolist(), *shares)


def _categorical_drift(counts: Mapping[str, int], rule: Rule, baseline: Mapping[str, int]) -> Drift:
    if rule.categorical_method == "ChiSquared":
        distance = distances.chi_squared(counts, baseline)
        method = "ChiSquared"
    else:
        distance = distances.l_infinity(counts, baseline)
        if distance is not None and rule.method == "Robust":
            distance = distances.robust(distance, sum(counts.values()), sum(baseline.values()))
        method = "LInfinity"
    bins = _shown(counts, baseline)
    shares = [_shares(part, bins) for part in (baseline, counts)]
    return Drift(rule.name, "categorical", distance, rule.categorical_distance, method, bins, *shares)


def _shown(counts: Mapping[str, int], baseline: Mapping[str, int]) -> list[str]:
    """The most frequent values of both, and one bin for all others."""
    total = {key: baseline.get(key, 0) + counts.get(key, 0) for key in {*baseline, *counts}}
    ranked = sorted(total, key=lambda key: (-total[key], key))
    return ranked if len(ranked) <= _SHOWN else [*ranked[: _SHOWN - 1], _OTHER]


def _shares(counts: Mapping[str, int], bins: list[str]) -> list[float]:
    n = sum(counts.values())
    shares = [counts.get(value, 0) / n if n else 0.0 for value in bins]
    if bins and bins[-1] == _OTHER:
        shares[-1] = max(0.0, 1.0 - sum(shares[:-1])) if n else 0.0
    return shares
