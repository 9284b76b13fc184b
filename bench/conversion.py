"""Records a second on one core, from JSON records to a Parquet file, and the other steps to an S3 object.

python bench/conversion.py [RECORDS]
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.records import Records
from stream.firehose import plan
from stream.firehose.naming import Stream
from stream.firehose.objects import Source, objects
from timing import best

STREAM = Stream("bench", "arn:aws:firehose:us-east-1:000000000000:deliverystream/bench", "1", "")
BUCKET = {"RoleARN": "arn:aws:iam::000000000000:role/r", "BucketARN": "arn:aws:s3:::lake"}
TYPES = {
    "id": "string",
    "at": "timestamp",
    "model": "string",
    "n": "bigint",
    "score": "double",
    "ok": "boolean",
    "price": "float",
    "note": "string",
}
TABLES = {"d": {"t": [{"Name": name, "Type": type} for name, type in TYPES.items()]}}
QUERY = {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{model: .model}"}


def converted(serializer: str, **options: Any) -> dict[str, Any]:
    return BUCKET | {
        "DataFormatConversionConfiguration": {
            "SchemaConfiguration": {"RoleARN": BUCKET["RoleARN"], "DatabaseName": "d", "TableName": "t"},
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {serializer: options}},
        }
    }


PARTITIONED = {
    "Prefix": "m=!{partitionKeyFromQuery:model}/",
    "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "ProcessingConfiguration": {
        "Enabled": True,
        "Processors": [{"Type": "MetadataExtraction", "Parameters": [QUERY]}],
    },
}


def record(at: int, **changed: Any) -> bytes:
    """About 200 bytes with eight columns and a key that is in none."""
    fields = {
        "id": f"r-{at:09d}",
        "at": f"2026-01-02T03:{at // 60 % 60:02d}:{at % 60:02d}.123Z",
        "model": f"m{at % 5}",
        "n": at,
        "score": at / 7,
        "ok": at % 2 == 0,
        "price": at * 0.01,
        "note": "hello world " * 4,
        "extra": at,
    }
    return json.dumps(fields | changed).encode()


def cases(count: int) -> Iterator[tuple[str, dict[str, Any], list[bytes]]]:
    flat = [record(at) for at in range(count)]
    bad = [record(at, n="oops") if at % 10_000 == 5_000 else row for at, row in enumerate(flat)]
    yield "one body, nothing done", BUCKET, flat
    yield "GZIP", BUCKET | {"CompressionFormat": "GZIP"}, flat
    yield "Snappy", BUCKET | {"CompressionFormat": "Snappy"}, flat
    yield "Parquet", converted("ParquetSerDe"), flat
    yield "ORC", converted("OrcSerDe"), flat
    yield "Parquet, one bad record in 10,000", converted("ParquetSerDe"), bad
    yield (
        "Parquet, one number a text in each record",
        converted("ParquetSerDe"),
        [record(at, n=f"{at}") for at in range(count)],
    )
    yield "five partitions by jq", BUCKET | PARTITIONED, flat


def main(count: int) -> None:
    print(f"{count:,} records of {len(record(count))} bytes\n")
    for name, document, data in cases(count):
        numbers = np.arange(count)
        records = Records(pa.array(data, pa.binary()), numbers, numbers)
        made = plan.of(document, STREAM, tables=TABLES)
        action: Callable[[], object] = partial(objects, records, [], STREAM, made, Source(0, 0))
        print(f"| {name} | {count / best(action):,.0f} records/s |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
