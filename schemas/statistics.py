"""statistics.json of Model Monitor's data-quality job, read leniently and written in its exact shape.

Files of all years are read: newer ones carry `completeness` and `approximate_num_distinct_values`, older not.
"""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from schemas.errors import BadBaseline
from schemas.layout import Kind


class Common(Struct, frozen=True):
    """How many values a feature has, and how many are missing."""

    num_present: int
    num_missing: int


class Bucket(Struct, frozen=True):
    """Values in [lower_bound, upper_bound); the last bucket holds its upper bound too."""

    lower_bound: float
    upper_bound: float
    count: float


class SketchParameters(Struct, frozen=True):
    """Size and shrinking factor of the KLL sketch."""

    c: float = 0.64
    k: float = 2048.0


class Sketch(Struct, frozen=True):
    """KLL compactor levels: an item of `data[level]` weighs 2 to the power of `level`."""

    parameters: SketchParameters
    data: list[list[float]]


class Kll(Struct, frozen=True):
    """Ten buckets of equal width, and the sketch that they were counted from."""

    buckets: list[Bucket]
    sketch: Sketch | UnsetType = UNSET


class NumericDistribution(Struct, frozen=True):
    """The distribution of a numeric feature."""

    kll: Kll


class NumericalStatistics(Struct, frozen=True):
    """Moments (standard deviation is the population's), range and distribution."""

    common: Common
    mean: float | None = None
    sum: float | None = None
    std_dev: float | None = None
    min: float | None = None
    max: float | None = None
    approximate_num_distinct_values: float | UnsetType = UNSET
    completeness: float | UnsetType = UNSET
    distribution: NumericDistribution | UnsetType = UNSET


class CategoryCount(Struct, frozen=True):
    """How often a value occurred."""

    value: str
    count: int


class Categorical(Struct, frozen=True):
    """Every value of a feature of low cardinality, with its exact count."""

    buckets: list[CategoryCount]


class StringDistribution(Struct, frozen=True):
    """The distribution of a string feature."""

    categorical: Categorical | UnsetType = UNSET


class StringStatistics(Struct, frozen=True):
    """Number of different values and, where there are few, their counts."""

    common: Common
    distinct_count: float = 0.0
    completeness: float | UnsetType = UNSET
    distribution: StringDistribution | UnsetType = UNSET


class FeatureStatistics(Struct, frozen=True):
    """One column. A feature with no value at all is `Unknown` and carries neither block."""

    name: str
    inferred_type: Kind
    numerical_statistics: NumericalStatistics | UnsetType = UNSET
    string_statistics: StringStatistics | UnsetType = UNSET


class Dataset(Struct, frozen=True):
    """`item_count` is the number of rows, those with missing values included."""

    item_count: int


class Statistics(Struct, frozen=True):
    """The whole file."""

    dataset: Dataset
    features: list[FeatureStatistics]
    version: float = 0.0


def parse(text: bytes, source: str = "statistics.json") -> Statistics:
    """Read a statistics.json. Raises BadBaseline, naming `source` and the place in it."""
    try:
        return msgspec.json.decode(text, type=Statistics)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadBaseline(f"{source}: not a data-quality statistics file: {error}") from error
