"""Options that say where a model's predictions and labels are, in SageMaker's words."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

import click

from schemas.errors import ConfigError
from schemas.quality import ProblemType
from stream.quality_baseline import Columns

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = [
    click.option("--problem-type", type=click.Choice(get_args(ProblemType)),
                 help="Describe the quality of a model for this problem."),
    click.option("--inference-attribute", metavar="COLUMN",
                 help="Predictions: name of a column, or its place."),
    click.option("--ground-truth-attribute", metavar="COLUMN", help="Labels."),
    click.option("--probability-attribute", metavar="COLUMN",
                 help="Probabilities of the positive, or of the predicted, class."),
    click.option("--probability-threshold-attribute", type=click.FloatRange(0, 1),
                 help="Predicts the positive class above it, without predictions.  [default: 0.5]"),
    click.option("--positive-label", metavar="LABEL", help="Of a binary problem.  [default: 1, or the last]"),
]  # fmt: skip


def quality_options(command: _Command) -> _Command:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked_quality(given: Mapping[str, Any]) -> tuple[ProblemType, Columns, str | None] | None:
    """The problem, the columns and the positive class that are asked for; None without --problem-type.

    Raises ConfigError, naming every option that is missing or does not fit.
    """
    there = {name: value for name, value in given.items() if value is not None}
    options = ["--" + name.replace("_", "-") for name in there if name != "problem_type"]
    problem: ProblemType | None = given["problem_type"]
    if problem is None:
        if options:
            raise ConfigError(f"{', '.join(options)}: needs --problem-type")
        return None
    problems = [] if given["ground_truth_attribute"] else ["--ground-truth-attribute is needed"]
    if not given["inference_attribute"] and (
        problem != "BinaryClassification" or not given["probability_attribute"]
    ):
        problems.append("--inference-attribute is needed")
    if problem != "BinaryClassification" and given["positive_label"] is not None:
        problems.append(f"--positive-label does not go with {problem}")
    if problems:
        raise ConfigError("; ".join(problems))
    threshold = given["probability_threshold_attribute"]
    columns = Columns(
        given["ground_truth_attribute"],
        given["inference_attribute"],
        given["probability_attribute"],
        0.5 if threshold is None else threshold,
    )
    return problem, columns, given["positive_label"]
