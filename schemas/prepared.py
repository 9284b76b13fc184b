"""Rows that a user's handler makes of captured records, instead of what their payloads hold by themselves."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import payload
from schemas.columns import csv_columns
from schemas.errors import BadRecord
from schemas.inference import argument
from schemas.layout import Layout
from schemas.rows import Rows, assemble

# A user's handler: it is given an `InferenceRecord` (or a batch transform's line) and returns rows. One that
# fails raises BadRecord with the reason.
Handler = Callable[[Any], Any]
_Group = list[tuple[int, str, int]]  # index of the record, its rows as CSV, how many they are


def tables(
    records: Iterable[tuple[int, bytes]],
    handler: Handler,
    layout: Layout,
    indices: NDArray[np.int64],
    bad: dict[int, BadRecord],
) -> tuple[list[Rows], list[int]]:
    """Rows of `records`, each given with its place in `indices`, and the places of those that were skipped.

    What a handler fails at, or returns in another form than rows, is noted in `bad`. Rows with the same
    columns go into one table, so that a record's columns never depend on its neighbours.
    """
    groups: dict[tuple[str, ...], _Group] = defaultdict(list)
    skipped: list[int] = []
    for place, record in records:
        try:
            rows = returned(handler(argument(record)))
            if rows:
                names, text = _by_name_or_place(rows, layout)
                groups[names].append((place, text, len(rows)))
            else:
                skipped.append(place)
        except BadRecord as error:
            bad[place] = error
    found = [rows for names, group in groups.items() for rows in _table(names, group, layout, indices)]
    return found, skipped


def returned(result: Any) -> list[dict[str, Any]]:
    """What a handler returned, as rows; none says that the record is to be skipped. Raises BadRecord.

    >>> returned({1: "x"}), returned([])
    ([{'1': 'x'}], [])
    >>> returned({})
    Traceback (most recent call last):
      ...
    schemas.errors.BadRecord: the handler returned {}; to skip a record, return []
    """
    rows = result if isinstance(result, list) else [result]
    for row in rows:
        if not isinstance(row, dict):
            raise _bad(f"the handler returned {_kind(result, row)}; rows are a dict or a list of dicts")
        if not row:
            raise _bad("the handler returned {}; to skip a record, return []")
    return [{str(key): value for key, value in row.items()} for row in rows]


def cell(name: str, value: Any) -> str:
    """A value as a CSV cell: numbers in text are numbers, and None, NaN and "" are missing. Raises BadRecord.

    >>> [cell("x", value) for value in (None, 3, 0.5, True, "3", float("nan"), np.float32(0.5))]
    ['', '3', '0.5', 'true', '3', '', '0.5']
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if value != value else repr(float(value))
    if isinstance(value, int | Decimal | date):
        return str(value)
    if isinstance(value, np.generic):
        return cell(name, value.item())
    raise _bad(f"the handler returned a {type(value).__name__} for {name!r}; values are text or numbers")


def cells(rows: list[dict[str, Any]], names: Iterable[str]) -> str:
    """Rows as CSV text, a value that a row does not have missing. Raises BadRecord."""
    keys = [*names]
    try:
        text = payload.csv_text([cell(name, row.get(name)) for name in keys] for row in rows)
        text.encode()
    except ValueError as error:  # a number of thousands of digits, or text that is half a character
        raise _bad(f"the handler returned a value that cannot be written: {error}") from error
    return text


def _by_name_or_place(rows: list[dict[str, Any]], layout: Layout) -> tuple[tuple[str, ...], str]:
    """Names of the columns, and the rows as CSV: by name where the baseline knows one of the keys, else by
    position, the keys sorted as text as Model Monitor does."""
    keys = sorted(set().union(*rows))
    if not layout.columns.keys().isdisjoint(keys):
        return tuple(keys), cells(rows, keys)
    if any(len(row) != len(keys) for row in rows):
        raise _bad("the handler returned rows with different keys, none of which the baseline knows")
    _, names = layout.assign((), keys)
    return tuple(names), cells(rows, keys)


def _table(names: tuple[str, ...], group: _Group, layout: Layout, indices: NDArray[np.int64]) -> list[Rows]:
    text = "\n".join([*(text for _, text, _ in group), ""]).encode()
    columns = csv_columns(text, list(names), layout)
    rows = np.array([n for _, _, n in group], np.int64)
    record = np.repeat(indices[[place for place, _, _ in group]], rows)
    row = np.arange(len(record)) - np.repeat(np.cumsum(rows) - rows, rows)
    return assemble({}, columns, layout, record, row)


def _kind(result: Any, row: Any) -> str:
    inner = f"a list that holds a {type(row).__name__}" if isinstance(result, list) else ""
    return inner or ("nothing" if result is None else f"a {type(result).__name__}")


def _bad(reason: str) -> BadRecord:
    return BadRecord("preprocessor", reason)
