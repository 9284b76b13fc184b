"""Predictions of a batch of captures on their way to the join: which come too late, and their records."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from schemas.decode import Decoded
from schemas.layout import Layout
from schemas.predictions import Attributes, Predictions, predictions
from stream.joining.windows import QualityMonitor
from stream.placing import Timing


class QualitySetup(Struct, frozen=True):
    """How a subject's predictions are found among its columns, and what looks at them with their labels."""

    layout: Layout
    attributes: Attributes
    monitors: Sequence[QualityMonitor]
    ground_truth_attribute: str | None = None


class Predicted(Struct, frozen=True):
    """Predictions, and which of them, shape (records,), came when their window was final. `captures` are
    their records as they came, where they are to be merged."""

    predictions: Predictions
    late: NDArray[np.bool_]
    captures: pa.BinaryArray | None = None

    def only(self, which: NDArray[np.bool_]) -> "Predicted":
        """Some of them."""
        if which.all():
            return self
        captures = None if self.captures is None else self.captures.filter(pa.array(which))
        return Predicted(self.predictions.only(which), self.late[which], captures)


def predicted(
    decoded: Decoded, setup: QualitySetup, timing: Timing, watermark: int, merged: bool
) -> Iterator[Predicted]:
    """The predictions of a batch that came when the watermark of its partition stood at `watermark`, in as
    many parts as it has forms; with their records where they are to be `merged`."""
    placed = timing.place(decoded, watermark)
    for some in predictions(decoded, setup.layout, setup.attributes):
        captures = decoded.frame.data.take(pa.array(some.record)) if merged else None
        yield Predicted(some, placed.final[some.record], captures)
