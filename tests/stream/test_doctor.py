"""What doctor says of each thing that is missing or wrong: fakes of servers, real directories."""

import json
import time
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.errors import BrokerError, ConfigError, SinkBusy
from schemas.times import now
from sinks.refused import Refused
from sinks.search_templates import INDICES, VERSION, mapping, template
from stream import topics
from stream.cli import main
from stream.doctor import brokers, configuration, disk, examine, finding, search, store
from stream.doctor.finding import Finding, within
from stream.kafka_settings import KafkaSettings
from stream.settings import Settings

Usage = namedtuple("Usage", "total used free")


def levels(findings) -> list[tuple[str, str]]:
    return [(each.level, each.what) for each in findings]


def test_a_line_says_level_what_and_why():
    assert str(Finding("warn", "clock", "is late")) == "warn  clock — is late"
    assert str(Finding("ok", "store")) == "ok    store"


def test_a_question_that_takes_too_long_is_given_up():
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        within(lambda: time.sleep(2), 0.05)
    assert time.monotonic() - started < 1
    assert within(lambda: None, 1) is None
    with pytest.raises(BrokerError, match="gone"):
        within(lambda: (_ for _ in ()).throw(BrokerError("gone")), 1)


def test_settings_that_cannot_be_read_are_all_that_is_said(tmp_path):
    config = tmp_path / "streamgauge.toml"
    config.write_text("[kafka]\nbroker = 1\n")
    (only,) = examine(config)
    assert (only.level, only.what) == ("fail", "settings")
    assert "kafka.broker: there is no such setting" in only.text


def test_all_checks_are_made_in_order(tmp_path):
    config = tmp_path / "streamgauge.toml"
    config.write_text("")
    found = [*examine(config)]
    assert levels(found) == [
        ("ok", "settings"),
        ("warn", "baselines"),
        ("ok", "output directory"),
        ("ok", "labels"),
        ("ok", "brokers"),
        ("ok", "store"),
        ("ok", "OpenSearch"),
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["streamgauge.toml"]  # nothing is left behind


@pytest.mark.parametrize(("text", "code"), [("", 0), ('baseline = "none"', 1), ("x = 1", 1)])
def test_the_command_says_a_line_each_and_exits_with_1_when_something_failed(tmp_path, text, code):
    config = tmp_path / "streamgauge.toml"
    config.write_text(text)
    result = CliRunner().invoke(main, ["doctor", "--config", str(config)])
    assert result.exit_code == code
    assert all(line[:6] in ("ok    ", "warn  ", "fail  ") for line in result.output.splitlines())
    assert ("fail" in result.output) == bool(code)


def test_a_baseline_that_cannot_be_read_is_named(tmp_path):
    (found,) = configuration.check_baselines(Settings(baseline=tmp_path / "none"))
    assert found.level == "fail" and "no such directory" in found.text
    (tmp_path / "constraints.json").write_text('{"version": 0.0, "features": []}')
    (found,) = configuration.check_baselines(Settings(baseline=tmp_path))
    assert found == Finding("ok", "baselines", str(tmp_path))


@pytest.mark.parametrize(("free", "level"), [(10 << 30, "ok"), (1 << 29, "warn"), (1 << 20, "fail")])
def test_disk_space_is_looked_at(tmp_path, monkeypatch, free, level):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: Usage(1 << 40, 0, free))
    settings = Settings(output=tmp_path / "a" / "b", kafka=KafkaSettings(state=tmp_path))
    assert levels(disk.check_disks(settings)) == [(level, "output directory"), (level, "state directory")]
    assert [*tmp_path.iterdir()] == []


def test_a_directory_that_cannot_be_written_to_fails():
    (found,) = disk.check_disks(Settings(output=Path("/proc/1/none")))
    assert (found.level, found.what) == ("fail", "output directory")
    assert "cannot be written to" in found.text


WANTED = topics.wanted(KafkaSettings())
FOUND = {each.name: each for each in WANTED}
CAPTURES = WANTED[0]


