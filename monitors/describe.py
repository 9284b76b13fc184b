"""From states to statistics.json, and from statistics to suggested constraints.json."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType

from monitors.feature import FeatureState
from monitors.quantiles import Quantiles
from schemas.constraints import DEFAULTS
from schemas.layout import NUMERIC, Kind
from schemas.statistics import (
    Bucket,
    Categorical,
    CategoryCount,
    Common,
    Dataset,
    FeatureStatistics,
    Kll,
    NumericalStatistics,
    NumericDistribution,
    Sketch,
    SketchParameters,
    Statistics,
    StringDistribution,
    StringStatistics,
)

BUCKETS = 10
LOW_CARDINALITY = 120  # up to so many different values are listed, as Deequ does by default
LEAST = 5  # how often a value must occur to be told where values are withheld


def statistics(
    features: Mapping[str, FeatureState],
    rows: int,
    expected: Mapping[str, Kind] | None = None,
    withhold: bool = False,
) -> Statistics:
    """The statistics document of `rows` rows. `expected` are the types that a baseline has.

    `withhold` leaves out what shows the values of single rows: the sketch of a number, and the categories of
    a feature that has one fewer than 5 times.
    """
    kinds = expected or {}
    described = [_feature(name, state, rows, kinds.get(name), withhold) for name, state in features.items()]
    return Statistics(Dataset(rows), described)


def _feature(
    name: str, state: FeatureState, rows: int, expected: Kind | None, withhold: bool
) -> FeatureStatistics:
    kind = state.kind(expected)
    if kind in NUMERIC:
        return FeatureStatistics(name, kind, numerical_statistics=_numerical(state, rows, withhold))
    if kind == "Unknown":
        return FeatureStatistics(name, kind)
    return FeatureStatistics(name, "String", string_statistics=_string(state, rows, withhold))


def _numerical(state: FeatureState, rows: int, withhold: bool) -> NumericalStatistics:
    moments = state.moments
    return NumericalStatistics(
        common=Common(moments.n, rows - moments.n),
        mean=_finite(moments.mean),
        sum=_finite(moments.total),
        std_dev=_finite(moments.std()),
        min=moments.low,
        max=moments.high,
        approximate_num_distinct_values=state.distinct.estimate(),
        completeness=moments.n / rows,
        distribution=NumericDistribution(_kll(state.quantiles, moments.low, moments.high, withhold)),
    )


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: a sum that passes what a double can hold is none."""
    return value if value is not None and isfinite(value) else None


def _edges(low: float, high: float) -> list[float]:
    """Bounds of buckets of equal width, computed in AWS's order so that they agree bit for bit."""
    if isfinite((high - low) * BUCKETS):
        return [low + (high - low) * i / BUCKETS for i in range(BUCKETS + 1)]
    return [low * (1 - i / BUCKETS) + high * (i / BUCKETS) for i in range(BUCKETS + 1)]


def _kll(quantiles: Quantiles, low: float, high: float, withhold: bool) -> Kll:
    edges = np.array(_edges(low, high))
    counts = quantiles.counts(np.append(edges[:-1], high))[1:-1]
    buckets = [
        Bucket(float(a), float(b), float(count))
        for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return Kll(buckets) if withhold else Kll(buckets, Sketch(SketchParameters(), quantiles.levels()))


def _string(state: FeatureState, rows: int, withhold: bool) -> StringStatistics:
    present = state.types.present
    counts = state.categories.counts
    distribution: StringDistribution | UnsetType = UNSET
    is_rare = withhold and counts is not None and any(count < LEAST for count in counts.values())
    if counts is not None and len(counts) <= LOW_CARDINALITY and not is_rare:
        buckets = [CategoryCount(value, count) for value, count in sorted(counts.items())]
        distribution = StringDistribution(Categorical(buckets))
    return StringStatistics(
        common=Common(present, rows - present),
        distinct_count=state.categories.distinct(),
        completeness=present / rows if rows else 0.0,
        distribution=distribution,
    )


def suggest(described: Statistics) -> dict[str, Any]:
    """The constraints document that Model Monitor suggests for a baseline."""
    features = [_suggest_feature(feature, described.dataset.item_count) for feature in described.features]
    return {"version": 0.0, "features": features, "monitoring_config": DEFAULTS}


def _suggest_feature(feature: FeatureStatistics, rows: int) -> dict[str, Any]:
    suggestion: dict[str, Any] = {"name": feature.name, "inferred_type": feature.inferred_type}
    numeric, text = feature.numerical_statistics, feature.string_statistics
    described = numeric if numeric is not UNSET else text
    present = described.common.num_present if described is not UNSET else 0
    suggestion["completeness"] = present / rows if rows else 0.0
    if numeric is not UNSET:
        suggestion["num_constraints"] = {"is_non_negative": numeric.min is not None and numeric.min >= 0}
    elif text is not UNSET and text.distribution is not UNSET and text.distribution.categorical is not UNSET:
        domains = [bucket.value for bucket in text.distribution.categorical.buckets]
        suggestion["string_constraints"] = {"domains": domains}
    return suggestion
