"""What a model is to whoever explains it."""

from typing import Protocol

import pyarrow as pa

from monitors.shap.kernel import Array, Background, Explained


class Model(Protocol):
    """Answers rows; `most` are those of one call that it answers well."""

    most: int

    def predict(self, rows: pa.Table) -> Array:
        """Outputs of `rows` (numbers float64, all else text, columns in the features' order), shape (rows,
        outputs).

        Raises ModelFailed.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class SelfExplaining(Protocol):
    """A model that knows exact Shapley values of its own: TreeSHAP of a library, or coefficients."""

    def attributions(self, rows: Array, background: Background) -> Explained | None:
        """Of rows of numbers, shape (rows, features); None where it does not know them."""
        ...
