"""A monitor of one's own: monitors = ["examples/monitors/unsure.py"] in streamgauge.toml."""

import pyarrow as pa
import pyarrow.compute as pc

from monitors.custom import register


@register
class Unsure:
    """Share of predictions that the model was least sure of: a probability between 0.4 and 0.6."""

    name = "unsure"
    at_most = 0.25

    def observe(self, columns: pa.Table) -> dict[str, int]:
        """Sums over some rows; those of other rows are added to them."""
        score = columns["score"].drop_null()
        unsure = pc.and_(pc.greater_equal(score, 0.4), pc.less(score, 0.6))
        return {"unsure": pc.sum(unsure).as_py() or 0, "scored": len(score)}

    def finish(self, sums: dict[str, int]) -> float | None:
        """The value over a whole window."""
        return sums["unsure"] / sums["scored"] if sums["scored"] else None
