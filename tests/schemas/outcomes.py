"""What became of each record, in a form in which two ways of decoding it can be compared bit by bit."""

from collections import Counter
from typing import Any

import oracle
from schemas.decode import Decoded
from schemas.layout import Layout

Outcome = tuple[Any, ...]  # ("bad", code, message, width) or ("rows", event id, event time, rows)


def outcomes(found: Decoded, layout: Layout) -> list[Outcome]:
    """By record. That each became one thing, and once, is checked on the way."""
    rows: list[dict[int, list[tuple[str, Any]]]] = [{} for _ in range(len(found))]
    fates = Counter(found.bad.keys())
    for table in found.tables:
        fates.update(set(table.record.tolist()))
        values = _values(table.columns, layout) or [[]] * len(table)
        for record, row, held in zip(table.record.tolist(), table.row.tolist(), values, strict=True):
            assert row not in rows[record]
            rows[record][row] = held
    assert fates == Counter(range(len(found)))
    ids, times = found.event_id.to_pylist(), found.event_time.tolist()
    return [
        _refused(found, i)
        if i in found.bad
        else ("rows", ids[i], times[i], [rows[i][row] for row in range(len(rows[i]))])
        for i in range(len(found))
    ]


def plainly(event_id: str, when: int, rows: list[oracle.Row]) -> Outcome:
    """The outcome that a record must have which the oracle reads so."""
    return "rows", event_id, when, [sorted(row.items()) for row in rows]


def _refused(found: Decoded, index: int) -> Outcome:
    error = found.bad[index]
    return "bad", error.code, str(error), error.width


def _values(columns: Any, layout: Layout) -> list[list[tuple[str, Any]]]:
    """Names and values of each row, in order of names, without what is missing. A number reads the same
    whether its column is typed or, beside stray text, is text. Nothing, where there is no column."""
    names = sorted(columns.column_names)
    kinds = [layout.columns.get(name, "String") for name in names]
    return [
        [
            (name, oracle.number(value, kind) if isinstance(value, str) else value)
            for name, kind, value in zip(names, kinds, row, strict=True)
            if value is not None
        ]
        for row in zip(*(columns[name].to_pylist() for name in names), strict=True)
    ]
