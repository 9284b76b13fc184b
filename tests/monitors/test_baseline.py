"""A baseline from its two files, and what of it a window is compared with."""

import numpy as np
import pytest
from msgspec import UNSET

from monitors.baseline import Baseline
from schemas import constraints
from schemas.errors import BadBaseline
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

BUCKETS = [Bucket(0.0, 1.0, 3.0), Bucket(1.0, 2.0, 1.0)]


def numeric(data=None, buckets=BUCKETS, highest: float | None = 2.0) -> FeatureStatistics:
    sketch = Sketch(SketchParameters(), data) if data is not None else UNSET
    kll = NumericDistribution(Kll(buckets, sketch))
    return FeatureStatistics(
        "f", "Fractional", NumericalStatistics(Common(4, 0), max=highest, distribution=kll)
    )


def reference(feature: FeatureStatistics):
    rules = constraints.of({"features": [{"name": "f", "inferred_type": feature.inferred_type}]})
    return Baseline.of(Statistics(Dataset(4), [feature]), rules).references["f"]


def test_a_sketch_item_weighs_two_to_the_power_of_its_level():
    found = reference(numeric([[3.0, 1.0], [2.0], [0.5]])).sample
    assert found.values.tolist() == [0.5, 1.0, 2.0, 3.0]
    assert found.weights.tolist() == [4.0, 1.0, 2.0, 1.0]
    assert found.n == 8.0


@pytest.mark.parametrize("data", [None, [], [[]]])
def test_without_a_sketch_each_bucket_stands_at_its_upper_bound(data):
    found = reference(numeric(data))
    assert (found.sample.values.tolist(), found.sample.weights.tolist()) == ([1.0, 2.0], [3.0, 1.0])
    assert found.edges.tolist() == [0.0, 1.0, 2.0]


def test_the_last_edge_never_misses_the_largest_value():
    """0.1 + (0.7 - 0.1) * 10 / 10 is a rounding error below or above 0.7, as it happens."""
    assert reference(numeric([[1.0]], highest=np.nextafter(2.0, 3.0))).edges[-1] > 2.0
    assert reference(numeric([[1.0]], highest=1.5)).edges[-1] == 2.0


def test_bounds_that_do_not_ascend_are_refused():
    with pytest.raises(BadBaseline, match="statistics of f: bucket bounds do not ascend"):
        reference(numeric(None, [Bucket(0.0, 2.0, 1.0), Bucket(2.0, 1.0, 1.0)]))


@pytest.mark.parametrize(
    "feature",
    [
        FeatureStatistics("f", "Unknown"),
        FeatureStatistics("f", "Fractional", NumericalStatistics(Common(0, 4))),
        numeric(None, []),
        FeatureStatistics("f", "String", string_statistics=StringStatistics(Common(4, 0), 3.0)),
        FeatureStatistics(
            "f", "String", string_statistics=StringStatistics(Common(4, 0), distribution=StringDistribution())
        ),
    ],
)
def test_a_feature_without_a_distribution_is_compared_with_nothing(feature):
    found = reference(feature)
    assert (found.sample, found.edges, found.counts) == (None, None, None)


def test_categories_are_compared_by_their_counts():
    buckets = Categorical([CategoryCount("a", 3), CategoryCount("b", 1)])
    text = StringStatistics(Common(4, 0), 2.0, distribution=StringDistribution(buckets))
    assert reference(FeatureStatistics("f", "String", string_statistics=text)).counts == {"a": 3, "b": 1}


def test_constraints_of_features_that_the_statistics_lack_are_refused():
    rules = constraints.of({"features": [{"name": n, "inferred_type": "String"} for n in ("f", "g", "h")]})
    with pytest.raises(BadBaseline, match="features that the statistics do not have: g, h"):
        Baseline.of(Statistics(Dataset(4), [numeric(None)]), rules)


def test_constraints_alone_are_a_baseline_without_distributions():
    rules = constraints.of({"features": [{"name": "f", "inferred_type": "String"}]})
    assert Baseline.of(None, rules).references == {}


def test_a_layout_has_the_constraints_columns_and_refuses_outputs_that_are_none():
    rules = constraints.of({"features": [{"name": n, "inferred_type": "String"} for n in ("b", "a")]})
    baseline = Baseline.of(None, rules)
    assert list(baseline.layout().columns) == ["b", "a"]
    assert baseline.layout(("a",), "END").output_position == "END"
    with pytest.raises(BadBaseline, match="outputs that the baseline does not have: x, y"):
        baseline.layout(("x", "a", "y"))
