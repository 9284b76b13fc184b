"""Topics of the distributed host: as they should be, as they are, and how the one becomes the other."""

from collections.abc import Iterable, Mapping
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from msgspec import Struct

from schemas.errors import BrokerError, TopicError
from schemas.times import milliseconds
from stream.kafka_settings import KafkaSettings

_MIN_ISR = "min.insync.replicas"
_SEGMENT_MS = 600_000  # of compacted topics: the newest segment is never compacted, so it must not get old


class Topic(Struct, frozen=True):
    """A topic. `moves` says that keys would change their partition if it grew, away from their states."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    moves: bool = False


class Differences(Struct, frozen=True):
    """What must be done to topics, and what cannot be."""

    missing: list[Topic]
    grown: dict[str, tuple[int, int]]  # partitions that there are, and that there should be
    changed: dict[str, dict[str, tuple[str | None, str]]]  # settings as they are, and as they should be
    refused: list[str]
    by_hand: list[str]

    def sentences(self) -> list[str]:
        """What is to be done, a line a change."""
        lines = [
            f"create {topic.name}: {topic.partitions} partitions, {topic.replication} replicas"
            for topic in self.missing
        ]
        lines += [f"grow {name}: {now} -> {then} partitions" for name, (now, then) in self.grown.items()]
        for name, config in self.changed.items():
            lines += [f"set {name}: {key} = {then} (was {now})" for key, (now, then) in config.items()]
        return lines + [f"by hand: {line}" for line in self.by_hand]


def wanted(settings: KafkaSettings) -> list[Topic]:
    """Topics as the settings want them: those of records first, then what Faust keeps its tables in."""
    common = {"max.message.bytes": str(settings.message_bytes), "compression.type": "producer"}
    if settings.replication >= 3:
        common[_MIN_ISR] = "2"  # else acks=all may mean one broker
    retention = str(milliseconds(settings.retention))
    kept = common | {"cleanup.policy": "delete", "retention.ms": retention}
    # A worker that comes back with old files reads on from where it stopped: what was deleted meanwhile must
    # still be said. One that is away for longer than captures are kept has lost more than that.
    compacted = common | {
        "cleanup.policy": "compact",
        "delete.retention.ms": retention,
        "min.cleanable.dirty.ratio": "0.1",
        "segment.ms": str(_SEGMENT_MS),
    }

    def topic(name: str, partitions: int, config: Mapping[str, str], moves: bool = False) -> Topic:
        return Topic(name, partitions, settings.replication, config, moves)

    # Partitions are compared by when records arrived in them: that must be told by one clock.
    captures = kept | {"message.timestamp.type": "LogAppendTime"}

    app, many = settings.app, settings.partitions
    few, ids = settings.judge_partitions, settings.join_partitions
    return [
        topic(settings.captures_topic, many, captures),
        topic(settings.labels_topic, many, kept),
        topic(settings.joins_topic, ids, kept, moves=True),
        topic(settings.partials_topic, few, kept, moves=True),
        topic(settings.records_topic, many, kept),
        topic(settings.streams_topic, 1, compacted),
        topic(f"{app}-watch-changelog", many, compacted),
        topic(f"{app}-labels-changelog", many, compacted),
        topic(f"{app}-join-changelog", ids, compacted, moves=True),
        topic(f"{app}-judge-changelog", few, compacted, moves=True),
        topic(f"{app}-delivery-changelog", many, compacted),
    ]


def differences(wanted: Iterable[Topic], found: Mapping[str, Topic]) -> Differences:
    """What separates topics that were `found`, by name, from those `wanted`.

    >>> want = Topic("t", 4, 1, {"retention.ms": "5"})
    >>> differences([want], {"t": Topic("t", 2, 1, {"retention.ms": "9", "segment.ms": "1"})}).sentences()
    ['grow t: 2 -> 4 partitions', 'set t: retention.ms = 5 (was 9)']
    """
    found_out = Differences([], {}, {}, [], [])
    for want in wanted:
        have = found.get(want.name)
        if have is None:
            found_out.missing.append(want)
        else:
            _compare(want, have, found_out)
    return found_out


def _compare(want: Topic, have: Topic, found_out: Differences) -> None:
    numbers = f"{want.name} has {have.partitions} partitions, the settings say {want.partitions}"
    if have.partitions > want.partitions:
        found_out.refused.append(f"{numbers}: a topic cannot shrink")
    elif have.partitions < want.partitions and want.moves:
        found_out.refused.append(f"{numbers}: keys would move away from their states")
    elif have.partitions < want.partitions:
        found_out.grown[want.name] = (have.partitions, want.partitions)
    config = dict(want.config)
    if have.replication != want.replication:
        found_out.by_hand.append(f"{want.name} has {have.replication} replicas, not {want.replication}")
        config.pop(_MIN_ISR, None)  # with fewer replicas than that nothing could be written
    changed = {key: (have.config.get(key), then) for key, then in config.items()}
    if changed := {key: pair for key, pair in changed.items() if pair[0] != pair[1]}:
        found_out.changed[want.name] = changed


def apply(admin: Any, settings: KafkaSettings, *, dry_run: bool = False) -> list[str]:
    """Make topics as the settings want them, by kafka-python's admin client; what was done, a line each.

    Doing it again changes nothing. With `dry_run` nothing is changed.

    Raises TopicError, before anything is changed, where a topic cannot be made so; BrokerError.
    """
    want = wanted(settings)
    try:
        todo = differences(want, find(admin, [topic.name for topic in want]))
        if todo.refused:
            raise TopicError("; ".join(todo.refused))
        if not dry_run:
            _carry_out(admin, todo)
    except (KafkaError, OSError) as error:
        raise BrokerError(f"{', '.join(settings.brokers)}: {error}") from error
    return todo.sentences()


def find(admin: Any, names: Iterable[str]) -> dict[str, Topic]:
    """Those of the topics `names` that there are. Raises KafkaError."""
    there = sorted(set(names) & set(admin.list_topics()))
    if not there:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    topics = {}
    for about in admin.describe_topics(there):
        name, partitions = about["name"], about["partitions"]
        replicas = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
        values = {key: entry["value"] for key, entry in configs[name].items()}
        topics[name] = Topic(name, len(partitions), replicas, values)
    return topics


def _carry_out(admin: Any, todo: Differences) -> None:
    if todo.missing:
        made = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": dict(topic.config),
            }
            for topic in todo.missing
        }
        admin.create_topics(made, wait_for_metadata=True)
    if todo.changed:
        values = {
            name: {key: then for key, (_, then) in config.items()} for name, config in todo.changed.items()
        }
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, name, config) for name, config in values.items()
        ]
        for name, answer in admin.alter_configs(resources)["topic"].items():
            if answer != "OK":
                raise BrokerError(f"{name}: its settings cannot be changed: {answer}")
    if todo.grown:
        # A partition of captures without one of its changelog has nowhere to keep its state: those first.
        admin.create_partitions({name: then for name, (_, then) in reversed(todo.grown.items())})
