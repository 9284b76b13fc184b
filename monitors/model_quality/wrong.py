"""Event ids of the rows that a model was most wrong about, so that somebody can look at them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

KEPT = 5
_LONGEST = 256  # characters: a longer id is left out, because a state must stay small


class Wrong(Struct, frozen=True):
    """(How wrong, event id) of a few rows, the worst first, of equals the smaller id; on no order does it
    depend which are kept. `Wrong()` is the identity of merge."""

    worst: tuple[tuple[float, str], ...] = ()

    @classmethod
    def of(cls, event_id: pa.StringArray | None, how: NDArray[np.float64]) -> "Wrong":
        """Of the ids of rows and how wrong each is, shape (rows,): 0 is right."""
        at = np.flatnonzero(how > 0.0)
        if event_id is None or not len(at):
            return cls()
        usable = pc.less_equal(pc.utf8_length(event_id.take(pa.array(at))), _LONGEST)
        at = at[np.asarray(pc.fill_null(usable, False))]
        if len(at) > KEPT:
            least = np.partition(how[at], -KEPT)[-KEPT]
            more, same = at[how[at] > least], at[how[at] == least]
            ids = event_id.take(pa.array(same))
            first = pc.select_k_unstable(ids, KEPT - len(more), [("", "ascending")])
            at = np.concatenate((more, same[np.asarray(first)]))
        ids = event_id.take(pa.array(at)).to_pylist()
        return cls(_worst([*zip(how[at].tolist(), ids, strict=True)]))

    def merge(self, other: "Wrong") -> "Wrong":
        """Combine two disjoint samples; neither is changed."""
        if not self.worst or not other.worst:
            return self if self.worst else other
        return Wrong(_worst([*self.worst, *other.worst]))

    def ids(self) -> list[str]:
        """The ids, each once."""
        return list(dict.fromkeys(event_id for _, event_id in self.worst))


def _worst(found: list[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    return tuple(sorted(found, key=lambda row: (-row[0], row[1]))[:KEPT])
