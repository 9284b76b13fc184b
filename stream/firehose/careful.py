"""JSON records to columns one by one: what each value becomes, and why a record fails."""

from typing import Any

import pyarrow as pa
from msgspec import Struct

from stream.firehose.documents import documents
from stream.firehose.shape import Shape
from stream.firehose.values import Mismatch

PARSE_ERROR, MALFORMED = "DataFormatConversion.ParseError", "DataFormatConversion.MalformedData"


class Problem(Struct, frozen=True):
    """Why a record cannot be converted."""

    code: str
    message: str


def table(data: pa.BinaryArray, shape: Shape) -> tuple[pa.Table, dict[int, Problem]]:
    """The rows of the records that can be converted, and what is wrong with each of the others.

    A record with several documents has several rows, or none of them is delivered.
    """
    columns: list[list[Any]] = [[] for _ in shape.keys]
    problems: dict[int, Problem] = {}
    for at, record in enumerate(data):
        try:
            rows = [_row(document, shape) for document in documents(record.as_py())]
        except Mismatch as error:
            problems[at] = Problem(MALFORMED, str(error))
        except (ValueError, RecursionError) as error:
            problems[at] = Problem(PARSE_ERROR, str(error))
        else:
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
    arrays = [pa.array(column, type) for column, type in zip(columns, shape.schema.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=shape.schema), problems


def _row(document: dict[str, Any], shape: Shape) -> list[Any]:
    found = {shape.rules.key(key): value for key, value in document.items()}
    return [read(found.get(key)) for key, read in zip(shape.keys, shape.readers, strict=True)]
