"""doctor and the labels in a real topic: what cannot be read, and ids that no capture has."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from made import T0, capture
from stream import topics
from stream.cli import main
from stream.doctor import examine
from stream.doctor.brokers import check_brokers
from stream.doctor.labels import check_labels
from stream.kafka_client import admin_client
from stream.settings import load


@pytest.fixture
def config(tmp_path: Path, kafka_brokers: str, fresh_name: str) -> Path:
    """Captures e0 to e299, labels in files, and empty topics for both."""
    (tmp_path / "captures").mkdir()
    records = [capture(T0 + n, [(0.5, 40, "rome")], f"e{n}") for n in range(300)]
    (tmp_path / "captures" / "a.jsonl").write_bytes(b"".join(record + b"\n" for record in records))
    (tmp_path / "truth").mkdir()
    path = tmp_path / "streamgauge.toml"
    path.write_text(f"""
        [source]
        captures = ["captures"]
        [labels]
        places = ["truth"]
        [kafka]
        brokers = ["{kafka_brokers}"]
        app = "{fresh_name}"
    """)
    kafka = load(path).kafka
    with admin_client(kafka) as admin:
        topics.apply(admin, kafka)
    return path


def sent(config: Path, truth: list[str], frame: int) -> None:
    """Put these labels beside the captures, and send both."""
    (config.parent / "truth" / "a.csv").write_text("".join(line + "\n" for line in truth))
    kafka = load(config).kafka
    to = f"kafka://{kafka.brokers[0]}/{kafka.captures_topic}"
    result = CliRunner().invoke(main, ["replay", "--config", str(config), "--to", to, "--frame", str(frame)])
    assert result.exit_code == 0, result.output


def found(config: Path) -> list[str]:
    (ok, *rest) = map(str, examine(config, [check_labels]))
    assert ok.startswith("ok    settings")
    return rest


@pytest.mark.parametrize("frame", [1, 100])
def test_labels_that_name_captures_are_ok(config, frame):
    topic = load(config).kafka.labels_topic
    sent(config, [f"e{n},1" for n in range(0, 300, 3)], frame)
    place = config.parent / "truth"
    assert found(config) == [
        f"ok    labels — {place}: 100 looked at",
        "ok    ids of labels in files — 100 of 100 are among 300 captures",
        f"ok    labels — topic {topic}: 100 looked at",
        "ok    ids of labels in topics — 100 of 100 are among 300 captures",
    ]


def test_ids_of_no_capture_and_what_is_no_label_are_told(config):
    topic = load(config).kafka.labels_topic
    sent(config, ["17,1", "18,1", "nothing"], 1)
    _, in_files, payloads, in_topics = found(config)
    assert in_files.startswith(
        "warn  ids of labels in files — none of 2 is among 300 captures: a label is of '17'"
    )
    assert payloads.startswith(
        f"warn  labels — topic {topic}: 1 of 3 are no labels that can be read, such as {topic}, "
    )
    assert in_topics.startswith("warn  ids of labels in topics — none of 2 is among 300 captures")


def test_a_missing_topic_of_labels_fails(config):
    config.write_text(config.read_text() + "labels = 'nowhere'\n")
    lines = [str(each) for each in check_brokers(load(config))]
    assert [line for line in lines if not line.startswith("ok")] == [
        "fail  topic nowhere — is missing; `streamgauge topics --config FILE` makes it"
    ]
