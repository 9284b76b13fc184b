"""Topics as the settings want them, against a stand-in for the admin client."""

from types import SimpleNamespace

import pytest
from kafka.errors import KafkaError

from schemas.errors import BrokerError, TopicError
from stream import topics
from stream.distributed.identity import refuse_other_sizes
from stream.kafka_settings import KafkaSettings
from stream.topics import Topic, differences, wanted

SETTINGS = KafkaSettings(app="app", partitions=4)


class Admin:
    """The calls of kafka-python that are made, against topics in memory."""

    def __init__(self) -> None:
        self.topics: dict[str, SimpleNamespace] = {}
        self.calls: list[str] = []
        self.answer = "OK"

    def list_topics(self):
        return [*self.topics, "of others"]

    def describe_topics(self, names):
        return [
            {"name": name, "partitions": [{"replica_nodes": [0] * topic.replication}] * topic.partitions}
            for name, topic in self.topics.items()
            if name in names
        ]

    def describe_configs(self, resources, config_filter):
        names = [resource.name for resource in resources]
        return {"topic": {n: {k: {"value": v} for k, v in self.topics[n].config.items()} for n in names}}

    def create_topics(self, new, wait_for_metadata):
        self.calls.append("create")
        for name, topic in new.items():
            config = {"segment.bytes": "1073741824"} | topic["configs"]
            self.topics[name] = SimpleNamespace(
                partitions=topic["num_partitions"], replication=topic["replication_factor"], config=config
            )

    def alter_configs(self, resources):
        self.calls.append("alter")
        for resource in resources:
            self.topics[resource.name].config |= resource.configs
        return {"topic": {resource.name: self.answer for resource in resources}}

    def create_partitions(self, counts):
        self.calls.append("grow " + " ".join(counts))
        for name, count in counts.items():
            self.topics[name].partitions = count


def changed(**over) -> KafkaSettings:
    return KafkaSettings(**{"app": "app", "partitions": 4, **over})


def test_names_partitions_and_policies():
    named = {"captures": "inference", "labels": "truth"}
    found = {topic.name: topic for topic in wanted(changed(judge_partitions=2, join_partitions=3, **named))}
    assert {name: (topic.partitions, topic.config["cleanup.policy"]) for name, topic in found.items()} == {
        "inference": (4, "delete"),
        "truth": (4, "delete"),
        "app-joins": (3, "delete"),
        "app-partials": (2, "delete"),
        "app-records": (4, "delete"),
        "app-streams": (1, "compact"),
        "app-watch-changelog": (4, "compact"),
        "app-labels-changelog": (4, "compact"),
        "app-join-changelog": (3, "compact"),
        "app-judge-changelog": (2, "compact"),
        "app-delivery-changelog": (4, "compact"),
    }
    week = str(7 * 86_400_000)
    assert found["inference"].config == {
        "cleanup.policy": "delete",
        "retention.ms": week,
        "max.message.bytes": "1048576",
        "compression.type": "producer",
        "message.timestamp.type": "LogAppendTime",
    }
    assert found["app-partials"].config["retention.ms"] == week
    assert found["app-watch-changelog"].config["delete.retention.ms"] == week
    assert "retention.ms" not in found["app-watch-changelog"].config


def test_what_is_missing_is_made_and_a_second_time_nothing_is_done():
    admin = Admin()
    assert len(topics.apply(admin, SETTINGS, dry_run=True)) == 11 and not admin.topics
    assert all(line.startswith("create app-") for line in topics.apply(admin, SETTINGS))
    assert len(admin.topics) == 11
    assert topics.apply(admin, SETTINGS) == [] and admin.calls == ["create"]


def test_captures_grow_and_their_changelog_before_them():
    admin = Admin()
    topics.apply(admin, SETTINGS)
    topics.apply(admin, changed(partitions=6))
    grown = admin.calls[-1].split()[1:]
    assert grown.index("app-watch-changelog") < grown.index("app-captures")
    assert grown.index("app-delivery-changelog") < grown.index("app-records")
    assert {name for name, topic in admin.topics.items() if topic.partitions == 6} == set(grown)


def test_settings_are_changed_and_others_left_alone():
    admin = Admin()
    topics.apply(admin, SETTINGS)
    lines = topics.apply(admin, changed(retention="1d"))
    assert "set app-captures: retention.ms = 86400000 (was 604800000)" in lines
    config = admin.topics["app-captures"].config
    assert config["retention.ms"] == "86400000" and config["segment.bytes"] == "1073741824"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"partitions": 6}, {"partitions": 4, "retention": "1d"}, "app-captures has 6 .* cannot shrink"),
        ({}, {"judge_partitions": 2, "partitions": 5}, "app-partials has 1 .* away from their states"),
        ({}, {"join_partitions": 2}, "app-joins has 4 .* cannot shrink"),
        ({}, {"join_partitions": 6}, "app-joins has 4 .* away from their states"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(before, after, reason):
    admin = Admin()
    topics.apply(admin, changed(**before))
    with pytest.raises(TopicError, match=reason):
        topics.apply(admin, changed(**after))
    assert admin.calls == ["create"]


def test_replicas_are_for_a_person_and_writes_stay_possible_until_then():
    one = {topic.name: topic for topic in wanted(SETTINGS)}
    three = wanted(changed(replication=3))
    assert all(topic.config["min.insync.replicas"] == "2" for topic in three)
    told = differences(three, one)
    assert "by hand: app-captures has 1 replicas, not 3" in told.sentences()
    assert not told.changed and not told.grown and not told.missing


def test_a_topic_with_other_settings_of_its_own_is_as_it_should_be():
    want = Topic("t", 1, 1, {"cleanup.policy": "delete"})
    assert (
        differences([want], {"t": Topic("t", 1, 1, {"cleanup.policy": "delete", "x": "y"})}).sentences() == []
    )


def test_a_broker_that_refuses_is_told():
    admin = Admin()
    topics.apply(admin, SETTINGS)
    admin.answer = "not allowed"
    with pytest.raises(BrokerError, match="not allowed"):
        topics.apply(admin, changed(retention="1d"))

    def gone():
        raise KafkaError("gone")

    admin.list_topics = gone
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:9092.*gone"):
        topics.apply(admin, SETTINGS)


def test_a_worker_refuses_topics_of_another_number_of_partitions_than_is_set():
    """Else ids would be joined away from where their predictions wait."""
    admin = Admin()
    topics.apply(admin, SETTINGS)
    refuse_other_sizes(admin, {"app-joins": 4, "app-captures": 4, "app-not-there": 7})
    with pytest.raises(TopicError, match="app-joins has 4 partitions, the settings say 2"):
        refuse_other_sizes(admin, {"app-joins": 2, "app-captures": 4})
    with pytest.raises(TopicError, match="app-captures has 4 partitions, the settings say 8"):
        refuse_other_sizes(admin, {"app-captures": 8})