def changed(**fields):
    return {**FOUND, CAPTURES.name: topics.Topic(*{**as_dict(CAPTURES), **fields}.values())}


def as_dict(topic):
    return {name: getattr(topic, name) for name in topic.__struct_fields__}


def test_topics_as_the_settings_want_them_are_ok():
    found = [*brokers.judge(KafkaSettings(), FOUND)]
    assert levels(found) == [("ok", f"topic {each.name}") for each in WANTED]


@pytest.mark.parametrize(
    ("found", "level", "text"),
    [
        ({}, "fail", "is missing; `streamgauge topics"),
        (changed(partitions=2), "fail", "has 2 partitions, not 4"),
        (changed(partitions=8), "fail", "cannot shrink"),
        (changed(replication=3), "warn", "3 replicas"),
        (
            changed(config={**CAPTURES.config, "retention.ms": "1"}),
            "warn",
            "retention.ms is 1, not 604800000",
        ),
        (changed(config={**CAPTURES.config, "max.message.bytes": "9"}), "fail", "max.message.bytes is 9"),
        (changed(config={**CAPTURES.config, "cleanup.policy": "compact"}), "fail", "is compact, not delete"),
    ],
)
def test_what_is_wrong_with_a_topic_is_said_with_how_to_mend_it(found, level, text):
    first = next(brokers.judge(KafkaSettings(), found))
    assert (first.level, first.what) == (level, f"topic {CAPTURES.name}")
    assert text in first.text


def test_a_missing_topic_of_labels_is_named():
    settings = KafkaSettings(labels="truth")
    (said,) = [each for each in brokers.judge(settings, FOUND) if each.level != "ok"]
    assert (said.level, said.what) == ("fail", "topic truth") and "is missing" in said.text


@pytest.mark.parametrize(
    "error", [BrokerError("127.0.0.1:9092: NoBrokersAvailable"), TimeoutError("no answer within 10 s")]
)
def test_brokers_that_do_not_answer_fail(monkeypatch, error):
    def find(settings):
        raise error

    monkeypatch.setattr(brokers, "_find", find)
    (found,) = brokers.check_brokers(Settings(kafka=KafkaSettings()))
    assert (found.level, found.what) == ("fail", "brokers")
    assert found.text.count("127.0.0.1:9092") == 1


def test_certificates_that_cannot_be_read_are_a_mistake_of_settings():
    settings = Settings.model_validate({"kafka": {"tls": {"ca": "/none.pem"}}})
    (found,) = brokers.check_brokers(settings)
    assert found.level == "fail" and "/none.pem" in found.text


def test_a_local_store_is_tried_and_left_as_it_was(tmp_path):
    (found,) = store.check_store(Settings(store=str(tmp_path / "new" / "store")))
    assert found.level == "ok"
    there = tmp_path / "here"
    there.mkdir()
    assert levels(store.check_store(Settings(store=str(there), rows=str(tmp_path)))) == [
        ("ok", "store"),
        ("ok", "rows"),
    ]
    assert [*there.iterdir()] == [] and [*tmp_path.iterdir()] == [there]


class Objects:
    """A store that gives back what it is told to, or raises it."""

    given: object = None

    @classmethod
    def at(cls, *about, **more):
        return cls()

    def put(self, key, body):
        self.body = body

    def get(self, key):
        if isinstance(self.given, Exception):
            raise self.given
        return self.given or self.body

    def delete(self, key):
        pass


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (b"x", "something else"),
        (SinkBusy("access denied"), "access denied; does the bucket exist"),
        (ConfigError("no such scheme"), "no such scheme"),
        (TimeoutError("no answer within 10 s"), "s3.endpoint"),
    ],
)
def test_a_store_that_does_not_give_back_what_was_put_fails(monkeypatch, given, text):
    monkeypatch.setattr(store, "Objects", type("Given", (Objects,), {"given": given}))
    (found,) = store.check_store(Settings(store="s3://bucket"))
    assert found.level == "fail" and text in found.text


