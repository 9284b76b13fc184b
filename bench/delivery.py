"""Records a second on one core, from the durable queue to Parquet files in a directory.

python bench/delivery.py [RECORDS]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset

import timing
from conversion import TABLES, converted, record
from schemas.delivery_stream import DeliveryStream
from sinks.local_bucket import LocalBuckets
from stream.deliveries.channel import Channel
from stream.deliveries.surroundings import Surroundings
from stream.ingest.metrics import Metrics
from stream.ingest.queue import Queue

ARN = "arn:aws:firehose:us-east-1:000000000000:deliverystream/bench"
BATCH = 500  # records, as PutRecordBatch sends them
CLIENTS = 4  # that put at once


def filled(path: Path, count: int) -> Queue:
    """A queue in which so many records wait, long enough to be due."""
    hints = {"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60}}
    stream = DeliveryStream("bench", ARN, "DirectPut", "ExtendedS3", converted("ParquetSerDe") | hints, 0, 0)
    queue = Queue(path / "queue.db")

    async def fill() -> None:
        await queue.define(stream)
        for at in range(0, count, BATCH * CLIENTS):
            starts = range(at, min(at + BATCH * CLIENTS, count), BATCH)
            batches = [pa.array([record(i) for i in range(s, s + BATCH)], pa.binary()) for s in starts]
            await asyncio.gather(*(queue.append("bench", batch, 1_000) for batch in batches))

    asyncio.run(fill())
    return queue


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    timing.pin()
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as directory:
        queue = filled(Path(directory), count)
        bucket = LocalBuckets(Path(directory) / "buckets")
        around = Surroundings(bucket, time.sleep, lambda: time.time_ns() // 1_000_000, tables=TABLES)
        channel = Channel(queue, "bench", around, Metrics())
        began = time.perf_counter()
        while queue.waiting("bench"):
            channel.step()
        spent = time.perf_counter() - began
        rows = pyarrow.dataset.dataset(Path(directory) / "buckets" / "lake").count_rows()
        queue.close()
    assert rows == count
    print(f"{timing.machine(['pyarrow'])}: {count / spent:,.0f} records/s from the queue to Parquet")


if __name__ == "__main__":
    main()
