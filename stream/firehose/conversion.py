"""Record format conversion: JSON records to the rows of a table, and the table to a Parquet or ORC file."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from msgspec import Struct

from stream.firehose import careful, catalog, columnar, fast
from stream.firehose.careful import Problem
from stream.firehose.catalog import Catalog
from stream.firehose.columnar import Format
from stream.firehose.shape import Shape

NOT_FOUND = "DataFormatConversion.EntityNotFound"
_RUN = 4_096  # records that are read at once: so many are read again when there is an odd one among them
_FEW = 128  # records of which it is no use to look for those that are not odd


class Conversion(Struct, frozen=True):
    """A DataFormatConversionConfiguration made ready. `shape` is None when there is no such table, `missing`
    then says so; `table` tells in error records which table it is."""

    shape: Shape | None
    missing: str
    format: Format
    table: Mapping[str, str]


class Converted(Struct, frozen=True):
    """The rows of the records that could be converted, in order, and what is wrong with the others by their
    place."""

    table: pa.Table
    problems: dict[int, Problem]


def of(document: Mapping[str, Any], tables: Catalog, account: str, region: str) -> Conversion | None:
    """What a configuration asks for; None when it is not enabled. Raises ValueError.

    `account` and `region` are the delivery stream's, for what the SchemaConfiguration leaves out.
    """
    if document.get("Enabled", True) is False:
        return None
    deserializer = _member(document, "InputFormatConfiguration", "Deserializer")
    format = columnar.of(_member(document, "OutputFormatConfiguration", "Serializer"))
    told = _table(_member(document, "SchemaConfiguration"), account, region)
    shape, missing = None, ""
    try:
        schema = catalog.table(tables, told["databaseName"], told["tableName"], told["versionId"])
        shape = Shape.of(schema, deserializer)
    except LookupError as error:
        missing = str(error)
    return Conversion(shape, missing, format, told)


def _member(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        found = document.get(name)
        if not isinstance(found, Mapping):
            raise ValueError(f"record format conversion needs {'.'.join(path)}")
        document = found
    return document


def _table(schema: Mapping[str, Any], account: str, region: str) -> Mapping[str, str]:
    for name in ("RoleARN", "DatabaseName", "TableName"):
        if not schema.get(name):
            raise ValueError(f"SchemaConfiguration needs {name}")
    return {
        "catalogId": schema.get("CatalogId") or account,
        "databaseName": schema["DatabaseName"],
        "tableName": schema["TableName"],
        "region": schema.get("Region") or region,
        "versionId": schema.get("VersionId") or "LATEST",
        "roleArn": schema["RoleARN"],
    }


def convert(data: pa.BinaryArray, conversion: Conversion) -> Converted:
    """The rows of these records; a bad record fails alone."""
    if conversion.shape is None:
        problem = Problem(NOT_FOUND, conversion.missing)
        return Converted(pa.table({}), dict.fromkeys(range(len(data)), problem))
    parts = [
        part for at in range(0, len(data), _RUN) for part in _parts(data, at, at + _RUN, conversion.shape)
    ]
    problems = {at + row: problem for at, part in parts for row, problem in part.problems.items()}
    tables = [part.table for _, part in parts]
    return Converted(pa.concat_tables([conversion.shape.schema.empty_table(), *tables]), problems)


def _parts(data: pa.BinaryArray, start: int, stop: int, shape: Shape) -> Iterator[tuple[int, Converted]]:
    """All at once where that goes; else in halves, until those that must be read one by one are alone."""
    stop = min(stop, len(data))
    part = data[start:stop]
    if (table := fast.table(part, shape)) is not None:
        yield start, Converted(table, {})
    elif stop - start <= _FEW or _odd_throughout(part, shape):
        yield start, Converted(*careful.table(part, shape))
    else:
        middle = (start + stop) // 2
        yield from _parts(data, start, middle, shape)
        yield from _parts(data, middle, stop, shape)


def _odd_throughout(data: pa.BinaryArray, shape: Shape) -> bool:
    """Whether halving would only lose time: the records at both ends of a long run are odd already."""
    ends = (data[:_FEW], data[len(data) - _FEW :])
    return len(data) > 8 * _FEW and all(fast.table(end, shape) is None for end in ends)
