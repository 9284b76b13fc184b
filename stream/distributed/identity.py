"""Which topic it is: one that is deleted and made again has the same name, and its offsets begin anew."""

from collections.abc import Mapping
from typing import Any

from kafka.errors import KafkaError

from schemas.errors import BrokerError, TopicError


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


def refuse_other_sizes(admin: Any, partitions: Mapping[str, int]) -> None:
    """Raises TopicError where topics have not as many partitions as they should by name: ids would be joined
    away from where they wait, and partitions that are not there be waited for. Raises BrokerError."""
    try:
        found = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(list(partitions))}
    except (KafkaError, OSError) as error:
        raise BrokerError(f"{', '.join(partitions)}: {error}") from error
    wrong = [
        f"topic {name} has {found[name]} partitions, the settings say {wanted}"
        for name, wanted in partitions.items()
        if found.get(name) not in (None, 0, wanted)
    ]
    if wrong:
        raise TopicError(
            f"{'; '.join(wrong)}: set what they have, or run streamgauge topics, which adds some"
        )
