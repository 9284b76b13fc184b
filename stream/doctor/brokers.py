"""Brokers, and the topics of workers on them."""

from collections.abc import Iterator, Mapping

from kafka.errors import KafkaError

from schemas.errors import BrokerError, ConfigError
from stream import topics
from stream.doctor.finding import PATIENCE, Finding, Level, within
from stream.kafka_client import HINT, admin_client
from stream.kafka_settings import KafkaSettings
from stream.settings import Settings

_MEND = "`streamgauge topics --config FILE`"
_BREAKING = (
    "max.message.bytes",
    "cleanup.policy",
)  # frames refused, states forgotten; others cost time or room


def check_brokers(settings: Settings) -> Iterator[Finding]:
    """Whether brokers answer, and have the topics that the settings want."""
    if "kafka" not in settings.model_fields_set:
        yield Finding("ok", "brokers", "not looked at: there is no table [kafka]")
        return
    named = ", ".join(settings.kafka.brokers)
    try:
        found = within(lambda: _find(settings.kafka))
    except ConfigError as error:
        yield Finding("fail", "brokers", str(error))
    except (BrokerError, KafkaError, OSError) as error:
        said = str(error).removeprefix(f"{named}: ").removesuffix(f"; {HINT}")
        yield Finding("fail", "brokers", f"{named}: {said}; {HINT}")
    else:
        yield Finding("ok", "brokers", named)
        yield from judge(settings.kafka, found)


def _find(settings: KafkaSettings) -> dict[str, topics.Topic]:
    # A little sooner than the question is given up, so that the client can say why.
    with admin_client(settings, int(PATIENCE * 800)) as admin:
        return topics.find(admin, [topic.name for topic in topics.wanted(settings)])


def judge(settings: KafkaSettings, found: Mapping[str, topics.Topic]) -> Iterator[Finding]:
    """What is to be said of topics that were found, by name."""
    for want in topics.wanted(settings):
        problems = [*_problems(want, found)]
        yield from problems or [Finding("ok", f"topic {want.name}", f"{want.partitions} partitions")]


def _problems(want: topics.Topic, found: Mapping[str, topics.Topic]) -> Iterator[Finding]:
    what, differences = f"topic {want.name}", topics.differences([want], found)
    if differences.missing:
        yield Finding("fail", what, f"is missing; {_MEND} makes it")
    for sentence in differences.refused:
        yield Finding("fail", what, f"{sentence}; set what it has, or take another kafka.app")
    for now, then in differences.grown.values():
        yield Finding("fail", what, f"has {now} partitions, not {then}; {_MEND} adds them")
    for config in differences.changed.values():
        for name, (is_now, should) in config.items():
            level: Level = "fail" if name in _BREAKING else "warn"
            yield Finding(level, what, f"{name} is {is_now}, not {should}; {_MEND} sets it")
    for sentence in differences.by_hand:
        yield Finding("warn", what, f"{sentence}; it is changed with kafka-reassign-partitions")
