"""Tables that records are converted to: what the Glue data catalog would say of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from stream.firehose import hive_types

Catalog = Mapping[str, Any]
_LATEST = "LATEST"


def table(catalog: Catalog, database: str, name: str, version: str = _LATEST) -> pa.Schema:
    """The columns of a version of a table, without its partition keys: they are in no file.

    The catalog is `{database: {table: {version: description}}}`, where a description is a list of columns,
    `{"Columns": [...]}`, or Glue's `{"StorageDescriptor": {"Columns": [...]}}`; a table with one version may
    be the description itself. LATEST is the greatest number where no version has that name.

    Raises LookupError when there is no such table, ValueError when it cannot be read.

    >>> table({"capture": {"inference": [{"Name": "id", "Type": "string"}]}}, "capture", "inference").names
    ['id']
    """
    try:
        found = catalog[database][name]
        columns = _columns(found)
        if columns is None:
            columns = _columns(found[_newest(found) if version == _LATEST else version])
    except (KeyError, TypeError) as error:
        raise LookupError(f"there is no table {database}.{name} of version {version}") from error
    if columns is None:
        raise ValueError(f"the table {database}.{name} has no list of columns")
    return hive_types.schema(columns)


def _columns(found: Any) -> Sequence[Mapping[str, Any]] | None:
    if isinstance(found, Mapping):
        found = found.get("StorageDescriptor", found).get("Columns")
    return found if isinstance(found, list) else None


def _newest(versions: Mapping[str, Any]) -> str:
    return _LATEST if _LATEST in versions else str(max(map(int, versions)))
