"""Names and types of a subject's columns, and which captured value belongs to which name."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from schemas.errors import BadRecord

Kind = Literal["Integral", "Fractional", "Boolean", "String", "Unknown"]
NUMERIC: tuple[Kind, ...] = ("Integral", "Fractional")


class Layout(Struct, frozen=True):
    """The columns that the baseline knows, in its order.

    `outputs` names the model's output columns where they are known; without it they are the columns
    left over, first in the row (`output_position` START, as Model Monitor assumes) or last (END).
    """

    columns: dict[str, Kind]
    outputs: tuple[str, ...] | None = None
    output_position: Literal["START", "END"] = "START"

    def assign(
        self, output: Sequence[str], inputs: Sequence[str], claimed: frozenset[str] = frozenset()
    ) -> tuple[list[str], list[str]]:
        """Names for the values that came without one this layout knows: (output names, input names).

        `output` and `inputs` hold a label a value, "" where the payload gave none; `claimed` are the
        baseline's columns that the same row already names. Positions decide only where the numbers
        agree; where they do not, the record is refused rather than shifted by a column. Outputs that the
        baseline does not have keep a name of their own beside it.

        Raises BadRecord (code `columns`).

        >>> layout = Layout({"label": "Integral", "age": "Integral", "city": "String"})
        >>> layout.assign([""], ["", ""])
        (['label'], ['age', 'city'])
        >>> layout.assign([], ["", ""])
        Traceback (most recent call last):
          ...
        schemas.errors.BadRecord: 2 columns captured (0 output + 2 input), the baseline has 3
        """
        free = [name for name in self.columns if name not in claimed]
        out = self._output_names(len(output))
        rest = [name for name in free if name not in out]
        whole = len(inputs) == len(free)
        named = not inputs and bool(claimed or self.outputs is not None)
        if claimed.isdisjoint(out) and len(output) in (0, len(out)) and (named or len(inputs) == len(rest)):
            return out[: len(output)], rest[: len(inputs)]
        if whole and not output:  # a batch transform's row holds its outputs; JSON names them itself
            return [], free
        if self.outputs is None and (whole or named):
            return self._beside(output), free[: len(inputs)]
        seen = len(output) + len(inputs) + len(claimed)
        raise BadRecord(
            "columns",
            f"{seen} columns captured ({len(output)} output + {seen - len(output)} input), "
            f"the baseline has {len(self.columns)}",
            width=seen,
        )

    def _output_names(self, width: int) -> list[str]:
        if self.outputs is not None:
            return list(self.outputs)
        names = list(self.columns)
        return names[:width] if self.output_position == "START" else names[len(names) - width :]

    def _beside(self, labels: Sequence[str]) -> list[str]:
        """Names for outputs that are none of the baseline's columns: their label, or else their number."""
        taken = {*self.columns, *labels}
        names: list[str] = []
        for index, label in enumerate(labels):
            name = label or f"output_{index}"
            while not label and name in taken:
                name += "_"
            names.append(name)
        return names
