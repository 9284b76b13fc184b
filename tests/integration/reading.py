"""What a topic holds."""

import time
from contextlib import closing

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition


def make_topic(brokers: str, topic: str, partitions: int, **config: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=brokers)) as admin:
        about = {"num_partitions": partitions, "replication_factor": 1, "configs": config}
        admin.create_topics({topic: about}, wait_for_metadata=True)


def messages(brokers: str, topic: str, partitions: int) -> list[list[bytes]]:
    """Values of every partition, in their order."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    held: list[list[bytes]] = [[] for _ in places]
    with closing(KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")) as consumer:
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        until = time.monotonic() + 60
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < until
            for place, polled in consumer.poll(timeout_ms=500).items():
                held[place.partition] += [message.value for message in polled]
    return held
