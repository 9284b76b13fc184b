"""How the quality of an endpoint's model is looked at, from its settings and its baseline."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from monitors.base import Monitor
from monitors.model_quality.estimate import Estimate, is_possible
from monitors.model_quality.monitor import Judging, ModelQuality
from schemas.errors import ConfigError
from schemas.layout import Layout
from schemas.predictions import Attributes
from schemas.quality import Model
from stream.joining.predicting import QualitySetup
from stream.label_settings import QualitySettings
from stream.quality_baseline import QualityBaseline, read_quality_baseline


def quality_setup(
    settings: QualitySettings, beside: Path, layout: Layout
) -> tuple[QualitySetup | None, Sequence[Monitor], bool]:
    """What is joined, monitors that need no labels, and whether the model predicts a quantity; nothing where
    no problem type is known.

    `beside` is the baseline of the data, which may hold one of the model's quality too. Raises BadBaseline
    and ConfigError.
    """
    problem = settings.problem_type
    known = read_quality_baseline(settings.baseline or beside, problem)
    if known is None and problem is None:
        return None, (), False
    found = known or QualityBaseline(Model(problem or "Regression"), None)
    model = _overlaid(found.model, settings)
    if model.inference_attribute is None and (
        model.probability_attribute is None or model.problem_type != "BinaryClassification"
    ):
        raise ConfigError("quality.inference_attribute: needed to tell what the model has predicted")
    judging = Judging(settings.minimum_sample_size, settings.standard_errors)
    monitor = ModelQuality(model, found.constraints, judging, constant_label=settings.constant_label)
    setup = QualitySetup(
        layout,
        _attributes(model, settings.probability_threshold_attribute),
        (monitor,),
        model.ground_truth_attribute,
    )
    estimates = (Estimate(model, found.constraints, judging),) if known and is_possible(model) else ()
    return setup, estimates, model.problem_type == "Regression"


def _overlaid(model: Model, settings: QualitySettings) -> Model:
    """The model of the baseline with what the settings say of it."""
    names = ("inference_attribute", "probability_attribute", "ground_truth_attribute", "positive_label")
    given = {name: value for name in names if (value := getattr(settings, name)) is not None}
    return msgspec.structs.replace(model, **given)


def _attributes(model: Model, threshold: float) -> Attributes:
    positive = model.positive_label or "1"
    others = [name for name in model.labels if name != positive]
    negative = others[0] if len(others) == 1 else "0" if positive != "0" else "1"
    return Attributes(model.inference_attribute, model.probability_attribute, threshold, positive, negative)
