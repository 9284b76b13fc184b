"""Rows as a matrix of numbers, categories as codes, and back."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitors.shap.kernel import Array


class Coding:
    """Codes for the texts of some `tables` of the same columns, in order; what is missing is NaN.

    >>> table = pa.table({"age": [3.0], "city": ["rome"]})
    >>> Coding([table]).decode(Coding([table]).encode(table)).to_pylist()
    [{'age': 3.0, 'city': 'rome'}]
    """

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        self._schema = tables[0].schema
        self._texts = {
            field.name: _texts([table[field.name] for table in tables])
            for field in self._schema
            if not pa.types.is_floating(field.type)
        }

    @property
    def categorical(self) -> NDArray[np.bool_]:
        """Which columns are codes, shape (columns,)."""
        return np.array([name in self._texts for name in self._schema.names], np.bool_)

    def encode(self, table: pa.Table) -> Array:
        """Shape (rows, columns)."""
        return np.column_stack([self._codes(name, table[name]) for name in self._schema.names])

    def _codes(self, name: str, column: pa.ChunkedArray) -> Array:
        if name in self._texts:
            column = pc.index_in(column, self._texts[name]).cast(pa.float64())
        found: Array = column.to_numpy().astype(np.float64)
        return found

    def decode(self, matrix: Array) -> pa.Table:
        """The table that a matrix stands for; NaN is missing."""
        columns = [
            self._values(name, values) for name, values in zip(self._schema.names, matrix.T, strict=True)
        ]
        return pa.table(columns, schema=self._schema)

    def _values(self, name: str, values: Array) -> pa.Array:
        missing = np.isnan(values)
        if name not in self._texts:
            return pa.array(values, pa.float64(), mask=missing)
        codes = pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing)
        return pc.take(self._texts[name], codes)


def _texts(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    found = {text for column in columns for text in pc.unique(column).to_pylist() if text is not None}
    return pa.array(sorted(found), pa.string())
