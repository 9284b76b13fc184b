"""What the training data looked like: the statistics and constraints that windows are judged by."""

from collections.abc import Mapping

import numpy as np
from msgspec import UNSET, Struct
from numpy.typing import NDArray

from monitors.distances import Sample
from schemas.constraints import Constraints
from schemas.errors import BadBaseline
from schemas.layout import NUMERIC, Layout
from schemas.statistics import FeatureStatistics, NumericalStatistics, Statistics


class Reference(Struct, frozen=True):
    """A feature's baseline distribution: a weighted sample and bucket edges, or counts of categories.

    A `coarse` sample is the buckets themselves, each at its upper bound, because the values are withheld.
    """

    sample: Sample | None = None
    edges: NDArray[np.float64] | None = None
    counts: Mapping[str, int] | None = None
    coarse: bool = False


class Baseline(Struct, frozen=True):
    """Constraints of every feature, and its reference and the number of rows where statistics are known."""

    constraints: Constraints
    references: Mapping[str, Reference]
    rows: int | None = None

    @classmethod
    def of(cls, statistics: Statistics | None, constraints: Constraints) -> "Baseline":
        """Bring both files together. Raises BadBaseline when they do not speak of the same features."""
        known = {feature.name: feature for feature in statistics.features} if statistics else {}
        names = constraints.rules
        if known and (strange := [name for name in names if name not in known]):
            raise BadBaseline(
                f"constraints name features that the statistics do not have: {', '.join(strange[:5])}"
            )
        references = {name: _reference(known[name]) for name in names if name in known}
        return cls(constraints, references, statistics.dataset.item_count if statistics else None)

    def layout(self, outputs: tuple[str, ...] | None = None, position: str = "START") -> Layout:
        """Names and types of the columns, in the order of the constraints."""
        kinds = {name: rule.kind for name, rule in self.constraints.rules.items()}
        strange = [name for name in outputs or () if name not in kinds]
        if strange:
            raise BadBaseline(f"outputs that the baseline does not have: {', '.join(strange)}")
        return Layout(kinds, outputs, "END" if position == "END" else "START")


def _reference(feature: FeatureStatistics) -> Reference:
    numeric = feature.numerical_statistics
    if numeric is not UNSET and feature.inferred_type in NUMERIC:
        return _numeric_reference(feature.name, numeric)
    text = feature.string_statistics
    if text is UNSET or text.distribution is UNSET or text.distribution.categorical is UNSET:
        return Reference()
    return Reference(counts={b.value: b.count for b in text.distribution.categorical.buckets})


def _numeric_reference(name: str, numeric: NumericalStatistics) -> Reference:
    if numeric.distribution is UNSET or not numeric.distribution.kll.buckets:
        return Reference()
    kll = numeric.distribution.kll
    edges = np.array([kll.buckets[0].lower_bound, *(b.upper_bound for b in kll.buckets)])
    if (np.diff(edges) < 0).any():
        raise BadBaseline(f"statistics of {name}: bucket bounds do not ascend")
    if numeric.max is not None:  # as computed, the last bound may miss the largest value by a rounding error
        edges[-1] = max(edges[-1], numeric.max)
    coarse = kll.sketch is UNSET or not any(kll.sketch.data)
    if kll.sketch is not UNSET and not coarse:
        weights = [np.full(len(level), 2.0**i) for i, level in enumerate(kll.sketch.data)]
        values, weight = np.concatenate(kll.sketch.data), np.concatenate(weights)
    else:  # values withheld: each bucket's weight stands at its upper bound, where its rank is exact
        values, weight = edges[1:], np.array([bucket.count for bucket in kll.buckets])
    order = np.argsort(values, kind="stable")
    return Reference(Sample(values[order], weight[order]), edges, coarse=coarse)
