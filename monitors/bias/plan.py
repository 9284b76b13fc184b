"""What a configuration means for the columns of rows: which values are on which side, as codes."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from monitors.bias.table import MISSING, NEGATIVE, POSITIVE
from monitors.types import numbers
from schemas.analysis_config import POST_TRAINING, PRE_TRAINING, Value
from schemas.layout import NUMERIC, Kind
from schemas.texts import as_text

Codes = NDArray[np.int64]

AND = " & "  # between the names, and the values, of an intersection


class Choice(Struct, frozen=True):
    """Some values of a column, as text, or its numbers `above` a threshold; `text` is what files call it,
    without the interval's end, which is the largest number seen."""

    text: str
    values: frozenset[str] = frozenset()
    above: float | None = None


class Column(Struct, frozen=True):
    """A column and the choices among its values, of which no two overlap. `kind` is the type the baseline
    has, and never that of a window."""

    name: str
    kind: Kind
    choices: tuple[Choice, ...]

    @property
    def continuous(self) -> bool:
        """Whether it is told by a threshold."""
        return self.choices[0].above is not None

    def codes(self, table: pa.Table) -> Codes:
        """Of each row the place of its choice; behind these all other values, then the missing ones.

        >>> column = Column("sex", "String", (Choice("F", frozenset("F")),))
        >>> column.codes(pa.table({"sex": ["F", "M", None]})).tolist()
        [0, 1, 2]
        """
        other, missing = len(self.choices), len(self.choices) + 1
        if self.name not in table.column_names:
            return np.full(len(table), missing, np.int64)
        if (above := self.choices[0].above) is not None:
            values = numbers(table[self.name])
            return np.where(np.isnan(values), missing, np.where(values > above, 0, other))
        names, place = distinct(table[self.name], self.kind)
        places = {value: at for at, choice in enumerate(self.choices) for value in choice.values}
        codes = np.array([*(places.get(name, other) for name in names), missing], np.int64)
        return codes[place]

    def highest(self, table: pa.Table) -> float | None:
        """The largest number of a continuous column."""
        if not self.continuous or self.name not in table.column_names:
            return None
        values = numbers(table[self.name])
        values = values[np.isfinite(values)]
        return float(values.max()) if len(values) else None

    def text(self, at: int, highest: float | None) -> str:
        """A choice as files have it: the values, or `(threshold, largest number seen]`.

        >>> Column("age", "Integral", (Choice("40", above=40.0),)).text(0, 75.0)
        '(40, 75]'
        """
        above = self.choices[at].above
        if above is None:
            return self.choices[at].text
        low, high = above, above if highest is None else max(above, highest)
        whole = self.kind == "Integral" and low.is_integer()
        return f"({int(low)}, {int(high)}]" if whole else f"({low!r}, {high!r}]"


class Facet(Struct, frozen=True):
    """A sensitive column, or two whose values are looked at together."""

    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """What it is called in files."""
        return AND.join(column.name for column in self.columns)

    @property
    def values(self) -> int:
        """How many values, or pairs of values, are compared with all others."""
        return int(np.prod([len(column.choices) for column in self.columns]))

    def codes(self, table: pa.Table) -> Codes:
        """As `Column.codes`; a pair that lacks a value is missing, one with a value not chosen another."""
        codes = self.columns[0].codes(table)
        if len(self.columns) == 1:
            return codes
        first, second = self.columns
        n, m, more = len(first.choices), len(second.choices), second.codes(table)
        missing = (codes == n + 1) | (more == m + 1)
        other = (codes == n) | (more == m)
        pair = np.where(other, n * m, codes * m + more)
        return np.where(missing, n * m + 1, pair)

    def texts(self, highest: dict[str, float]) -> list[str]:
        """Names of its values, in the order of their codes."""
        each = [
            [column.text(at, highest.get(column.name)) for at in range(len(column.choices))]
            for column in self.columns
        ]
        return [AND.join(pair) for pair in product(*each)]

    def keys(self) -> list[str]:
        """The same as they can be compared over windows: of an interval the threshold alone."""
        each = [
            [choice.text if choice.above is None else key(choice.above) for choice in column.choices]
            for column in self.columns
        ]
        return [AND.join(pair) for pair in product(*each)]


