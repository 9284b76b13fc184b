"""The servers answer the clients that streamgauge uses, and keep what they have through stop and start."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import pyarrow.fs
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoCluster
from opensearchpy.helpers import bulk

from places import S3Place
from servers import ports
from stack import Stack

TEMPLATE = {
    "index_patterns": ["PREFIX-*"],
    "template": {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {"dynamic": "strict", "properties": {"value": {"type": "double"}}},
    },
}


@pytest.fixture
def topic(kafka_brokers: str, fresh_name: str) -> str:
    with closing(KafkaAdminClient(bootstrap_servers=kafka_brokers)) as admin:
        admin.create_topics([NewTopic(fresh_name, num_partitions=2, replication_factor=1)])
    return fresh_name


@pytest.fixture
def cluster(opensearch_url: str) -> Iterator[OpenSearch]:
    with closing(OpenSearch(opensearch_url, timeout=30, max_retries=0)) as client:
        yield client


def test_kafka_gives_back_what_was_produced_in_order(kafka_brokers: str, topic: str):
    values = [b"%d" % number for number in range(500)]
    produce(kafka_brokers, topic, values)
    assert consume(kafka_brokers, topic, len(values)) == values


def test_a_kafka_group_goes_on_where_it_committed(kafka_brokers: str, topic: str):
    produce(kafka_brokers, topic, [b"first", b"second"])
    assert consume(kafka_brokers, topic, 1, group=topic) == [b"first"]
    assert consume(kafka_brokers, topic, 1, group=topic) == [b"second"]


def test_s3_gives_back_what_boto3_put(s3_place: S3Place):
    with closing(s3_place.client()) as client:
        client.put_object(Bucket=s3_place.bucket, Key="a/b=c/d.json", Body=b"{}")
        assert client.get_object(Bucket=s3_place.bucket, Key="a/b=c/d.json")["Body"].read() == b"{}"
        listed = client.list_objects_v2(Bucket=s3_place.bucket, Prefix="a/")["Contents"]
        assert [entry["Key"] for entry in listed] == ["a/b=c/d.json"]


def test_s3_gives_back_what_arrow_wrote_in_parts(s3_place: S3Place):
    files = arrow_files(s3_place)
    body = bytes(range(256)) * (12 << 12)  # 12 MiB: more than a part
    with files.open_output_stream(f"{s3_place.bucket}/rows/large.parquet") as out:
        out.write(body)
    with files.open_input_file(f"{s3_place.bucket}/rows/large.parquet") as stored:
        assert stored.read() == body


def test_opensearch_keeps_to_a_template_and_says_what_became_of_each_document(
    cluster: OpenSearch, fresh_name: str
):
    put_template(cluster, fresh_name)
    index = f"{fresh_name}-1"
    documents = [{"value": 1.5}, {"value": 2.5}, {"other": 3}]
    actions = [{"_index": index, "_id": str(at), **body} for at, body in enumerate(documents)]
    stored, errors = bulk(cluster, actions, refresh=True, raise_on_error=False)
    assert stored == 2
    assert [error["index"]["error"]["type"] for error in errors] == ["strict_dynamic_mapping_exception"]
    assert cluster.count(index=index)["count"] == 2


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_kafka_keeps_its_topics_through_stop_and_start(
    stack: Stack, kafka_brokers: str, topic: str, kill: bool
):
    produce(kafka_brokers, topic, [b"kept"])
    with stack.without("kafka", kill=kill):
        assert is_refused(stack, "kafka")
    assert consume(kafka_brokers, topic, 1) == [b"kept"]


def test_s3_keeps_its_objects_through_stop_and_start(stack: Stack, s3_place: S3Place):
    with closing(s3_place.client()) as client:
        client.put_object(Bucket=s3_place.bucket, Key="kept", Body=b"kept")
        with stack.without("s3", seconds=1.0):
            assert is_refused(stack, "s3")
        assert client.get_object(Bucket=s3_place.bucket, Key="kept")["Body"].read() == b"kept"


def test_opensearch_keeps_its_documents_through_stop_and_start(
    stack: Stack, cluster: OpenSearch, fresh_name: str
):
    put_template(cluster, fresh_name)
    cluster.index(index=f"{fresh_name}-1", id="kept", body={"value": 1.0})
    with stack.without("opensearch"):
        assert is_refused(stack, "opensearch")
        with pytest.raises(NoCluster):
            cluster.info()
    cluster.cluster.health(index=f"{fresh_name}-1", wait_for_status="green", timeout=30)
    assert cluster.get(index=f"{fresh_name}-1", id="kept")["_source"] == {"value": 1.0}


def produce(brokers: str, topic: str, values: list[bytes]) -> None:
    with closing(KafkaProducer(bootstrap_servers=brokers, acks="all")) as producer:
        for value in values:
            producer.send(topic, value, partition=0)
        producer.flush(timeout=30)


def consume(brokers: str, topic: str, count: int, group: str | None = None) -> list[bytes]:
    """So many records from partition 0, and no more; a group commits where it stands after them."""
    consumer = KafkaConsumer(
        bootstrap_servers=brokers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        consumer_timeout_ms=30_000,
        max_poll_records=count,
    )
    with closing(consumer):
        consumer.assign([TopicPartition(topic, 0)])
        values = [record.value for record in islice(consumer, count)]
        if group:
            consumer.commit()
    return values


def arrow_files(place: S3Place) -> pyarrow.fs.S3FileSystem:
    return pyarrow.fs.S3FileSystem(
        access_key=place.access_key,
        secret_key=place.secret_key,
        endpoint_override=place.url.removeprefix("http://"),
        scheme="http",
        region=place.region,
    )


def put_template(cluster: OpenSearch, prefix: str) -> None:
    cluster.indices.put_index_template(name=prefix, body={**TEMPLATE, "index_patterns": [f"{prefix}-*"]})


def is_refused(stack: Stack, name: str) -> bool:
    return ports.is_free(int(stack.address(name).rpartition(":")[2]))
