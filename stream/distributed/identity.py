"""Which topic it is: one that is deleted and made again has the same name, and its offsets begin anew."""

from typing import Any

from kafka.errors import KafkaError

from schemas.errors import BrokerError


def topic_identity(admin: Any, name: str) -> str | None:
    """The id that brokers have given the topic, by kafka-python's admin client; None when there is none of
    this name. Raises BrokerError."""
    try:
        found = {topic["name"]: topic for topic in admin.describe_topics([name])}
    except (KafkaError, OSError) as error:
        raise BrokerError(f"{name}: {error}") from error
    topic = found.get(name)
    if topic is None or topic.get("error_code"):
        return None
    return str(topic["topic_id"]).replace("-", "")
