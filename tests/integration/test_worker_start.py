"""Workers that start, stop and cannot start: exit codes, clear sentences, and nothing lost between runs."""

import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from stream.kafka_client import admin_client
from workers import Answer, Run, Traffic, free_port, make_traffic, truth_of, until


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Traffic, Answer]:
    directory = tmp_path_factory.mktemp("small")
    traffic = make_traffic(directory, 1_500, 12, ["churn"])
    return traffic, truth_of(traffic, directory)


@pytest.fixture
def run(small, run_of) -> Run:
    return run_of(small[0], partitions=2)


def told(run: Run, *words: str, code: int = 2) -> None:
    """Assert that a worker ends at once with this exit code and a sentence that has these words."""
    worker = run.worker().start()
    assert worker.ended(30) == code
    last = [line for line in worker.told().splitlines() if line.startswith("streamgauge: ")]
    assert len(last) == 1 and all(word in last[0] for word in words), worker.told()
    assert "Traceback" not in worker.told()


def test_without_topics_it_says_what_makes_them(run):
    with admin_client(run.settings.kafka) as admin:
        names = [name for name in admin.list_topics() if name.startswith(run.name)]
        admin.delete_topics(names)
        until(lambda: run.settings.kafka.captures_topic not in admin.list_topics(), "topics are gone")
    told(run, run.settings.kafka.captures_topic, "streamgauge topics")


def test_a_wrong_baseline_is_named(run):
    text = run.config.read_text()
    run.config.write_text(text.replace(str(run.traffic.baseline), "/nowhere/baseline"))
    told(run, "/nowhere/baseline")


def test_without_a_broker_it_fails(run):
    text = run.config.read_text()
    run.config.write_text(text.replace(run.brokers, f"127.0.0.1:{free_port()}"))
    told(run, "127.0.0.1", code=1)


def test_a_second_worker_needs_a_directory_and_a_port_of_its_own(run):
    port = free_port()
    first, second = run.worker("first"), run.worker("second")
    program = Path(sys.executable).with_name("streamgauge"), "worker", "--config", run.config
    beginning = (*program, "--state", first.state, "--port", port)
    first.start_command(*beginning).until_at_work()
    for state, word in ((first.state, "--state"), (second.state, "--port")):
        second.start_command(*program, "--state", state, "--port", port)
        assert second.ended(30) == 2
        assert word in second.told() and "Traceback" not in second.told()
    assert first.stop() == 0
    first.start_command(*beginning).until_at_work()
    assert "state is read from the brokers" not in first.told()


def test_stopped_under_load_it_stores_everything_soon_and_goes_on_without_its_files(small, run):
    """Stopped by SIGTERM, its local files deleted, and started as Faust's own command does."""
    _, truth = small
    run.begin_to_send(frame=20, rate=150)
    worker = run.worker().start()
    worker.until_at_work()
    until(lambda: run.committed()[0] >= 5, "some captures are acknowledged")
    taken = run.committed()[0]
    assert worker.stop(30) == 0
    stored, _ = run.committed()
    assert stored >= taken and "state is read from the brokers" not in worker.told()
    shutil.rmtree(worker.state)
    text = run.config.read_text()
    run.config.write_text(text.replace("[kafka]", f'[kafka]\nstate = "again"\nport = {free_port()}'))
    again = run.worker("faust")
    again.environment |= {"STREAMGAUGE_CONFIG": str(run.config)}
    again.start_command(Path(sys.executable).with_name("faust"), "-A", "stream.app", "worker", "-l", "info")
    again.until_at_work()
    run.until_done(truth)
    run.same(truth)


def test_captures_of_a_topic_that_was_made_again_are_refused(run):
    run.send()
    worker = run.worker().start()
    until(lambda: len(set(run.committed())) == 1, "captures are taken in")
    assert worker.stop() == 0
    topic = run.settings.kafka.captures_topic
    with closing(KafkaAdminClient(bootstrap_servers=run.brokers)) as admin:
        admin.delete_topics([topic])
        until(lambda: topic not in admin.list_topics(), "the topic is gone")
    run.make_topics()
    run.send()
    worker.start()
    assert worker.ended() not in (0, -signal.SIGKILL)
    assert "deleted and made again" in worker.told()


def test_an_agent_that_crashes_ends_the_worker_loudly(run):
    """A state that nobody can read, under the name of a window."""
    run.send()
    worker = run.worker()
    worker.start(sys.executable, "-c", CRASHING)
    assert worker.ended(60) not in (0, None)
    assert "no such state" in worker.told()


def test_a_worker_whose_connections_do_not_close_ends_all_the_same(run):
    run.send()
    worker = run.worker()
    worker.start(sys.executable, "-c", HANGING).until_at_work()
    assert worker.stop(40) == 0
    assert "everything is stored" in worker.told() and "do not close" in worker.told()
    worker.start().until_at_work()
    assert "state is read from the brokers" not in worker.told()


HANGING = """
import asyncio
from stream.cli import main
from stream.distributed.consumer import WorkerConsumer

async def stop(self):
    await asyncio.Event().wait()

WorkerConsumer.stop = stop
main()
"""

CRASHING = """
from stream.cli import main
from stream.watch import Watch

def observe(self, decoded):
    raise KeyError("no such state")

Watch.observe = observe
main()
"""
