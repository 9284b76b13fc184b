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
from monitors.model_quality.wrong import Wrong
from schemas.labelled import Labelled

_ABOUT, _CONFUSION, _SCORES, _CERTAINTY, _WRONG = "about", "confusion", "scores", "certainty", "wrong"


class ClassifiedState(Struct, frozen=True):
    """State of `rows` rows; `ClassifiedState()` is the identity of merge.

    A row without a prediction or a label is counted in `rows`, and not scored. `scores` and `certainty` are
    over scored rows with a probability in [0, 1]: binary, of the positive class, and whether the label is
    that; multiclass, of the predicted class, and whether the label is that. `wrong` are those with another
    class for a label, the worst by how far the probability is off, or 1 where there is none.
    """

    rows: int = 0
    confusion: Confusion = Confusion()
    scores: Scores = Scores()
    certainty: Certainty = Certainty()
    wrong: Wrong = Wrong()

    @classmethod
    def of(cls, batch: Labelled, positive: str | None) -> "ClassifiedState":
        """Score a batch; without a `positive` class the problem is multiclass."""
        labels, predictions, names = _classes(batch)
        scored = (labels != MISSING) & (predictions != MISSING)
        place = names.index(positive) if positive in names else MISSING - 1  # that of no row
        true = labels == (predictions if positive is None else place)
        right = labels == predictions
        probability = np.full(len(batch), np.nan)
        if batch.probability is not None:
            probability = probabilities(batch.probability)
        told = scored & ~np.isnan(probability)
        missed = np.where(told, np.abs(true - probability), 1.0)
        return cls(
            len(batch),
            Confusion.of(labels[scored], predictions[scored], names),
            Scores.of(probability[told], true[told]),
            Certainty.of(probability[told], true[told]),
            Wrong.of(batch.event_id, np.where(scored & ~right, missed, 0.0)),
        )

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
            self.wrong.merge(other.wrong),
        )

    def dump(self) -> Mapping[str, bytes]:
        """Parts of at most 400 kB each, far less as a rule."""
        return {
            _ABOUT: msgspec.msgpack.encode(self.rows),
            _CONFUSION: self.confusion.dump(),
            _SCORES: self.scores.dump(),
            _CERTAINTY: msgspec.msgpack.encode(self.certainty),
            _WRONG: msgspec.msgpack.encode(self.wrong),
        }

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "ClassifiedState":
        """Restore what `dump` gave."""
        return cls(
            msgspec.msgpack.decode(parts[_ABOUT], type=int),
            Confusion.load(parts[_CONFUSION]),
            Scores.load(parts[_SCORES]),
            msgspec.msgpack.decode(parts[_CERTAINTY], type=Certainty),
            msgspec.msgpack.decode(parts[_WRONG], type=Wrong),
        )


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
    return np.where((values >= 0.0) & (values <= 1.0), values, np.nan)
