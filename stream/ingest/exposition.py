"""Metrics as others read them: Prometheus text, and CloudWatch's embedded metric format."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from stream.ingest.metrics import Series, Snapshot

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_UNITS = {"Bytes": "Bytes", "Latency": "Milliseconds", "Duration": "Milliseconds", "DataFreshness": "Seconds"}
_LEVELS = ("DataFreshness", "Success", "PartitionCount", "Limit", "Lag", "Throughput", "BehindLatest")


def prometheus(snapshot: Snapshot) -> str:
    """Text for a scrape. A count is a counter; a level (freshness, success) is a gauge of its last value; a
    duration is a counter of its sum and one of how many, so that their rates give the mean.

    >>> print(prometheus({("plain", "IncomingRecords"): Series(2, 600, 100)}), end="")
    # TYPE firehose_incoming_records_total counter
    firehose_incoming_records_total{stream="plain"} 600
    """
    lines: dict[str, list[str]] = {}
    for (stream, name), series in sorted(snapshot.items()):
        label = f'{{stream="{stream.translate(_ESCAPES)}"}}' if stream else ""
        for family, kind, value in _families(name, series):
            lines.setdefault(family, [f"# TYPE {family} {kind}"]).append(f"{family}{label} {_number(value)}")
    return "".join(line + "\n" for family in lines.values() for line in family)


def _families(name: str, series: Series) -> Iterator[tuple[str, str, float]]:
    base = "firehose_" + _snake(name)
    if _is_level(name):
        yield base, "gauge", series.last
    elif _unit(name) == "Milliseconds":
        yield f"{base}_milliseconds_sum", "counter", series.total
        yield f"{base}_milliseconds_count", "counter", series.count
    else:
        yield f"{base}_total", "counter", series.total


def embedded(
    now: Snapshot, before: Snapshot, at: int, namespace: str = "AWS/Firehose"
) -> Iterator[dict[str, Any]]:
    """One log event a stream, of what was counted between two snapshots; `at` is in ms since the epoch.

    A count is a sum, a duration a mean, a level its last value. CloudWatch keeps namespaces that begin with
    `AWS/` to itself: name another where the events are sent there.
    """
    streams: dict[str, dict[str, float]] = {}
    for (stream, name), series in sorted(now.items()):
        earlier = before.get((stream, name), Series())
        if series.count < earlier.count:  # of an earlier stream of the same name
            earlier = Series()
        if (count := series.count - earlier.count) > 0:
            total = series.total - earlier.total
            mean = total / count if _unit(name) == "Milliseconds" else total
            streams.setdefault(stream, {})[name] = series.last if _is_level(name) else mean
    for stream, values in streams.items():
        metrics = [{"Name": name, "Unit": _unit(name)} for name in values]
        dimensions = {"DeliveryStreamName": stream} if stream else {}
        about = {"Namespace": namespace, "Dimensions": [list(dimensions)], "Metrics": metrics}
        yield {"_aws": {"Timestamp": at, "CloudWatchMetrics": [about]}, **dimensions, **values}


def embedded_lines(now: Snapshot, before: Snapshot, at: int, namespace: str = "AWS/Firehose") -> bytes:
    """The same as JSON lines."""
    events = embedded(now, before, at, namespace)
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def _is_level(name: str) -> bool:
    return name.endswith(_LEVELS)


def _unit(name: str) -> str:
    return next(
        (unit for end, unit in _UNITS.items() if name.endswith(end)), "None" if _is_level(name) else "Count"
    )


def _snake(name: str) -> str:
    """
    >>> _snake("PutRecordBatch.Latency"), _snake("DeliveryToS3.ObjectCount"), _snake("KMSKeyNotFound")
    ('put_record_batch_latency', 'delivery_to_s3_object_count', 'kms_key_not_found')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.replace(".", "_").lower()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
