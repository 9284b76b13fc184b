"""Bias of windows: an endpoint's monitors, from its configuration and its baseline."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, structs

from monitors.bias import facts, planning
from monitors.bias.facts import Facts
from monitors.bias.joined import ModelBias, Source
from monitors.bias.monitor import Bias
from schemas.analysis import Analysis
from schemas.analysis_config import AnalysisConfig
from schemas.constraints import Constraints, Defaults
from schemas.errors import ConfigError
from schemas.layout import Layout
from schemas.predictions import Attributes
from schemas.statistics import Statistics
from stream.bias import ANALYSIS, about, read_analysis, read_config

_LABEL, _PREDICTION = "label", "prediction"  # what they are called where the configuration does not say


class Chosen(Struct, frozen=True):
    """How an endpoint's bias is looked at: the configuration as it is in `place`, and as it is meant of
    `captured` rows; what is known of the columns; the baseline's analysis, if it has one; and whether the
    model predicts a `quantity`."""

    place: Path
    config: AnalysisConfig
    captured: AnalysisConfig
    facts: Mapping[str, Facts]
    baseline: Analysis | None
    quantity: bool


def read(
    place: Path,
    layout: Layout,
    rules: Constraints,
    described: Statistics | None,
    directory: Path,
    quantity: bool = False,
) -> Chosen:
    """The configuration at `place` with the baseline in `directory`. Raises ConfigError and BadBaseline."""
    config = read_config(place, list(layout.columns))
    kinds = {name: rule.kind for name, rule in rules.rules.items()}
    if strange := [facet.column for facet in config.facets if facet.column not in kinds]:
        raise ConfigError(f"{place}: {directory} has no column {', '.join(dict.fromkeys(strange))}")
    baseline = read_analysis(directory) if (directory / ANALYSIS).is_file() else None
    return Chosen(
        place,
        config,
        with_output(config, layout, quantity),
        facts.of_baseline(kinds, described),
        baseline if baseline and any(baseline.stages()) else None,
        quantity,
    )


def with_output(config: AnalysisConfig, layout: Layout, quantity: bool = False) -> AnalysisConfig:
    """The configuration for captured rows, in which the model's output stands under the name of a column of
    the baseline, the label's as a rule. That column is the prediction; a score where it is fractional, and no
    `quantity` as the label is. Labels are then known only once they are joined.
    """
    predicted, probability = config.predicted, config.probability
    name = _only_output(layout)
    said = {facet.column for facet in config.facets} | {config.group, *config.excluded}
    if predicted is None and probability is None and name and name not in said:
        if layout.columns[name] == "Fractional" and not (quantity and config.positive):
            probability = name
        else:
            predicted = name
    label = None if config.label in (predicted, probability) else config.label
    return structs.replace(config, label=label, predicted=predicted, probability=probability)


def _only_output(layout: Layout) -> str | None:
    """The column that a model's only output is called by; None where it has several."""
    if layout.outputs is not None:
        return layout.outputs[0] if len(layout.outputs) == 1 else None
    names = list(layout.columns)
    return names[0 if layout.output_position == "START" else -1] if names else None


def of_captures(chosen: Chosen, defaults: Defaults) -> Bias:
    """The monitor of captured rows. Without a baseline's analysis it measures and judges nothing. Raises
    ConfigError."""
    with about(chosen.place):
        plan = planning.build(chosen.captured, chosen.facts, chosen.baseline)
    return Bias(plan, chosen.baseline, defaults)


def of_joined(
    chosen: Chosen, defaults: Defaults, attributes: Attributes
) -> tuple[ModelBias, tuple[str, ...]] | None:
    """The monitor of rows with labels, and the columns that their predictions must carry; None where nothing
    is asked for but the flip test. Raises ConfigError.

    The label is what was joined, under whatever name. What the configuration does not say is as with the
    quality of the model: the prediction, and the positive class.
    """
    config = chosen.captured
    own = config.probability or config.predicted
    config = structs.replace(
        config,
        label=chosen.config.label or _LABEL,
        positive=config.positive or (attributes.positive,),
        predicted=config.predicted if own else _PREDICTION,
    )
    with about(chosen.place):
        plan = planning.of_joined(config, chosen.facts, chosen.baseline, chosen.quantity)
    if not plan.pre_training and not plan.post_training:
        return None
    source = _source(own, attributes)
    columns = [column.name for facet in plan.facets for column in facet.columns]
    columns += [plan.group[0]] if plan.group else []
    columns += [own] if own and source == "carried" else []
    return ModelBias(plan, source, chosen.baseline, defaults), tuple(dict.fromkeys(columns))


def _source(own: str | None, attributes: Attributes) -> Source:
    """Where the configuration's own column of predictions is found once a label is joined to it."""
    if own in (None, attributes.inference):
        return "prediction"
    return "probability" if own == attributes.probability else "carried"
