"""Agreement with what the real AWS containers made of real data (recovered-semantics.md, points 1 to 11)."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from msgspec import UNSET

from monitors.data_quality import profile
from monitors.describe import suggest
from monitors.quantiles import RANK_ERROR
from schemas.statistics import FeatureStatistics, Statistics, parse

MOMENTS = ("mean", "sum", "std_dev", "min", "max")


class Pair(NamedTuple):
    """What we make of a data set, and what AWS made of it."""

    ours: Statistics
    theirs: Statistics
    constraints: dict

    def features(self) -> list[tuple[FeatureStatistics, FeatureStatistics]]:
        return list(zip(self.ours.features, self.theirs.features, strict=True))


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def table(text: bytes, header: bool) -> pa.Table:
    """A CSV of text alone, named as Spark does where it has no header; types are for `profile` to tell."""
    first = text.partition(b"\n")[0].decode().strip().split(",")
    names = first if header else [f"_c{i}" for i in range(len(first))]
    return pyarrow.csv.read_csv(
        io.BytesIO(text),
        read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=int(header)),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )


def load(folder: Path, data: str, header: bool, statistics: str) -> Pair:
    ours = profile(table(read(folder / data), header))
    return Pair(ours, parse(read(folder / statistics)), json.loads(read(folder / "constraints.json")))


@pytest.fixture(scope="module")
def small(shared: Path) -> Pair:
    return load(shared / "data/pairs/sdk-data-quality", "baseline_dataset.csv", False, "statistics.json")


@pytest.fixture(scope="module")
def housing(shared: Path) -> Pair:
    return load(shared / "data/pairs/housing-data-quality", "train_data.csv.gz", True, "statistics.json.gz")


@pytest.fixture(params=["small", "housing"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return request.getfixturevalue(request.param)


def test_names_rows_and_types_are_awss(pair):
    assert pair.ours.dataset == pair.theirs.dataset
    for ours, theirs in pair.features():
        assert (ours.name, ours.inferred_type) == (theirs.name, theirs.inferred_type)


def test_moments_are_awss_to_the_order_of_summation(pair):
    for ours, theirs in pair.features():
        if theirs.numerical_statistics is not UNSET:
            for figure in MOMENTS:
                found, real = (getattr(f.numerical_statistics, figure) for f in (ours, theirs))
                assert found == pytest.approx(real, rel=1e-12, abs=0), (ours.name, figure)


def test_counts_of_present_and_missing_values_and_completeness_are_awss(pair):
    for ours, theirs in pair.features():
        for kind in ("numerical_statistics", "string_statistics"):
            found, real = getattr(ours, kind), getattr(theirs, kind)
            assert (found is UNSET) == (real is UNSET)
            if real is not UNSET:
                assert found.common == real.common
                assert real.completeness in (UNSET, found.completeness)


def test_bounds_of_buckets_are_awss_bit_for_bit(pair):
    compared = 0
    for ours, theirs in pair.features():
        if theirs.numerical_statistics is not UNSET:
            found, real = (f.numerical_statistics.distribution.kll.buckets for f in (ours, theirs))
            assert [(b.lower_bound, b.upper_bound) for b in found] == [
                (b.lower_bound, b.upper_bound) for b in real
            ]
            compared += len(found)
    assert compared == 10 * sum(f.numerical_statistics is not UNSET for f in pair.theirs.features)


def test_counts_of_buckets_and_the_sketch_are_awss_where_a_sketch_is_exact(small):
    for ours, theirs in small.features():
        found, real = (f.numerical_statistics.distribution.kll for f in (ours, theirs))
        assert [b.count for b in found.buckets] == [b.count for b in real.buckets]
        assert found.sketch.parameters == real.sketch.parameters
        assert found.sketch.data == [sorted(level) for level in real.sketch.data]


def test_counts_of_buckets_are_awss_within_the_rank_error_of_both_sketches(housing):
    rows = housing.theirs.dataset.item_count
    for ours, theirs in housing.features():
        if theirs.numerical_statistics is not UNSET:
            found, real = (
                np.cumsum([b.count for b in f.numerical_statistics.distribution.kll.buckets])
                for f in (ours, theirs)
            )
            assert found[-1] == real[-1] == rows
            assert np.abs(found - real).max() / rows < 2 * RANK_ERROR + 0.005


def test_our_reading_of_awss_sketch_gives_awss_bucket_counts(housing):
    """Point 4: a bucket's count is the weight, 2 to the power of its level, of the sketch's items in it."""
    for theirs in housing.theirs.features:
        if theirs.numerical_statistics is UNSET:
            continue
        kll = theirs.numerical_statistics.distribution.kll
        edges = np.array([kll.buckets[0].lower_bound, *(b.upper_bound for b in kll.buckets)])
        values = np.concatenate(kll.sketch.data)
        weights = np.concatenate([np.full(len(level), 2.0**i) for i, level in enumerate(kll.sketch.data)])
        counts, _ = np.histogram(values, np.append(edges[:-1], max(edges[-1], values.max())), weights=weights)
        assert counts.tolist() == [b.count for b in kll.buckets]


def test_categories_are_awss_as_sets_and_listed_for_the_same_columns(housing):
    listed = 0
    for ours, theirs in housing.features():
        if theirs.string_statistics is UNSET:
            continue
        found, real = ours.string_statistics.distribution, theirs.string_statistics.distribution
        has_categories = real is not UNSET and real.categorical is not UNSET
        assert (found is not UNSET) == has_categories, ours.name
        if has_categories:
            listed += 1
            assert {(b.value, b.count) for b in found.categorical.buckets} == {
                (b.value, b.count) for b in real.categorical.buckets
            }
    assert listed == 3


def test_numbers_of_distinct_values_are_within_awss_own_error(housing):
    """AWS counts with a HyperLogLog of 512 registers (standard deviation 5 %); ours are closer."""
    for ours, theirs in housing.features():
        if theirs.string_statistics is not UNSET:
            real = theirs.string_statistics.distinct_count
            assert ours.string_statistics.distinct_count == pytest.approx(real, rel=0.15)
        elif theirs.numerical_statistics.approximate_num_distinct_values is not UNSET:
            real = theirs.numerical_statistics.approximate_num_distinct_values
            found = ours.numerical_statistics.approximate_num_distinct_values
            assert found == pytest.approx(real, rel=0.15)


def test_suggested_constraints_are_awss(pair):
    ours = suggest(pair.ours)
    for document in (ours, pair.constraints):
        for feature in document["features"]:
            if "string_constraints" in feature:
                feature["string_constraints"]["domains"].sort()
    assert ours["features"] == pair.constraints["features"]
    assert ours["version"] == pair.constraints["version"]


def test_the_suggested_configuration_is_that_of_newer_containers(housing):
    assert suggest(housing.ours)["monitoring_config"] == housing.constraints["monitoring_config"]


def test_published_figures_of_the_churn_data_are_ours(shared):
    """Figures printed to six digits in the Model Monitor introduction."""
    text = gzip.decompress((shared / "data/captures/churn/training-dataset-with-header.csv.gz").read_bytes())
    features = {f.name: f for f in profile(table(text, header=True)).features}
    for name, mean, total, std_dev, kind in (
        ("Churn", 0.139306, 325.0, 0.346265, "Integral"),
        ("Day Mins", 180.226489, 420468.4, 53.987179, "Fractional"),
        ("Intl Mins", 10.253065, 23920.4, 2.778766, "Fractional"),
    ):
        found = features[name].numerical_statistics
        assert features[name].inferred_type == kind
        assert [found.mean, found.sum, found.std_dev] == pytest.approx(
            [mean, total, std_dev], abs=5e-7, rel=1e-9
        )
    assert len(features) == 70
    assert {f.numerical_statistics.completeness for f in features.values()} == {1.0}
    suggested = suggest(
        msgspec.convert(
            {"dataset": {"item_count": 2333}, "features": msgspec.to_builtins([*features.values()])},
            Statistics,
        )
    )
    assert all(f["num_constraints"]["is_non_negative"] for f in suggested["features"])
