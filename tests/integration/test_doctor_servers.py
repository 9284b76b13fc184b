"""doctor against real servers: with everything up it is content; each thing missing or wrong is named."""

import gc
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sinks.cluster import reach
from sinks.search_templates import INDICES
from stream.cli import main
from stream.kafka_settings import KafkaSettings
from stream.search import search_sink
from stream.settings import load
from stream.topics import wanted

pytestmark = pytest.mark.integration

# One column, and nothing to be held against: enough to be read.
RULES = {"version": 0.0, "features": [{"name": "age", "inferred_type": "Integral", "completeness": 1.0}]}

Doctor = Callable[..., Result]


@pytest.fixture
def config(
    tmp_path, monkeypatch, kafka_brokers, opensearch_url, s3_url, s3_place, fresh_name
) -> Iterator[Path]:
    """Settings of everything, in a place of its own on each server."""
    for name, value in s3_place.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "constraints.json").write_text(json.dumps(RULES))
    path = tmp_path / "streamgauge.toml"
    path.write_text(f"""
        baseline = "baseline"
        store = "{s3_place.place}"
        [kafka]
        brokers = ["{kafka_brokers}"]
        app = "{fresh_name}"
        partitions = 2
        [opensearch]
        url = "{opensearch_url}"
        prefix = "{fresh_name}"
        [s3]
        endpoint = "{s3_url}"
        region = "{s3_place.region}"
    """)
    yield path
    ask = reach(opensearch_url)
    for kind in INDICES:
        ask("DELETE", f"/{fresh_name}-{kind}", None)
        ask("DELETE", f"/_index_template/{fresh_name}-{kind}", None)


@pytest.fixture
def prepared(config: Path) -> Path:
    """The same with topics and indices made."""
    assert CliRunner().invoke(main, ["topics", "--config", str(config)]).exit_code == 0
    settings = load(config).opensearch
    assert settings is not None
    search_sink(settings).prepare()
    return config


def doctor(config: Path) -> tuple[int, list[str]]:
    """Exit code, and the lines that are not ok."""
    result = CliRunner().invoke(main, ["doctor", "--config", str(config)])
    lines = result.stdout.splitlines()
    assert len(lines) >= 6, result.output
    return result.exit_code, [line for line in lines if not line.startswith("ok ")]


def replaced(config: Path, old: str, new: str) -> Path:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    return config


def test_with_everything_up_it_is_content_and_leaves_nothing_behind(prepared, s3_place):
    assert doctor(prepared) == (0, [])
    client = s3_place.client()
    found = client.list_objects_v2(Bucket=s3_place.bucket).get("Contents", [])
    client.close()
    assert [each["Key"] for each in found] == []
    assert {each.name for each in prepared.parent.iterdir()} == {"baseline", "streamgauge.toml"}


def test_before_the_first_start_topics_and_templates_are_missing(config, fresh_name):
    code, lines = doctor(config)
    assert code == 1
    missing = sum("is missing; `streamgauge topics" in line for line in lines)
    assert missing == len(wanted(KafkaSettings()))
    assert sum(line.startswith(f"warn  index template {fresh_name}-") for line in lines) == len(INDICES)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("partitions = 2", "partitions = 3", "fail  topic NAME-captures — has 2 partitions, not 3"),
        ("partitions = 2", "partitions = 1", "fail  topic NAME-captures — NAME-captures has 2 partitions"),
        (
            "partitions = 2",
            "partitions = 2\nretention = '1d'",
            "warn  topic NAME-captures — retention.ms is 604800000, not 86400000",
        ),
        (
            "partitions = 2",
            "partitions = 2\nmessage_bytes = 2000000",
            "fail  topic NAME-captures — max.message.bytes is 1048576, not 2000000",
        ),
        (
            "partitions = 2",
            "partitions = 2\nreplication = 3",
            "warn  topic NAME-captures — NAME-captures has 1 replicas, not 3",
        ),
        ('store = "s3://NAME"', 'store = "s3://NAME-none"', "fail  store — s3://NAME-none: "),
        ('baseline = "baseline"', 'baseline = "none"', "fail  baselines — "),
    ],
)
def test_what_is_not_as_the_settings_say_is_named(prepared, fresh_name, old, new, line):
    replaced(prepared, old.replace("NAME", fresh_name), new.replace("NAME", fresh_name))
    code, lines = doctor(prepared)
    wanted = line.replace("NAME", fresh_name)
    assert any(each.startswith(wanted) for each in lines), lines
    assert code == any(each.startswith("fail") for each in lines)


def test_an_index_that_is_not_strict_is_named(prepared, opensearch_url, fresh_name):
    ask = reach(opensearch_url)
    ask("DELETE", f"/{fresh_name}-alerts", None)
    ask("DELETE", f"/_index_template/{fresh_name}-alerts", None)
    ask("PUT", f"/{fresh_name}-alerts", None)
    code, lines = doctor(prepared)
    assert code == 1
    assert [line.partition(" — ")[0] for line in lines] == [
        f"warn  index template {fresh_name}-alerts",
        f"fail  index {fresh_name}-alerts",
    ]


def test_wrong_credentials_of_the_store_are_named(prepared, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    code, (line,) = doctor(prepared)
    assert code == 1 and line.startswith("fail  store — ")


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address at which connections are made and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # kafka-python's, when nobody answers
@pytest.mark.parametrize("where", ["nobody", "silent"])
@pytest.mark.parametrize("what", ["brokers", "OpenSearch", "store"])
def test_a_server_that_does_not_answer_is_named_in_time_and_the_others_are_looked_at(
    prepared, what, where, request, kafka_brokers, opensearch_url, s3_url
):
    right = {"brokers": kafka_brokers, "OpenSearch": opensearch_url, "store": s3_url}[what]
    right = right.removeprefix("http://")
    replaced(prepared, right, request.getfixturevalue(where))
    started = time.monotonic()
    code, (line,) = doctor(prepared)
    assert code == 1 and line.startswith(f"fail  {what} — ")
    assert time.monotonic() - started < 20
    gc.collect()  # sockets that are left open end here, not in another test


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_servers_that_stand_still_are_named_and_found_well_again(prepared, stack):
    for name, what in (("kafka", "brokers"), ("opensearch", "OpenSearch"), ("s3", "store")):
        with stopped(stack.process(name).pid):
            code, (line,) = doctor(prepared)
            assert code == 1 and line.startswith(f"fail  {what} — ")
    assert doctor(prepared) == (0, [])
