"""Metrics by Firehose's names, as Prometheus and CloudWatch read them."""

import json
import threading

from doors import S3
from stream.ingest.exposition import embedded, embedded_lines, prometheus
from stream.ingest.metrics import Metrics, Series


def test_puts_are_counted_by_the_names_of_the_service(door, client, plain):
    client.put_record(DeliveryStreamName=plain, Record={"Data": b"123"})
    client.put_record_batch(DeliveryStreamName=plain, Records=[{"Data": b"12345"}, {"Data": b""}])
    counted = {
        name: series for (stream, name), series in door.door.metrics.snapshot().items() if stream == plain
    }
    totals = {name: series.total for name, series in counted.items() if not name.endswith("Latency")}
    assert totals == {
        "IncomingBytes": 8,
        "IncomingRecords": 3,
        "IncomingPutRequests": 2,
        "PutRecord.Bytes": 3,
        "PutRecord.Requests": 1,
        "PutRecordBatch.Bytes": 5,
        "PutRecordBatch.Records": 2,
        "PutRecordBatch.Requests": 1,
    }
    assert counted["IncomingBytes"].count == 2  # one sample a call
    assert counted["PutRecord.Latency"].total > 0


def test_control_calls_are_counted_and_a_stream_that_is_gone_is_no_more(door, client, plain):
    client.describe_delivery_stream(DeliveryStreamName=plain)
    client.list_delivery_streams()
    client.put_record(DeliveryStreamName=plain, Record={"Data": b"123"})
    counted = door.door.metrics.snapshot()
    assert counted[plain, "DescribeDeliveryStream.Requests"].total == 1
    assert counted["", "ListDeliveryStreams.Requests"].total == 1
    client.delete_delivery_stream(DeliveryStreamName=plain)
    assert {stream for stream, _ in door.door.metrics.snapshot()} == {""}
    client.create_delivery_stream(DeliveryStreamName=plain, S3DestinationConfiguration=S3)


def test_counts_of_many_threads_add_up():
    metrics = Metrics()

    def count() -> None:
        for _ in range(1_000):
            metrics.add("s", IncomingRecords=2)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.snapshot()["s", "IncomingRecords"] == Series(4_000, 8_000, 2)


SNAPSHOT = {
    ("a", "IncomingRecords"): Series(2, 600, 100),
    ("b", "IncomingRecords"): Series(1, 5, 5),
    ("a", "DeliveryToS3.DataFreshness"): Series(3, 90, 12.5),
    ("a", "PutRecord.Latency"): Series(4, 10.5, 2),
    ("", "ListDeliveryStreams.Requests"): Series(7, 7, 1),
    ('odd"\\\n', "DeliveryToS3.Success"): Series(2, 1, 0),
}


def test_prometheus_text():
    assert prometheus(SNAPSHOT).splitlines() == [
        "# TYPE firehose_list_delivery_streams_requests_total counter",
        "firehose_list_delivery_streams_requests_total 7",
        "# TYPE firehose_delivery_to_s3_data_freshness gauge",
        'firehose_delivery_to_s3_data_freshness{stream="a"} 12.5',
        "# TYPE firehose_incoming_records_total counter",
        'firehose_incoming_records_total{stream="a"} 600',
        'firehose_incoming_records_total{stream="b"} 5',
        "# TYPE firehose_put_record_latency_milliseconds_sum counter",
        'firehose_put_record_latency_milliseconds_sum{stream="a"} 10.5',
        "# TYPE firehose_put_record_latency_milliseconds_count counter",
        'firehose_put_record_latency_milliseconds_count{stream="a"} 4',
        "# TYPE firehose_delivery_to_s3_success gauge",
        'firehose_delivery_to_s3_success{stream="odd\\"\\\\\\n"} 0',
    ]
    assert prometheus({}) == ""


def test_the_embedded_metric_format_tells_what_was_new():
    before = {("a", "IncomingRecords"): Series(1, 500, 500), ("b", "IncomingRecords"): Series(1, 5, 5)}
    whole, of_a, _ = embedded(SNAPSHOT, before, 1_000)  # nothing of b is new
    assert "DeliveryStreamName" not in whole
    assert of_a["DeliveryStreamName"] == "a"
    assert (of_a["IncomingRecords"], of_a["DeliveryToS3.DataFreshness"], of_a["PutRecord.Latency"]) == (
        100,
        12.5,
        2.625,
    )
    (about,) = of_a["_aws"]["CloudWatchMetrics"]
    assert (of_a["_aws"]["Timestamp"], about["Namespace"]) == (1_000, "AWS/Firehose")
    assert about["Dimensions"] == [["DeliveryStreamName"]]
    assert {metric["Name"]: metric["Unit"] for metric in about["Metrics"]} == {
        "IncomingRecords": "Count",
        "DeliveryToS3.DataFreshness": "Seconds",
        "PutRecord.Latency": "Milliseconds",
    }
    lines = embedded_lines(SNAPSHOT, before, 1_000, "Own").splitlines()
    assert [json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines] == ["Own"] * 3
    assert embedded_lines(SNAPSHOT, SNAPSHOT, 1_000) == b""
