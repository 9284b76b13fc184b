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
        some = _candidates(how, at)
        if not _usable(event_id, some).all():
            some = _candidates(how, at[_usable(event_id, at)])
        if len(some) > KEPT:
            some = _smallest_ids(event_id, how, some)
        ids = event_id.take(pa.array(some)).to_pylist()
        return cls(_worst([*zip(how[some].tolist(), ids, strict=True)]))

    def merge(self, other: "Wrong") -> "Wrong":
        """Combine two disjoint samples; neither is changed."""
        if not self.worst or not other.worst:
            return self if self.worst else other
        return Wrong(_worst([*self.worst, *other.worst]))

    def ids(self) -> list[str]:
        """The ids, each once."""
        return list(dict.fromkeys(event_id for _, event_id in self.worst))


def _candidates(how: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of `at` among which the worst are; more than are kept, where several are as wrong as the last."""
    if len(at) <= KEPT:
        return at
    far = how[at]
    found: NDArray[np.int64] = at[far >= np.partition(far, -KEPT)[-KEPT]]
    return found


def _smallest_ids(
    event_id: pa.StringArray, how: NDArray[np.float64], some: NDArray[np.int64]
) -> NDArray[np.int64]:
    """As many candidates as are kept: of those as wrong as the last of them, the smaller ids."""
    least = how[some].min()
    more, same = some[how[some] > least], some[how[some] == least]
    first = pc.select_k_unstable(event_id.take(pa.array(same)), KEPT - len(more), [("", "ascending")])
    found: NDArray[np.int64] = np.concatenate((more, same[np.asarray(first)]))
    return found


def _usable(event_id: pa.StringArray, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these rows have an id that may be kept."""
    short = pc.less_equal(pc.utf8_length(event_id.take(pa.array(at))), _LONGEST)
    return np.asarray(pc.fill_null(short, False))


def _worst(found: list[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    return tuple(sorted(found, key=lambda row: (-row[0], row[1]))[:KEPT])