def answers(**changes):
    """A cluster with all that a worker puts; `changes` are its answers to some paths."""
    known = {"/": {"version": {"distribution": "opensearch", "number": "3.8.0"}}}
    for kind in INDICES:
        put = template("sg", kind, 1, 0)
        known[f"/_index_template/sg-{kind}"] = {"index_templates": [{"index_template": put}]}
        known[f"/sg-{kind}/_mapping"] = {f"sg-{kind}": {"mappings": mapping(INDICES[kind])}}
    known["/_nodes/_local/stats/os"] = {"nodes": {"a": {"timestamp": now()}}}
    known |= changes.pop("paths", {})

    def ask(method, path, body):
        assert method == "GET"
        answer = known[path.partition("?")[0]]
        return json.loads(json.dumps(answer)) if not isinstance(answer, Refused) else answer

    return ask


GONE = Refused("404", "404: not found", final=True)


def said_of(paths) -> list[Finding]:
    found = search.examine(answers(paths=paths), "http://search", "sg")
    return [each for each in found if each.level != "ok"]


def test_a_cluster_that_is_as_it_must_be_is_ok():
    assert said_of({}) == []


LOOSE = {"index_templates": [{"index_template": {"version": VERSION, "template": {"mappings": {}}}}]}
NEWER = {"index_templates": [{"index_template": template("sg", "alerts", 1, 0) | {"version": VERSION + 1}}]}
TEXT = mapping({**INDICES["alerts"], "rows": "text"})


@pytest.mark.parametrize(
    ("paths", "level", "text"),
    [
        ({"/": {"version": {"distribution": "opensearch", "number": "1.3.2"}}}, "warn", "version 1.3.2"),
        ({"/": {"version": {"number": "8.0.0"}}}, "fail", "something else answers"),
        ({"/": GONE}, "fail", "something else answers"),
        ({"/": {}}, "fail", "something else answers"),
        ({"/": Refused("401", "401: Unauthorized")}, "fail", "401: Unauthorized; is it running"),
        ({"/_index_template/sg-alerts": GONE}, "warn", "is missing; a worker puts it"),
        ({"/_index_template/sg-alerts": LOOSE}, "fail", "is not strict"),
        ({"/_index_template/sg-alerts": NEWER}, "warn", f"newer version {VERSION + 1}"),
        ({"/sg-alerts/_mapping": {"sg-alerts": {"mappings": {}}}}, "fail", "is not strict or lacks fields"),
        ({"/sg-alerts/_mapping": {"sg-alerts": {"mappings": TEXT}}}, "fail", "rows is text"),
        ({"/_nodes/_local/stats/os": {"nodes": {"a": {"timestamp": now() + 9**7}}}}, "warn", "off this"),
        ({"/_nodes/_local/stats/os": {"nodes": {"a": {"timestamp": now() - 9**8}}}}, "warn", "is -4"),
    ],
)
def test_what_is_wrong_with_a_cluster_is_said(paths, level, text):
    (found,) = said_of(paths)
    assert found.level == level and text in found.text


def test_an_index_that_is_still_to_be_made_is_passed_over():
    assert said_of({"/sg-alerts/_mapping": GONE}) == []


def test_a_cluster_that_stands_still_is_given_up(monkeypatch):
    monkeypatch.setattr(search, "within", lambda action: finding.within(action, 0.05))
    (found,) = search.examine(lambda *_: time.sleep(1), "http://search", "sg")
    assert found.level == "fail" and "no answer within" in found.text


def test_the_settings_of_the_cluster_are_checked():
    settings = Settings.model_validate({"opensearch": {"url": "https://127.0.0.1:1", "ca": "/none.pem"}})
    (found,) = search.check_search(settings)
    assert (found.level, found.what) == ("fail", "OpenSearch") and "/none.pem" in found.text
