"""replay --to, a real broker and the real door: all is there once and in order, also through an outage."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result

from made import HOUR, T0, capture, settings_for, traffic
from reading import make_topic, messages
from schemas.frame import Subject, decode
from schemas.times import END_OF_TIME
from stack import Stack
from stream.cli import main
from stream.sending.address import parse
from stream.sending.run import Sending
from stream.serve import Service
from stream.settings import load

PARTITIONS = 3


@pytest.fixture(scope="module")
def captures(tmp_path_factory) -> tuple[Path, list[bytes]]:
    """A directory of two files, and their records in order."""
    place, records = tmp_path_factory.mktemp("captures"), traffic(4_000)
    (place / "a.jsonl").write_bytes(b"".join(record + b"\n" for record in records[:2_600]))
    with gzip.open(place / "b.jsonl.gz", "wb") as file:
        file.write(b"".join(record + b"\n" for record in records[2_600:]))
    return place, records


@pytest.fixture
def topic(kafka_brokers: str, fresh_name: str) -> str:
    make_topic(kafka_brokers, fresh_name, PARTITIONS)
    return fresh_name


def replay(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["replay", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_frames_lie_over_the_partitions_in_turn_and_windows_are_closed(kafka_brokers, topic, captures):
    place, records = captures
    result = replay(
        place, "--to", f"kafka://{kafka_brokers}/{topic}", "--frame", 300, "--final", "--endpoint", "e"
    )
    assert result.exit_code == 0 and "4,000 acknowledged" in result.output
    held = [[decode(message) for message in each] for each in messages(kafka_brokers, topic, PARTITIONS)]
    for frames in held:
        end = frames.pop()
        assert (end.complete_until, end.subject) == (END_OF_TIME, Subject("e"))
    count = sum(map(len, held))
    assert [len(frames) for frames in held] == [5, 5, 4]  # 9 frames of the first file, 5 of the second
    in_order = [held[i % PARTITIONS][i // PARTITIONS] for i in range(count)]
    assert [record for frame in in_order for record in frame.data.to_pylist()] == records
    assert {len(frame) for frame in in_order} == {300, 200}
    assert in_order[1].line[0] == 301 and in_order[1].source.endswith("a.jsonl")


def test_raw_records_lie_over_the_partitions_in_turn(kafka_brokers, topic, captures):
    place, records = captures
    assert replay(place, "--to", f"kafka://{kafka_brokers}/{topic}", "--frame", 1).exit_code == 0
    held = messages(kafka_brokers, topic, PARTITIONS)
    assert held == [records[number::PARTITIONS] for number in range(PARTITIONS)]


class Both:
    """Captures of three hours and their labels as files, and the topics that both are sent to."""

    def __init__(self, place: Path, brokers: str, app: str) -> None:
        self.brokers, self.app = brokers, app
        self.to = f"kafka://{brokers}/{app}-captures"
        self.captures: list[bytes] = []
        self.labels: list[bytes] = []
        for hour in range(3):
            folder = f"2023/11/15/{hour:02d}"
            of_hour = [capture(T0 + hour * HOUR + n, [(0.5, 40, "rome")], f"e{hour}.{n}") for n in range(700)]
            # Each hour has labels of its own captures, and corrects those of the hours before.
            came = [b"e%d.%d,%d" % (earlier, n, hour) for earlier in range(hour + 1) for n in range(400)]
            self._write(place / "captures/churn/AllTraffic" / folder / "a.jsonl", of_hour)
            self._write(place / "truth" / folder / "a.csv", [b"id,label", *came])
            self.captures += of_hour
            self.labels += came
        self.place = place / "captures"
        self.config = place / "streamgauge.toml"
        self.config.write_text(f'[labels]\nplaces = ["truth"]\n[kafka]\napp = "{app}"\n')
        for name in ("captures", "labels"):
            make_topic(brokers, f"{app}-{name}", PARTITIONS)

    @staticmethod
    def _write(path: Path, lines: list[bytes]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for line in lines))

    def are_there(self) -> None:
        """Assert that both topics hold everything once, and labels of an id in the order they came."""
        found, truth = (
            [[decode(message) for message in each] for each in messages(self.brokers, topic, PARTITIONS)]
            for topic in (f"{self.app}-captures", f"{self.app}-labels")
        )
        assert sorted(self._records(found)) == sorted(self.captures)
        assert sorted(self._records(truth)) == sorted(self.labels)
        for each in truth:
            by_id: dict[bytes, list[int]] = {}
            for record in self._records([each]):
                id_, value = record.split(b",")
                by_id.setdefault(id_, []).append(int(value))
            assert by_id and all(values == sorted(values) for values in by_id.values())

    @staticmethod
    def _records(frames):
        return [record for each in frames for frame in each for record in frame.data.to_pylist()]


@pytest.fixture
def both(tmp_path, kafka_brokers, fresh_name) -> Both:
    return Both(tmp_path, kafka_brokers, fresh_name)


def ends(both: Both, kind: str) -> list[int | None]:
    held = messages(both.brokers, f"{both.app}-{kind}", PARTITIONS)
    return [decode(message).complete_until for each in held for message in each[-1:]]


@pytest.mark.parametrize("frame", [1, 50, 500])
def test_labels_are_sent_into_their_topic_once_and_in_order(both, frame):
    result = replay(both.place, "--config", both.config, "--to", both.to, "--frame", frame)
    assert result.exit_code == 0, result.output
    assert f"Records  2,100 acknowledged by {both.to}" in result.output
    place = f"kafka://{both.brokers}/{both.app}-labels"
    assert f"Labels   2,400 acknowledged by {place}" in result.output
    both.are_there()
    held = messages(both.brokers, f"{both.app}-labels", PARTITIONS)
    assert frame == 1 or all(decode(message).labels for each in held for message in each)
    assert frame != 500 or sum(map(len, held)) == 3 * PARTITIONS  # frames are of all an hour's labels


def test_only_captures_are_completed(both):
    assert replay(both.place, "--config", both.config, "--to", both.to, "--final").exit_code == 0
    assert ends(both, "captures") == [END_OF_TIME] * PARTITIONS
    assert ends(both, "labels") == [None] * PARTITIONS


def test_labels_of_an_hour_are_sent_between_its_captures_and_those_of_the_next(both):
    to, settings = parse(both.to), load(both.config, {"source": {"captures": [str(both.place)]}})
    assert Sending(to, settings, frame=50, rate=2_000).run(lambda: False).problems == []
    times: dict[tuple[str, int], list[int]] = {}
    for kind in ("captures", "labels"):
        for each in messages(both.brokers, f"{both.app}-{kind}", PARTITIONS):
            for frame in map(decode, each):
                hour = int(Path(frame.source).parent.name)
                times.setdefault((kind, hour), []).append(int(frame.arrived[0]))
    for hour in range(3):
        assert max(times["captures", hour]) <= min(times["labels", hour])
        assert hour == 2 or max(times["labels", hour]) <= min(times["captures", hour + 1])


@contextmanager
def sent_beside(run: Sending, begun: Callable[[], bool]) -> Iterator[None]:
    """Send beside what the block does, which comes when sending has `begun`; at its end all is sent."""
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(run.run(lambda: False)))
    thread.start()
    while not begun():
        time.sleep(0.01)
    yield
    thread.join(60)
    assert done


def test_labels_outlive_a_broker_that_is_killed(both, stack: Stack):
    settings = load(both.config, {"source": {"captures": [str(both.place)]}})
    run = Sending(parse(both.to), settings, frame=20, rate=500)
    with sent_beside(run, lambda: run.told_labels.acknowledged >= 200), stack.without("kafka", 3, kill=True):
        assert run.told.acknowledged < 2_100
    assert (run.told.acknowledged, run.told_labels.acknowledged) == (2_100, 2_400)
    both.are_there()


def test_a_topic_of_labels_that_is_missing_is_named_before_anything_is_sent(both):
    settings = both.config.read_text()
    both.config.write_text(f'{settings}labels = "nowhere"\n')
    result = replay(both.place, "--config", both.config, "--to", both.to)
    assert result.exit_code == 2 and "labels: nowhere: no such topic" in " ".join(result.output.split())
    assert messages(both.brokers, f"{both.app}-captures", PARTITIONS) == [[]] * PARTITIONS


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("frame", [1, 20])
def test_a_broker_that_is_away_costs_nothing_and_doubles_nothing(
    kafka_brokers, topic, captures, stack: Stack, kill, frame
):
    place, records = captures
    settings = load(None, {"source": {"captures": [str(place)]}})
    to = parse(f"kafka://{kafka_brokers}/{topic}")
    run = Sending(to, settings, frame=frame, rate=500)
    with sent_beside(run, lambda: run.told.acknowledged >= 500), stack.without("kafka", 3, kill=kill):
        assert run.told.acknowledged < 4_000
    assert run.told.acknowledged == 4_000
    held = messages(kafka_brokers, topic, PARTITIONS)
    if frame == 1:
        assert held == [records[number::PARTITIONS] for number in range(PARTITIONS)]
        return
    frames = [[decode(message) for message in each] for each in held]
    in_order = [frames[i % PARTITIONS][i // PARTITIONS] for i in range(sum(map(len, frames)))]
    assert [record for frame in in_order for record in frame.data.to_pylist()] == records


def test_a_broker_that_stays_away_ends_it_with_what_was_acknowledged(
    kafka_brokers, topic, captures, stack: Stack
):
    place, _ = captures
    results: list[Result] = []
    settings = load(None, {"source": {"captures": [str(place)]}})
    run = Sending(parse(f"kafka://{kafka_brokers}/{topic}"), settings, frame=10, rate=500, timeout="2s")

    def sending() -> None:
        with pytest.raises(Exception, match="no broker answered for 2 s") as caught:
            run.run(lambda: False)
        results.append(caught.value)

    thread = threading.Thread(target=sending)
    thread.start()
    while run.told.acknowledged < 100:
        time.sleep(0.01)
    with stack.without("kafka"):
        thread.join(30)
        assert results and not thread.is_alive()
    held = messages(kafka_brokers, topic, PARTITIONS)
    stored = sum(len(decode(message)) for each in held for message in each)
    assert 100 <= run.told.acknowledged <= stored < 4_000


def test_records_that_do_not_fit_are_left_out(kafka_brokers, fresh_name, tmp_path):
    make_topic(kafka_brokers, fresh_name, 1, **{"max.message.bytes": "70000"})
    small = [b'{"n": %d}' % number for number in range(10)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*small[:5], b"x" * 80_000, *small[5:]]))
    result = replay(tmp_path, "--to", f"kafka://{kafka_brokers}/{fresh_name}", "--frame", 1)
    assert result.exit_code == 1 and "1 records are too large" in result.output and "line 6" in result.output
    assert messages(kafka_brokers, fresh_name, 1) == [small]


def test_a_topic_that_is_not_there_is_not_made(kafka_brokers, fresh_name, captures):
    for _ in range(2):
        result = replay(captures[0], "--to", f"kafka://{kafka_brokers}/{fresh_name}")
        assert result.exit_code == 2 and "no such topic" in result.output


@contextmanager
def serving(tmp_path: Path) -> Iterator[str]:
    """A service with a door; its address."""
    (tmp_path / "in").mkdir()
    settings = settings_for(tmp_path / "out", tmp_path / "in", firehose={"port": 0})
    stop, services = threading.Event(), []

    def serve() -> None:
        services.append(Service(settings, stop))
        services[0].run()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not services or not services[0].firehose.door.port:
            assert time.monotonic() < until
            time.sleep(0.02)
        yield f"http://127.0.0.1:{services[0].firehose.door.port}"
    finally:
        stop.set()
        thread.join()


def make_stream(url: str, name: str, bucket: str) -> None:
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    boto3.client("firehose", endpoint_url=url, region_name="us-east-1", **keys).create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/any",
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"IntervalInSeconds": 0, "SizeInMBs": 1},
        },
    )


def stored(root: Path, wanted: list[bytes]) -> None:
    """Wait until the objects of a bucket are these records."""
    until, all_ = time.monotonic() + 50, b"".join(wanted)
    while (found := objects(root)) != all_:
        assert time.monotonic() < until and len(found) < len(all_)
        time.sleep(0.1)


def test_captures_go_through_a_door_to_its_objects(captures, tmp_path):
    place, records = captures
    with serving(tmp_path) as url:
        result = replay(place, "--to", f"{url}/captures")
        assert result.exit_code == 2 and "no such delivery stream" in result.output
        make_stream(url, "captures", "lake")
        result = replay(place, "--to", f"{url}/captures", "--rate", 3_000)
        assert result.exit_code == 0 and "4,000 acknowledged" in result.output
        stored(tmp_path / "out" / "buckets" / "lake", records)


def test_labels_go_through_a_door_in_a_stream_of_their_own(both, tmp_path):
    with serving(tmp_path) as url:
        make_stream(url, "captures", "lake")
        to = both.place, "--config", both.config, "--to", f"{url}/captures", "--labels-to", "truth"
        result = replay(*to)
        assert result.exit_code == 2 and "truth: no such delivery stream" in result.output
        make_stream(url, "truth", "truths")
        result = replay(*to)
        assert result.exit_code == 0 and f"Labels   2,400 acknowledged by {url}/truth" in result.output
        stored(tmp_path / "out" / "buckets" / "truths", both.labels)
        stored(tmp_path / "out" / "buckets" / "lake", both.captures)  # each once: the first try sent none


def objects(root: Path) -> bytes:
    """Content of all objects, in the order in which they were written."""
    paths = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return b"".join(path.read_bytes() for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns))
