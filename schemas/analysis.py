"""analysis.json of SageMaker Clarify, bias and explanations: what was measured, and later what must hold.

`interval` and what follows it in a metric, `rows` and what follows it in a facet's entry, and `drift` among
the explanations are not in Clarify.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from schemas.errors import BadBaseline

_WORDS = {"Infinity": inf, "-Infinity": -inf}


class Metric(Struct, frozen=True, omit_defaults=True):
    """A value, None where it is not defined (`error` says why), and how sure it is.

    `interval` is that of 95 %, `standard_error` is on the scale that the metric is compared on (of DI the
    logarithm). `rows` are those of the smaller group that it rests on. `baseline` is the value that it must
    not be worse than.
    """

    name: str
    description: str
    value: float | Literal["Infinity", "-Infinity"] | None = msgspec.field()
    error: str | UnsetType = UNSET
    interval: tuple[float, float] | UnsetType = UNSET
    standard_error: float | UnsetType = UNSET
    rows: int | UnsetType = UNSET
    baseline: float | Literal["Infinity", "-Infinity"] | UnsetType = UNSET

    @property
    def number(self) -> float | None:
        """The value as a number, infinite ones too."""
        return _WORDS[self.value] if isinstance(self.value, str) else self.value


class FacetValue(Struct, frozen=True, omit_defaults=True):
    """Metrics of one value of a facet against all others. The confusion matrices are shares of the rows of
    each side [true positive, false positive, false negative, true negative]. The text of an interval holds
    the largest value seen; `key` is without it, the same in all windows."""

    value_or_threshold: str
    metrics: list[Metric]
    key: str | UnsetType = UNSET
    rows: int | UnsetType = UNSET
    rows_disadvantaged: int | UnsetType = UNSET
    confusion_matrix: Mapping[str, list[float]] | UnsetType = UNSET

    @property
    def name(self) -> str:
        """The value as it is called in all windows."""
        return self.value_or_threshold if self.key is UNSET else self.key


class Stage(Struct, frozen=True):
    """Everything measured before or after training."""

    label: str
    facets: Mapping[str, list[FacetValue]]
    label_value_or_threshold: str


class LabelExplanation(Struct, frozen=True, omit_defaults=True):
    """Of one output of the model: how much each feature moves it over all rows, and what is expected of it.

    Texts have attributions of their own beside these; they are not read."""

    global_shap_values: Mapping[str, float] = msgspec.field()
    expected_value: float | UnsetType = UNSET


class Move(Struct, frozen=True):
    """A feature's attribution in the baseline and now, as shares of the sum of all, and its ranks, from 1."""

    feature: str
    baseline: float
    current: float
    baseline_rank: int
    rank: int


class RankingDrift(Struct, frozen=True):
    """How like the baseline's the ranking of features is: nDCG in [0, 1], 1 the same; None where it is not
    defined (`error` says why). `interval` is that of 95 %, by bootstrap over the `rows` explained. `moved`
    are features, those that moved most first."""

    ndcg: float | None
    threshold: float
    rows: int
    interval: tuple[float, float] | None = None
    moved: list[Move] = []
    error: str = ""


class Explanations(Struct, frozen=True, omit_defaults=True):
    """By name of the output: label0, or whatever it is called."""

    kernel_shap: Mapping[str, LabelExplanation] | UnsetType = UNSET
    drift: Mapping[str, RankingDrift] | UnsetType = UNSET


class Analysis(Struct, frozen=True, omit_defaults=True):
    """The whole file."""

    version: str = msgspec.field(default="1.0")
    explanations: Explanations | UnsetType = UNSET
    post_training_bias_metrics: Stage | UnsetType = UNSET
    pre_training_bias_metrics: Stage | UnsetType = UNSET

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """The stages that there are, by name."""
        for name in ("post_training", "pre_training"):
            stage = getattr(self, f"{name}_bias_metrics")
            if stage is not UNSET:
                yield name, stage

    @property
    def labels(self) -> Mapping[str, LabelExplanation]:
        """Explanations by name of the output; none where the file has none."""
        if self.explanations is UNSET or self.explanations.kernel_shap is UNSET:
            return {}
        return self.explanations.kernel_shap

    def metrics(self) -> Iterator[tuple[str, str, Metric]]:
        """(facet, value, metric), in the order of the file."""
        for _, stage in self.stages():
            for facet, entries in stage.facets.items():
                for entry in entries:
                    for metric in entry.metrics:
                        yield facet, entry.value_or_threshold, metric


def of_number(value: float) -> float | Literal["Infinity", "-Infinity"]:
    """A number as the file has it: infinite ones in words."""
    if value in (inf, -inf):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def parse(text: bytes, source: str = "analysis.json") -> Analysis:
    """Read an analysis.json. Raises BadBaseline, which says where in `source` something is wrong.

    >>> parse(b'{"version": "1.0", "explanations": {}}')
    Traceback (most recent call last):
      ...
    schemas.errors.BadBaseline: analysis.json: holds no bias metrics and no explanations
    """
    try:
        found = msgspec.json.decode(text, type=Analysis)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadBaseline(f"{source}: not an analysis: {error}") from error
    if not any(True for _ in found.stages()) and not found.labels:
        raise BadBaseline(f"{source}: holds no bias metrics and no explanations")
    return found


def document(analysis: Analysis) -> dict[str, Any]:
    """The file's content, `version` always in it."""
    return {"version": analysis.version, **msgspec.to_builtins(analysis)}