class Plan(Struct, frozen=True):
    """Which columns say what. `features` are the columns of the flip test; without any, `no_flip` says
    why."""

    facets: tuple[Facet, ...]
    label: Column | None = None
    predicted: Column | None = None
    group: tuple[str, Kind] | None = None
    features: tuple[str, ...] = ()
    no_flip: str = "there are no numeric features"
    pre_training: tuple[str, ...] = PRE_TRAINING
    post_training: tuple[str, ...] = POST_TRAINING

    @property
    def flips(self) -> bool:
        """Whether rows are sampled for the flip test."""
        return bool(self.features) and self.predicted is not None and "FT" in self.post_training

    @property
    def sampled(self) -> tuple[int, int]:
        """How many features and facets a sampled row has."""
        return (len(self.features), len(self.facets)) if self.flips else (0, 0)

    @property
    def continuous(self) -> list[Column]:
        """Columns that are told by a threshold, of which the largest number is reported."""
        columns = [column for facet in self.facets for column in facet.columns]
        columns += [self.label] if self.label else []
        return [column for column in columns if column.continuous]


def outcomes(column: Column | None, table: pa.Table) -> Codes:
    """Whether each row's label or prediction is positive, as the codes of `Table`."""
    if column is None:
        return np.full(len(table), MISSING, np.int64)
    return np.array([POSITIVE, NEGATIVE, MISSING], np.int64)[column.codes(table)]


def distinct(column: pa.ChunkedArray, kind: Kind | None) -> tuple[list[str], Codes]:
    """The different values of a column as text, and of each row the place of its own; of a missing value
    that is -1."""
    whole = column.combine_chunks()
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    if pa.types.is_null(whole.type):
        return [], np.full(len(whole), -1, np.int64)
    if pa.types.is_floating(whole.type):
        whole = pc.if_else(pc.is_finite(whole), whole, None)
    coded = whole.dictionary_encode()
    place = np.asarray(coded.indices.fill_null(-1), np.int64)
    return [str(name) for name in as_text(coded.dictionary, kind).to_pylist()], place


def quantities(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """The numbers of a column, truth values as 1 and 0; NaN where it has none.

    >>> quantities(pa.chunked_array([["true", "false", "2.5", None]])).tolist()
    [1.0, 0.0, 2.5, nan]
    """
    found = np.array(numbers(column))
    if pa.types.is_string(column.type) and np.isnan(found).any():
        for text, number in (("true", 1.0), ("false", 0.0)):
            found[np.asarray(pc.fill_null(pc.equal(column, text), False))] = number
    return found


def groups(table: pa.Table, group: tuple[str, Kind] | None) -> tuple[tuple[str, ...], Codes] | None:
    """Names of groups, sorted, and each row's place among them; None where there is no group variable."""
    if group is None:
        return None
    name, kind = group
    if name not in table.column_names:
        return (), np.full(len(table), -1, np.int64)
    found, place = distinct(table[name], kind)
    names = tuple(sorted(set(found)))  # two numbers may read the same
    order = {text: at for at, text in enumerate(names)}
    return names, np.array([*(order[text] for text in found), -1], np.int64)[place]


def key(number: float) -> str:
    """A threshold as text that is the same however it was written.

    >>> key(40.0), key(0.5)
    ('>40', '>0.5')
    """
    return f">{number:g}" if number == float(f"{number:g}") else f">{number!r}"


def canonical(values: Sequence[Value], kind: Kind) -> frozenset[str]:
    """Configured values as the text that a column of `kind` is read as.

    >>> sorted(canonical(["1", 2.0], "Integral")), sorted(canonical([True, "F", 1], "String"))
    (['1', '2'], ['1', 'F', 'True', 'true'])
    """
    found: set[str] = set()
    for value in values:
        if kind in NUMERIC and not isinstance(value, bool):
            found.add(_number(value))
        elif kind == "Boolean" and not isinstance(value, str):
            found.add(str(bool(value)).lower())
        elif kind == "Boolean":
            found.add(str(value).lower())
        else:
            found |= {str(value)} | ({str(value).lower()} if isinstance(value, bool) else set())
            found |= {_number(value)} if isinstance(value, float) else set()
    return frozenset(found)


def _number(value: Value) -> str:
    try:
        return str(as_text(pa.array([float(value)]))[0])
    except ValueError:
        return str(value)
