"""Explains the sample of a window by a model: what may fail and wait, and stops at its budget."""

import io
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from msgspec import Struct

from monitors.row_sample import RowSample
from monitors.shap.attributions import Attributions
from monitors.shap.coding import Coding
from monitors.shap.kernel import Array, Background, Explained, Link, collected, explain
from schemas.errors import ModelFailed
from stream.models.base import Model
from stream.models.budget import Budget

FOLDER = "explanations_shap"  # Clarify's


class Asked(Struct, frozen=True):
    """How rows are explained: baseline rows and their weights, coalitions a row, link, seed."""

    background: pa.Table
    weights: tuple[float, ...] | None = None
    num_samples: int | None = None
    link: Link = "identity"
    seed: int | None = 0


class Answered(Struct, frozen=True):
    """What came of it: values of the first `len(local)` rows of the sample, and why not of all."""

    found: Attributions | None
    local: Array
    expected: Array
    incomplete: str = ""


class Explainer:
    """Asks `model` about samples, as `asked`, within `budget`, which begins anew with each."""

    def __init__(self, model: Model, asked: Asked, budget: Budget) -> None:
        self._model, self._asked, self._budget = model, asked, budget

    def explain(self, sample: RowSample, outputs: int | None = None) -> Answered:
        """Values of as many rows as the model answers for: a first part of the sample, which is a sample too.

        `outputs` is how many the model should have. It never raises what the model does: that is the reason
        why rows are missing.
        """
        self._budget.start()
        coding = Coding([self._asked.background, sample.table])
        parts: list[Explained] = []
        why = ""
        try:
            for part in self._parts(coding, sample):
                if outputs is not None and part.values.shape[2] != outputs:
                    raise ModelFailed(
                        f"the model has {part.values.shape[2]} outputs, and {outputs} are expected: "
                        "choose by explain.outputs, or name them by explain.labels"
                    )
                parts.append(part)
                if not self._budget.left:
                    raise ModelFailed("the budget of time is spent")
        except (ModelFailed, ValueError) as error:
            why = str(error)
        if not parts:
            return Answered(None, np.empty((0, 0, 0)), np.empty(0), why)
        whole = collected(iter(parts))
        n = len(whole.at)
        said = f"{n} of {len(sample)} sampled rows were explained: {why}" if n < len(sample) else ""
        return Answered(Attributions.of(whole.values, sample.marks[:n]), whole.values, whole.expected, said)

    def _parts(self, coding: Coding, sample: RowSample) -> Iterator[Explained]:
        rows = coding.encode(sample.table)
        weights = self._asked.weights
        background = Background.of(
            coding.encode(self._asked.background), None if weights is None else np.array(weights)
        )
        own = getattr(self._model, "attributions", None)
        if own and self._asked.link == "identity" and not coding.categorical.any():
            if (exact := own(rows, background)) is not None:
                return iter([exact])
        return explain(
            lambda matrix: self._model.predict(coding.decode(matrix)),
            rows,
            background,
            self._asked.num_samples,
            self._asked.link,
            self._asked.seed,
            self._model.most,
        )

    def close(self) -> None:
        """Let go of the model."""
        self._model.close()


def local_values(
    local: Array, features: list[str], labels: list[str], form: Literal["csv", "parquet"]
) -> tuple[str, bytes]:
    """(name, content) of the file of local values: a column FEATURE_LABEL each, as Clarify's."""
    columns = {
        f"{feature}_{label}": local[:, at, output]
        for output, label in enumerate(labels)
        for at, feature in enumerate(features)
    }
    out = io.BytesIO()
    write = pa.csv.write_csv if form == "csv" else pa.parquet.write_table
    write(pa.table(columns), out)
    return f"{FOLDER}/out.{form}", out.getvalue()
