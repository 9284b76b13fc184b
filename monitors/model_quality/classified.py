"""Everything kept of the rows of a classifier: counts of classes, and what its probabilities were worth."""

from collections.abc import Mapping

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from monitors.model_quality.certainty import Certainty
from monitors.model_quality.confusion import Confusion
from monitors.model_quality.labels import MISSING, codes, numbers
from monitors.model_quality.scores import Scores
from schemas.labelled import Labelled

_ABOUT, _CONFUSION, _SCORES, _CERTAINTY = "about", "confusion", "scores", "certainty"


class ClassifiedState(Struct, frozen=True):
    """State of `rows` rows; `ClassifiedState()` is the identity of merge.

    A row without a prediction or a label is counted in `rows`, and not scored. `scores` and `certainty` are
    over scored rows with a probability in [0, 1]: binary, of the positive class, and whether the label is
    that; multiclass, of the predicted class, and whether the label is that.
    """

    rows: int = 0
    confusion: Confusion = Confusion()
    scores: Scores = Scores()
    certainty: Certainty = Certainty()

    @classmethod
    def of(cls, batch: Labelled, positive: str | None) -> "ClassifiedState":
        """Score a batch; without a `positive` class the problem is multiclass."""
        labels, predictions, names = _classes(batch)
        scored = (labels != MISSING) & (predictions != MISSING)
        if not scored.all():
            labels, predictions = labels[scored], predictions[scored]
        confusion = Confusion.of(labels, predictions, names)
        if batch.probability is None:
            return cls(len(batch), confusion)
        place = names.index(positive) if positive in names else MISSING
        true = labels == (predictions if positive is None else place)
        probability = numbers(batch.probability)[scored]
        usable = is_probability(probability)
        if not usable.all():
            probability, true = probability[usable], true[usable]
        return cls(len(batch), confusion, Scores.of(probability, true), Certainty.of(probability, true))

    @property
    def scored(self) -> int:
        """Rows that the metrics rest on."""
        return self.confusion.n

    def merge(self, other: "ClassifiedState") -> "ClassifiedState":
        """Combine two disjoint samples; neither is changed."""
        return ClassifiedState(
            self.rows + other.rows,
            self.confusion.merge(other.confusion),
            self.scores.merge(other.scores),
            self.certainty.merge(other.certainty),
        )

    def dump(self) -> Mapping[str, bytes]:
        """Parts of at most 400 kB each, far less as a rule."""
        return {
            _ABOUT: msgspec.msgpack.encode(self.rows),
            _CONFUSION: msgspec.msgpack.encode(self.confusion),
            _SCORES: self.scores.dump(),
            _CERTAINTY: msgspec.msgpack.encode(self.certainty),
        }

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "ClassifiedState":
        """Restore what `dump` gave."""
        return cls(
            msgspec.msgpack.decode(parts[_ABOUT], type=int),
            msgspec.msgpack.decode(parts[_CONFUSION], type=Confusion),
            Scores.load(parts[_SCORES]),
            msgspec.msgpack.decode(parts[_CERTAINTY], type=Certainty),
        )


def is_probability(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values are in [0, 1]; NaN is not."""
    return (values >= 0.0) & (values <= 1.0)


def _classes(batch: Labelled) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Labels and predictions as places in one list of classes, which comes with them."""
    labels, names = codes(batch.label)
    predictions, more = codes(batch.prediction)
    places = {name: place for place, name in enumerate(names)}
    table = [places.setdefault(name, len(places)) for name in more]
    return labels, np.array([*table, MISSING], np.int64)[predictions], list(places)


def probabilities(column: pa.Array) -> NDArray[np.float64]:
    """A column as probabilities, shape (rows,); NaN where it holds none."""
    values = numbers(column)
    return np.where(is_probability(values), values, np.nan)
