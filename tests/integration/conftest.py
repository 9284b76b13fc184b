"""Addresses of the servers that `make stack-up` starts; without them the tests of this folder are skipped."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from places import S3Place
from stack import Stack
from workers import Answer, Run, Traffic, make_traffic, truth_of

HERE = Path(__file__).parent
FOLDER = os.environ.get("STREAMGAUGE_STACK")  # make test-stack sets it to the stack's folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is in this folder needs servers."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("integration")
            if not FOLDER:
                item.add_marker(pytest.mark.skip(reason="needs real servers: make test-stack"))


@pytest.fixture(scope="session")
def stack() -> Stack:
    assert FOLDER, "the tests of this folder are skipped without it"
    return Stack(Path(FOLDER))


@pytest.fixture(autouse=True)
def every_server_runs_afterwards(stack: Stack) -> Iterator[None]:
    yield
    stack.start_all()


@pytest.fixture(scope="session")
def kafka_brokers(stack: Stack) -> str:
    """host:port of the broker."""
    return _address(stack, "kafka")


@pytest.fixture(scope="session")
def opensearch_url(stack: Stack) -> str:
    return f"http://{_address(stack, 'opensearch')}"


@pytest.fixture(scope="session")
def s3_url(stack: Stack) -> str:
    return f"http://{_address(stack, 's3')}"


@pytest.fixture
def s3_place(s3_url: str, fresh_name: str) -> S3Place:
    """An empty bucket."""
    place = S3Place(s3_url, fresh_name)
    client = place.client()
    client.create_bucket(Bucket=place.bucket)
    client.close()
    return place


@pytest.fixture
def fresh_name() -> str:
    """A name for a topic, an index, a bucket: the data of earlier runs are still there."""
    return f"test-{uuid.uuid4().hex[:12]}"


def _address(stack: Stack, name: str) -> str:
    if name not in stack:
        pytest.skip(f"{name} was not started with the stack")
    return stack.address(name)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Traffic, Answer]:
    """Traffic of two endpoints, and what the embedded host makes of it."""
    directory = tmp_path_factory.mktemp("mixed")
    traffic = make_traffic(directory, 5_000, 26)
    return traffic, truth_of(traffic, directory)


@pytest.fixture
def run_of(
    tmp_path: Path, kafka_brokers: str, opensearch_url: str, s3_place: S3Place, fresh_name: str
) -> Iterator[Callable[..., Run]]:
    """Makes a run of workers, with topics; what workers logged is shown when the test fails."""
    made: list[Run] = []

    def make(traffic: Traffic, **options: object) -> Run:
        made.append(
            run := Run(fresh_name, tmp_path, traffic, kafka_brokers, s3_place, opensearch_url, **options)
        )
        run.make_topics()
        return run

    yield make
    for run in made:
        run.clean()
        for worker in run.workers:
            print(worker.told_at_the_end())
