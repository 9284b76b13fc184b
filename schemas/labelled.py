"""Predictions joined with the labels that came for them: what model quality is computed from."""

from typing import TypeAlias

import pyarrow as pa
from msgspec import Struct

Values: TypeAlias = pa.StringArray | pa.DoubleArray


class Labelled(Struct, frozen=True):
    """Rows with a prediction and its label; all arrays have shape (rows,).

    `prediction` and `label` are text or doubles, each by itself: a class `1`, `1.0` or `True` in one is the
    same class in the other. Null in either: the row is counted, and not scored. `probability`, in [0, 1], is
    that of the positive class (binary) or of the predicted class (multiclass); None where the model gives
    none, null where a row has none. `event_id` are the records' ids, for samples; None where there are none.
    `columns` are those that the predictions have carried along, as text; None where they carried none.
    """

    prediction: Values
    label: Values
    probability: pa.DoubleArray | None = None
    event_id: pa.StringArray | None = None
    columns: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.prediction)

    def __post_init__(self) -> None:
        """Arrays of unequal length are a mistake of the caller. Raises ValueError."""
        beside = (self.label, self.probability, self.event_id, self.columns)
        if any(array is not None and len(array) != len(self.prediction) for array in beside):
            raise ValueError("prediction, label, probability, event_id and columns differ in length")

    def slice(self, start: int, stop: int) -> "Labelled":
        """Rows [start, stop); nothing is copied."""
        cut = [
            None if array is None else array.slice(start, stop - start)
            for array in (self.prediction, self.label, self.probability, self.event_id, self.columns)
        ]
        return Labelled(*cut)


NO_LABELS = Labelled(pa.array([], pa.string()), pa.array([], pa.string()))
