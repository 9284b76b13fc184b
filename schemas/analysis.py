"""analysis.json of SageMaker Clarify, the part on bias: what was measured, and later what must hold.

`interval` and what follows it in a metric, `rows` and what follows it in a facet's entry are not in Clarify.
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
    each side [true positive, false positive, false negative, true negative]."""

    value_or_threshold: str
    metrics: list[Metric]
    rows: int | UnsetType = UNSET
    rows_disadvantaged: int | UnsetType = UNSET
    confusion_matrix: Mapping[str, list[float]] | UnsetType = UNSET


class Stage(Struct, frozen=True):
    """Everything measured before or after training."""

    label: str
    facets: Mapping[str, list[FacetValue]]
    label_value_or_threshold: str


class Analysis(Struct, frozen=True, omit_defaults=True):
    """The whole file; explanations in it are not read."""

    version: str = msgspec.field(default="1.0")
    post_training_bias_metrics: Stage | UnsetType = UNSET
    pre_training_bias_metrics: Stage | UnsetType = UNSET

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """The stages that there are, by name."""
        for name in ("post_training", "pre_training"):
            stage = getattr(self, f"{name}_bias_metrics")
            if stage is not UNSET:
                yield name, stage

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
    schemas.errors.BadBaseline: analysis.json: holds no bias metrics
    """
    try:
        found = msgspec.json.decode(text, type=Analysis)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadBaseline(f"{source}: not an analysis of bias: {error}") from error
    if not any(True for _ in found.stages()):
        raise BadBaseline(f"{source}: holds no bias metrics")
    return found


def document(analysis: Analysis) -> dict[str, Any]:
    """The file's content, `version` always in it."""
    return {"version": analysis.version, **msgspec.to_builtins(analysis)}
