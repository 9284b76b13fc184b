"""streamgauge topics against a real broker: made, grown, changed, refused."""

from pathlib import Path

from click.testing import CliRunner

from stream.cli import main
from stream.kafka_client import admin_client
from stream.kafka_settings import KafkaSettings
from stream.topics import find, wanted


def test_topics_become_what_the_settings_say(kafka_brokers: str, fresh_name: str, tmp_path: Path):
    def run(**over: object) -> tuple[int, str]:
        given = {"brokers": [kafka_brokers], "app": fresh_name, "partitions": 2, **over}
        file = tmp_path / "streamgauge.toml"
        lines = [
            f"{key} = {str(value) if not isinstance(value, str) else repr(value)}"
            for key, value in given.items()
        ]
        file.write_text("[kafka]\n" + "\n".join(lines))
        result = CliRunner().invoke(main, ["topics", "--config", str(file)])
        return result.exit_code, result.output

    def as_wanted(**over: object) -> None:
        settings = KafkaSettings(brokers=(kafka_brokers,), app=fresh_name, **{"partitions": 2, **over})
        want = {topic.name: topic for topic in wanted(settings)}
        with admin_client(settings) as admin:
            found = find(admin, want)
        for name, topic in want.items():
            assert (found[name].partitions, found[name].replication) == (topic.partitions, 1)
            assert topic.config.items() <= found[name].config.items()

    code, said = run()
    assert code == 0 and said.count("create ") == len(wanted(KafkaSettings()))
    as_wanted()
    assert run() == (0, "nothing to do: topics are as the settings say\n")
    code, said = run(partitions=5, retention="1d")
    assert code == 0 and said.count("grow ") == 6
    as_wanted(partitions=5, retention="1d")
    code, said = run(partitions=3)
    assert code == 2 and "cannot shrink" in said
    as_wanted(partitions=5, retention="1d")
