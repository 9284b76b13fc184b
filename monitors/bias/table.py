"""The counts that every metric of bias is read from."""

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

NEGATIVE, POSITIVE, MISSING = 0, 1, 2  # what a label, or a predicted label, may be
OUTCOMES = 3

MAX_GROUPS = 4_096  # values of the group variable that are told apart

Counts = NDArray[np.int64]


class Table:
    """Rows of one facet, counted by facet value, label, predicted label and group.

    `counts` has shape (values + 2, 3, 3): the values of the facet that are told apart, then all others, then
    the missing ones; labels and predictions are negative, positive or missing. `by_group` has a further axis
    before these for `groups`, which are sorted; rows without a group are in `counts` alone. It is None when
    there were more than MAX_GROUPS groups: that many can never become fewer, so that it depends on no order.

    `Table.empty(values)` is the identity of merge.
    """

    __slots__ = ("by_group", "counts", "groups")

    def __init__(self, counts: Counts, groups: tuple[str, ...], by_group: Counts | None) -> None:
        self.counts = counts
        self.groups = groups if by_group is not None else ()
        self.by_group = by_group

    @classmethod
    def empty(cls, values: int) -> "Table":
        """No rows, of a facet of which so many values are told apart."""
        shape = (values + 2, OUTCOMES, OUTCOMES)
        return cls(np.zeros(shape, np.int64), (), np.zeros((0, *shape), np.int64))

    @classmethod
    def of(
        cls,
        values: int,
        facet: NDArray[np.int64],
        label: NDArray[np.int64],
        predicted: NDArray[np.int64],
        group: tuple[tuple[str, ...], NDArray[np.int64]] | None = None,
    ) -> "Table":
        """Count rows by codes of shape (rows,): facet in [0, values + 2), label and predicted in [0, 3).

        `group` are sorted names, and the place of each row's name among them, -1 where it has none.

        >>> facet, label, predicted = np.array([[0, 1, 1], [1, 1, 0], [1, 0, 2]])
        >>> Table.of(1, facet, label, predicted).counts[:, POSITIVE].tolist()
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
        """
        shape = (values + 2, OUTCOMES, OUTCOMES)
        cells = int(np.prod(shape))
        cell = (facet * OUTCOMES + label) * OUTCOMES + predicted
        counts = np.bincount(cell, minlength=cells).reshape(shape)
        if group is None:
            return cls(counts, (), np.zeros((0, *shape), np.int64))
        names, place = group
        if len(names) > MAX_GROUPS:
            return cls(counts, (), None)
        known = place >= 0
        flat = place[known] * cells + cell[known]
        return cls(counts, names, np.bincount(flat, minlength=len(names) * cells).reshape(len(names), *shape))

    def merge(self, other: "Table") -> "Table":
        """Count two disjoint samples together; neither is changed."""
        counts = self.counts + other.counts
        if self.by_group is None or other.by_group is None:
            return Table(counts, (), None)
        if self.groups == other.groups:
            return Table(counts, self.groups, self.by_group + other.by_group)
        names = tuple(sorted({*self.groups, *other.groups}))
        if len(names) > MAX_GROUPS:
            return Table(counts, (), None)
        place = {name: at for at, name in enumerate(names)}
        by_group = np.zeros((len(names), *self.counts.shape), np.int64)
        for table in (self, other):
            by_group[[place[name] for name in table.groups]] += table.by_group
        return Table(counts, names, by_group)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table) or self.groups != other.groups:
            return False
        if self.by_group is None or other.by_group is None:
            return self.by_group is other.by_group and np.array_equal(self.counts, other.counts)
        return np.array_equal(self.counts, other.counts) and np.array_equal(self.by_group, other.by_group)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({self.counts.tolist()}, groups={len(self.groups)})"

    def dump(self) -> bytes:
        """As bytes that `load` reads: of the groups only the cells that hold something."""
        cells = None
        if self.by_group is not None:
            flat = self.by_group.ravel()
            filled = np.flatnonzero(flat)
            cells = (np.diff(filled, prepend=0).tolist(), flat[filled].tolist())
        return msgspec.msgpack.encode((self.counts.ravel().tolist(), self.groups, cells))

    @classmethod
    def load(cls, raw: bytes) -> "Table":
        """Restore what `dump` gave."""
        dumped = msgspec.msgpack.decode(raw, type=_Dumped)
        shape = (len(dumped.counts) // OUTCOMES**2, OUTCOMES, OUTCOMES)
        counts = np.array(dumped.counts, np.int64).reshape(shape)
        if dumped.cells is None:
            return cls(counts, (), None)
        steps, filled = dumped.cells
        flat = np.zeros(len(dumped.groups) * len(dumped.counts), np.int64)
        flat[np.cumsum(np.array(steps, np.int64))] = filled
        return cls(counts, dumped.groups, flat.reshape(len(dumped.groups), *shape))


class _Dumped(Struct, array_like=True):
    counts: list[int]
    groups: tuple[str, ...]
    cells: tuple[list[int], list[int]] | None
