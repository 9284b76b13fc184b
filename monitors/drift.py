"""Drift of one feature: its distance from the baseline, the size of the change, and if chance explains it."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from monitors import distances, severity, significance
from monitors.baseline import Reference
from monitors.distances import Sample
from monitors.feature import FeatureState
from monitors.methods import CATEGORICAL, NUMERIC
from monitors.quantiles import RANK_ERROR, K, bin_counts
from schemas.constraints import Rule
from schemas.report import Drift, Violation

_SHOWN = 24  # categories in a report's distribution; the rest is one bin
_OTHER = "(other)"


def measure(
    state: FeatureState, rule: Rule, reference: Reference, minimum: int = 0, least: int = 0
) -> Drift | None:
    """Drift of one feature; None where the baseline holds no distribution. Below `minimum` values on either
    side there are not enough to judge by. Categories that neither side has `least` times are not named."""
    if reference.sample is not None and reference.edges is not None:
        return _numeric(state, rule, reference, reference.sample, reference.edges, minimum)
    if reference.counts is not None and state.categories.counts is not None:
        return _categorical(state.categories.counts, rule, reference.counts, minimum, least)
    return None


def violation(drift: Drift, rate: float = 1.0, event_ids: Sequence[str] = ()) -> Violation | None:
    """The violation that a distance above its threshold is (a p-value: below it), where there are values
    enough and a false-discovery rate of `rate` is kept; at 1.0 every distance counts."""
    if drift.distance is None or not drift.enough or not significance.holds(drift.q_value, rate):
        return None
    if drift.method == "ChiSquared":
        beyond, text = drift.distance < drift.threshold, "p-value: {} is below threshold: {}"
    else:
        beyond, text = drift.distance > drift.threshold, "distance: {} exceeds threshold: {}"
    if not beyond:
        return None
    return Violation(
        drift.feature_name,
        "baseline_drift_check",
        f"Baseline drift {text.format(drift.distance, drift.threshold)}",
        rows=drift.rows,
        severity=severity.of_drift(drift),
        sample_event_ids=list(event_ids) or UNSET,
    )


def _numeric(
    state: FeatureState,
    rule: Rule,
    reference: Reference,
    baseline: Sample,
    edges: NDArray[np.float64],
    minimum: int,
) -> Drift:
    whole = Sample(*state.quantiles.weighted())
    current = whole.coarse(edges) if reference.coarse else whole
    effect = distances.kolmogorov_smirnov(current, baseline)
    before = bin_counts(baseline.values, baseline.weights, edges)
    if reference.coarse:  # its weights are those of the buckets
        before = np.concatenate(([0.0], baseline.weights, [0.0]))
    now = bin_counts(whole.values, whole.weights, edges)
    return Drift(
        rule.name,
        "numeric",
        _by_method(effect, rule, current, baseline),
        rule.distance,
        rule.method,
        edges.tolist(),
        (before / max(baseline.n, 1.0)).tolist(),
        (now / max(whole.n, 1.0)).tolist(),
        effect=effect,
        p_value=None if effect is None else _p_value(effect, current.n, baseline.n),
        rows=int(current.n),
        enough=min(current.n, baseline.n) >= minimum,
    )


def _by_method(effect: float | None, rule: Rule, current: Sample, baseline: Sample) -> float | None:
    """The distance that the rule asks for."""
    if effect is None or rule.method == "Simple":
        return effect
    if rule.method == "Robust":
        return distances.robust(effect, current.n, baseline.n)
    return NUMERIC[rule.method](current, baseline)


def _p_value(effect: float, n: float, m: float) -> float:
    """p-value of the largest difference of the distributions, less what sketching alone can have added."""
    error = RANK_ERROR * sum(size > K for size in (n, m))
    return significance.kolmogorov_smirnov(max(0.0, effect - error), n, m)


def _categorical(
    counts: Mapping[str, int], rule: Rule, baseline: Mapping[str, int], minimum: int, least: int
) -> Drift:
    method = rule.categorical_method
    n, m = sum(counts.values()), sum(baseline.values())
    distance = CATEGORICAL[method](counts, baseline)
    if distance is not None and method == "LInfinity" and rule.method == "Robust":
        distance = distances.robust(distance, n, m)
    effect = significance.cramers_v if method == "ChiSquared" else distances.l_infinity
    bins = _shown(counts, baseline, least)
    return Drift(
        rule.name,
        "categorical",
        distance,
        rule.categorical_distance,
        method,
        bins,
        _shares(baseline, bins),
        _shares(counts, bins),
        effect=effect(counts, baseline),
        p_value=significance.homogeneity(counts, baseline),
        rows=n,
        enough=min(n, m) >= minimum,
    )


def _shown(counts: Mapping[str, int], baseline: Mapping[str, int], least: int) -> list[str]:
    """The most frequent values of both, and one bin for all others."""
    total = {key: baseline.get(key, 0) + counts.get(key, 0) for key in {*baseline, *counts}}
    ranked = sorted(total, key=lambda key: (-total[key], key))
    named = [key for key in ranked if max(baseline.get(key, 0), counts.get(key, 0)) >= least]
    return ranked if len(named) == len(ranked) <= _SHOWN else [*named[: _SHOWN - 1], _OTHER]


def _shares(counts: Mapping[str, int], bins: list[str]) -> list[float]:
    n = sum(counts.values())
    shares = [counts.get(value, 0) / n if n else 0.0 for value in bins]
    if bins and bins[-1] == _OTHER:
        shares[-1] = max(0.0, 1.0 - sum(shares[:-1])) if n else 0.0
    return shares
