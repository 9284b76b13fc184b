"""The files of compose/ fit their schema, streamgauge's settings, and each other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream.settings import load

COMPOSE = Path(__file__).parents[2] / "compose"


def test_compose_yaml_fits_the_compose_specification():
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    run = subprocess.run([*check, COMPOSE / "compose.yaml"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_settings_of_the_services_load_and_lead_to_services():
    settings = load(COMPOSE / "streamgauge.toml")
    services = set(re.findall(r"^  ([a-z0-9]+):", (COMPOSE / "compose.yaml").read_text(), re.MULTILINE))
    assert settings.opensearch is not None and settings.s3.endpoint is not None
    addresses = [*settings.kafka.brokers, settings.opensearch.url, settings.s3.endpoint]
    assert {address.split("//")[-1].partition(":")[0] for address in addresses} <= services


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("kafka", "apache/kafka"),
        ("opensearch", "opensearchproject/opensearch"),
        ("opensearch", "opensearchproject/opensearch-dashboards"),
        ("s3proxy", "andrewgaul/s3proxy"),
    ],
)
def test_containers_and_plain_processes_have_the_same_version(version: str, image: str):
    native = re.search(rf"<{version}\.version>(.+?)<", (COMPOSE / "native" / "pom.xml").read_text())
    container = re.search(rf"image: {image}:(\S+)", (COMPOSE / "compose.yaml").read_text())
    assert native and container and native[1] == container[1]
