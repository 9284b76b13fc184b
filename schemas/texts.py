"""Values of a column as text that is equal where they are, however their table holds them."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.columns import ARROW, fits
from schemas.layout import Kind


def as_text(column: pa.Array | pa.ChunkedArray, kind: Kind | None = None) -> pa.StringArray:
    """`column` as text. `kind` is the type the baseline has: in a table with stray values a number is text,
    and reads the same as in any other table.

    >>> as_text(pa.array([5.0, 0.5])).to_pylist()
    ['5', '0.5']
    >>> as_text(pa.array(["5.00", "n/a"]), "Fractional").to_pylist()
    ['5', 'n/a']
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    wanted = ARROW.get(kind) if kind else None
    if wanted is None or column.type != pa.string():
        return column.cast(pa.string())
    fitting = pa.array(fits(column, wanted))
    numbers = pc.if_else(fitting, column, None).cast(wanted).cast(pa.string())
    return pc.if_else(fitting, numbers, column)
