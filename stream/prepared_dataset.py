"""Data sets whose rows a preprocess_handler makes, so that a baseline has the columns of prepared traffic."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.errors import BadRecord, SourceError
from schemas.prepared import Handler, cell, returned
from stream import dataset


def read(path: Path, handler: Handler, header: bool | None = None) -> pa.Table:
    """What `handler` makes of each CSV line (as text) or each JSON or Parquet row (as a dict).

    As under Model Monitor the line that names the columns is handed over too; what comes of it is no row.
    Columns are in the order of their names as text. Raises SourceError, which names the line.
    """
    rows: list[dict[str, str]] = []
    try:
        for number, item, is_row in _items(path, header):
            try:
                made = [
                    {key: cell(key, value) for key, value in row.items()} for row in returned(handler(item))
                ]
            except BadRecord as error:
                if not is_row:
                    continue
                raise SourceError(f"{path}: row {number}: {error}") from error
            rows += made if is_row else []
    except dataset.UNREADABLE as error:
        raise SourceError(f"{path}: {error}") from error
    if not rows:
        raise SourceError(f"{path}: the preprocessor made no rows")
    names = sorted(set().union(*rows))
    return pa.table({name: pa.array([row.get(name) or None for row in rows], pa.string()) for name in names})


def _items(path: Path, header: bool | None) -> Iterator[tuple[int, Any, bool]]:
    """Number (from 1), what the handler is given, and whether it is a row of data."""
    form = dataset.form(path)
    if form == "CSV":
        yield from _lines(dataset.content(path), header)
        return
    items = (
        dataset.read_parquet(path).to_pylist() if form == "Parquet" else dataset.items(dataset.content(path))
    )
    for number, item in enumerate(items, 1):
        yield number, item, True


def _lines(text: bytes, header: bool | None) -> Iterator[tuple[int, Any, bool]]:
    first, *rest = islice(dataset.csv_rows(text), 2)
    named = dataset.has_header(first, rest[0] if rest else []) if header is None else header
    for number, line in enumerate(dataset.decoded(text).split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r"), not (named and number == 1)
