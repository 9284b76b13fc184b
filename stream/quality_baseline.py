"""The baseline of a model's quality: made from a labelled data set, and read again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from monitors.model_quality import calibration, judging, labels
from monitors.model_quality.classified import ClassifiedState, probabilities
from monitors.model_quality.monitor import ModelQuality, State
from schemas.errors import BadBaseline, ConfigError
from schemas.labelled import Labelled
from schemas.quality import Model, ProblemType, QualityConstraints, parse, parse_model
from sinks.objects import Objects
from sinks.reports import pretty

FOLDER = "model_quality"  # within a baseline's directory, beside the files of data quality
STATISTICS, CONSTRAINTS, MODEL = "statistics.json", "constraints.json", "model_quality.json"
_MOST_SHOWN = 5


class Columns(Struct, frozen=True):
    """Which columns of a data set are meant, in SageMaker's words: their names, or their places from 0.

    Without an `inference` the prediction is the positive class where the probability is above `threshold`.
    """

    ground_truth: str
    inference: str | None = None
    probability: str | None = None
    threshold: float = 0.5


class QualityBaseline(Struct, frozen=True):
    """How a model's quality is judged: what the model is, and the thresholds of its metrics."""

    model: Model
    constraints: QualityConstraints | None


def make_quality_baseline(
    table: pa.Table, output: Path, problem: ProblemType, columns: Columns, positive: str | None = None
) -> tuple[Model, dict[str, Any], QualityConstraints]:
    """Write statistics.json, constraints.json and model_quality.json into `output`/model_quality.

    Gives the model, its metrics and the thresholds that they suggest. `positive` names the positive class of
    a binary problem; without it `1` is, or the last class in order.

    Raises ConfigError when the columns are not there or hold nothing to score.
    """
    batch, model = labelled(table, problem, columns, positive)
    monitor = ModelQuality(model)
    state = monitor.observe(batch)
    if not state.scored:
        raise ConfigError(f"no row has both {columns.inference or columns.probability} and a label")
    model = _described(model, state)
    monitor = ModelQuality(model)
    metrics = monitor.metrics(state)
    suggested = judging.suggest(problem, metrics)
    objects = Objects.at(output / FOLDER)
    objects.put(STATISTICS, pretty(monitor.statistics(state, metrics)))
    objects.put(CONSTRAINTS, pretty(suggested.document()))
    objects.put(MODEL, pretty(model))
    return model, metrics, suggested


def read_quality_baseline(directory: Path, problem: ProblemType | None = None) -> QualityBaseline | None:
    """The baseline in `directory`, or in `directory`/model_quality; None where there is none.

    A constraints.json that Model Monitor made is enough. Raises BadBaseline.
    """
    folder = directory / FOLDER if (directory / FOLDER).is_dir() else directory
    thresholds, described = folder / CONSTRAINTS, folder / MODEL
    try:
        model = parse_model(described.read_bytes(), str(described)) if described.is_file() else None
        if model is None and (not thresholds.is_file() or not _is_of_quality(thresholds)):
            return None
        found = parse(thresholds.read_bytes(), str(thresholds)) if thresholds.is_file() else None
    except OSError as error:
        raise BadBaseline(str(error)) from error
    kinds = {part.problem_type for part in [model] if part} | {part.problem for part in [found] if part}
    if len(kinds | ({problem} if problem else set())) > 1:
        raise BadBaseline(f"{folder}: {MODEL}, {CONSTRAINTS} and settings name different problems")
    return QualityBaseline(model or Model(kinds.pop()), found)


def labelled(
    table: pa.Table, problem: ProblemType, columns: Columns, positive: str | None = None
) -> tuple[Labelled, Model]:
    """Rows of a data set with their labels, and what is known of the model. Raises ConfigError."""
    names = {
        option: _name(table, value, option)
        for option, value in (
            ("--inference-attribute", columns.inference),
            ("--ground-truth-attribute", columns.ground_truth),
            ("--probability-attribute", columns.probability),
        )
        if value is not None
    }
    truth = _values(table, names["--ground-truth-attribute"])
    probability = None
    if (column := names.get("--probability-attribute")) is not None and problem != "Regression":
        probability = pa.array(probabilities(_values(table, column)), from_pandas=True)
    classes: list[str] = []
    if problem == "BinaryClassification":
        classes = labels.codes(truth)[1]
        positive = labels.normalised(positive) if positive else labels.positive_of(classes)
        if positive not in classes:
            raise ConfigError(f"--positive-label: no label is {positive}; there are {_some(classes)}")
    if (inference := names.get("--inference-attribute")) is not None:
        prediction = _values(table, inference)
    elif probability is not None and positive is not None and problem == "BinaryClassification":
        prediction = _by_threshold(probability, columns.threshold, positive, classes)
    else:
        raise ConfigError("--inference-attribute is needed")
    model = Model(
        problem,
        inference,
        names["--ground-truth-attribute"],
        names.get("--probability-attribute"),
        positive if problem == "BinaryClassification" else None,
    )
    return Labelled(prediction, truth, probability), model


def _described(model: Model, state: State) -> Model:
    """The model with what its rows tell: its classes, and how its probabilities are to be read."""
    if not isinstance(state, ClassifiedState):
        return model
    return Model(
        model.problem_type,
        model.inference_attribute,
        model.ground_truth_attribute,
        model.probability_attribute,
        model.positive_label,
        state.confusion.names(),
        calibration.fit(state.scores),
    )


def _name(table: pa.Table, value: str, option: str) -> str:
    """A column's name, given as that or as its place."""
    names: list[str] = table.column_names
    if value in names:
        return value
    if value.isdecimal() and int(value) < len(names):
        return names[int(value)]
    raise ConfigError(f"{option}: the data has no column {value}")


def _values(table: pa.Table, name: str) -> pa.Array:
    """A column as one array of text or doubles."""
    column = table[name].combine_chunks()
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_boolean(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.string())
    try:
        return column.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return column.cast(pa.string())


def _by_threshold(probability: pa.Array, threshold: float, positive: str, classes: Sequence[str]) -> pa.Array:
    """Predictions that the probabilities give; the class beside the positive one, where there is just one."""
    others = [name for name in classes if name != positive]
    if len(others) > 1:
        raise ConfigError(f"--ground-truth-attribute: a binary problem has two labels: {_some(classes)}")
    other = others[0] if others else "0"
    return pc.if_else(pc.greater(probability, threshold), positive, other)


def _some(names: Sequence[str]) -> str:
    shown = labels.in_order(names)
    return ", ".join(shown[:_MOST_SHOWN]) + (", ..." if len(shown) > _MOST_SHOWN else "")


def _is_of_quality(path: Path) -> bool:
    return b"_constraints" in path.read_bytes() and b'"features"' not in path.read_bytes()
