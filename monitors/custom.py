"""Monitors that users write: a metric in a file of theirs, with the constraint that it must meet.

    @register
    class Unsure:
        \"\"\"Share of predictions between 0.4 and 0.6.\"\"\"

        name = "unsure"
        at_most = 0.25

        def observe(self, columns):
            score = np.asarray(columns["score"].drop_null())
            return {"unsure": ((score > 0.4) & (score < 0.6)).sum(), "scored": len(score)}

        def finish(self, sums):
            return sums["unsure"] / sums["scored"]

What `observe` gives for some rows is added to what it gives for others, so a window may come in any pieces.
A class with a `load` is taken for a whole monitor, as `monitors.base.Monitor` describes it.
"""

import inspect
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import Any, Protocol, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from schemas.columns import ARROW, fits
from schemas.errors import ConfigError
from schemas.layout import Layout
from schemas.report import Finding, Violation
from schemas.rows import Rows

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SUMS = "sums"

C = TypeVar("C", bound=type)
_registered: ContextVar[dict[str, type] | None] = ContextVar("registered", default=None)


class Metric(Protocol):
    """The simple form of a monitor: sums over rows, and a value read off them. `at_most` and `at_least` are
    optional."""

    name: str

    def observe(self, columns: pa.Table) -> Mapping[str, float]:
        """Sums over some rows, at least one. The table has all columns of the baseline in its types (int64,
        float64, string); a value that does not fit is missing, and so is one that did not come."""
        ...

    def finish(self, sums: Mapping[str, float]) -> float | None:
        """The value over all rows of a window; None where there is none."""
        ...


def register(cls: C) -> C:
    """Make a class known as a monitor. Raises ConfigError when it cannot be one."""
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{cls.__name__}: name is {name!r}, and must be like night_share: a-z, 0-9 and _")
    if not (cls.__doc__ or "").strip():
        raise ConfigError(f"{cls.__name__} has no docstring; say in it what {name} is")
    if missing := [method for method in ("observe", "finish") if not callable(getattr(cls, method, None))]:
        raise ConfigError(f"{cls.__name__} has no method {' and no method '.join(missing)}")
    for limit in ("at_most", "at_least"):
        if not isinstance(value := getattr(cls, limit, None), Real | None):
            raise ConfigError(f"{cls.__name__}: {limit} is {value!r}, and must be a number")
    known = _registered.get()
    if known is not None:
        if name in known:
            raise ConfigError(f"a second monitor of the name {name}")
        known[name] = cls
    return cls


@contextmanager
def registering() -> Iterator[dict[str, type]]:
    """Collects what is registered for its duration, by name."""
    found: dict[str, type] = {}
    token = _registered.set(found)
    try:
        yield found
    finally:
        _registered.reset(token)


def is_whole(cls: type) -> bool:
    """Whether a registered class keeps a state of its own."""
    return callable(getattr(cls, "load", None))


class Sums(Struct, frozen=True):
    """Sums of a metric over `rows` rows; `Sums()` is the identity of merge.

    >>> Sums(2, {"late": 1.0}).merge(Sums(3, {"late": 2.0, "early": 1.0}))
    Sums(rows=5, sums={'late': 3.0, 'early': 1.0})
    """

    rows: int = 0
    sums: dict[str, float] = {}

    def merge(self, other: "Sums") -> "Sums":
        """Combine two disjoint samples; neither is changed."""
        names = {**self.sums, **other.sums}
        added = {name: self.sums.get(name, 0) + other.sums.get(name, 0) for name in names}
        return Sums(self.rows + other.rows, added)

    def dump(self) -> Mapping[str, bytes]:
        """All of it in one part."""
        return {_SUMS: msgspec.msgpack.encode(self)}

    @classmethod
    def load(cls, parts: Mapping[str, bytes]) -> "Sums":
        """Restore what `dump` gave."""
        return msgspec.msgpack.decode(parts[_SUMS], type=cls)


class Summed:
    """A metric as a monitor; its value must lie between `at_least` and `at_most`, where they are set."""

    def __init__(
        self, metric: Metric, layout: Layout, at_most: float | None = None, at_least: float | None = None
    ) -> None:
        self.name = metric.name
        self._metric = metric
        self._layout = layout
        self._at_most = at_most
        self._at_least = at_least

    def observe(self, rows: Rows) -> Sums:
        """The sums of `rows`."""
        if not len(rows):
            return Sums()
        sums = self._metric.observe(typed(rows.columns, self._layout))
        return Sums(len(rows), {str(name): _plain(value) for name, value in sums.items()})

    def load(self, parts: Mapping[str, bytes]) -> Sums:
        """Restore a state from its dumped parts."""
        return Sums.load(parts)

    def finish(self, state: Sums) -> Finding:
        """The value in metrics.json and, where it passes a limit, a violation."""
        value = _number(self._metric.finish(state.sums)) if state.rows else None
        violations = [] if value is None else [*self._judge(value)]
        documents = {
            "metrics.json": {self.name: value},
            "constraint_violations.json": {"violations": violations},
        }
        return Finding(violations, [], documents)

    def _judge(self, value: float) -> Iterator[Violation]:
        text = f"Value: {value} does not meet the constraint requirement!"
        if self._at_most is not None and value > self._at_most:
            yield Violation(self.name, "custom_check", f"{text} It must be at most {self._at_most}.")
        if self._at_least is not None and value < self._at_least:
            yield Violation(self.name, "custom_check", f"{text} It must be at least {self._at_least}.")


def typed(columns: pa.Table, layout: Layout) -> pa.Table:
    """The baseline's columns by its types; what does not fit, or did not come, is missing.

    >>> layout = Layout({"age": "Integral", "city": "String"})
    >>> typed(pa.table({"age": ["3", "?"]}), layout).to_pylist()
    [{'age': 3, 'city': None}, {'age': None, 'city': None}]
    """
    arrays: dict[str, pa.Array] = {}
    for name, kind in layout.columns.items():
        wanted = ARROW.get(kind, pa.string())
        if name not in columns.column_names:
            arrays[name] = pa.nulls(columns.num_rows, wanted)
            continue
        column = columns[name].combine_chunks()
        if column.type == pa.string() != wanted:
            column = pc.if_else(pa.array(fits(column, wanted)), column, None)
        arrays[name] = column.cast(wanted)
    return pa.table(arrays)


def _plain(value: Any) -> float:
    """A sum as a number that can be stored; whole ones stay whole, so that they are exact."""
    if hasattr(value, "as_py"):
        value = value.as_py()
    if hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, int | float):
        raise TypeError(f"observe gave {value!r}, which is no number")
    return value


def _number(value: Any) -> float | None:
    """The value of a metric; NaN is none."""
    if value is None:
        return None
    value = _plain(value)
    return value if math.isfinite(value) else None


def made(cls: type) -> Any:
    """An instance of a registered class. Raises ConfigError when it wants arguments."""
    try:
        inspect.signature(cls).bind()
    except TypeError as error:
        raise ConfigError(f"{cls.__name__} cannot be made without arguments: {error}") from error
    return cls()
