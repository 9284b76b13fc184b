"""What is counted of a delivered range, by the names that Firehose gives its metrics."""

from collections.abc import Mapping, Sequence

from schemas.records import Records
from stream.deliveries.destination import Destination, Placed, Processed
from stream.firehose.objects import Object


def counted(
    destination: Destination, put: Records, processed: Processed, made: Sequence[Placed], now: int
) -> Mapping[str, float]:
    """Metrics of one range. Records that a transform took apart count as the parts; bytes are those put."""
    of_kind: dict[str, list[Object]] = {}
    for _, each in made:
        of_kind.setdefault(each.kind, []).append(each)
    records = {kind: sum(each.records for each in found) for kind, found in of_kind.items()}
    name, age = destination.metric, max(now - int(put.arrived[0]), 0) / 1_000
    to_s3 = name == "DeliveryToS3"
    found: dict[str, float] = {
        f"{name}.Records": records.get("data", 0) if to_s3 else processed.delivered,
        f"{name}.Bytes": put.nbytes,
        f"{name}.Success": processed.success,
        f"{name}.DataFreshness": age,
    }
    if to_s3:
        found["DeliveryToS3.ObjectCount"] = len(of_kind.get("data", ()))
    if destination.partitions:
        found["PartitionCount"] = len(of_kind.get("data", ()))
    if destination.converts:
        found["SucceedConversion.Records"] = records.get("data", 0)
        found["FailedConversion.Records"] = records.get("format-conversion-failed", 0)
    if destination.calls:
        found["SucceedProcessing.Records"] = len(processed.done.records)
    if "backup" in of_kind:
        found |= {
            "BackupToS3.Records": records["backup"],
            "BackupToS3.Bytes": put.nbytes,
            "BackupToS3.Success": 1,
            "BackupToS3.DataFreshness": age,
        }
    return found
