"""Workers as processes of their own, traffic for them, and what must come out of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pyarrow import fs

from made import HOUR, capture, table
from monitors.data_quality import profile
from monitors.describe import suggest
from places import S3Place
from schemas.times import now, parse_time, to_datetime
from sinks.cluster import reach
from sinks.refused import Refused
from sinks.reports import pretty
from stream import topics
from stream.kafka_client import admin_client
from stream.replay import Replay
from stream.sending.address import parse
from stream.sending.run import Sending
from stream.settings import Settings, load

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
SESSION = 6.0  # seconds after which the brokers take a worker for gone; they allow no less
PATIENCE = 90.0  # seconds within which what should happen happens, on a busy machine too
BESIDE = ("churn", "fraud")


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait until `condition` gives something, and give that."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.1)
    return found


# Traffic ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Traffic:
    """Captures in SageMaker's layout, the baseline beside them, and the event time at which they end."""

    captures: Path
    baseline: Path
    endpoints: tuple[str, ...]
    end: int
    records: int


def make_traffic(
    directory: Path, requests: int, hours: int, endpoints: Sequence[str] = BESIDE, seed: int = 3
) -> Traffic:
    """So many requests an endpoint. They end some hours ago: records without a time are counted in the hour
    in which they arrive, and all hours between are reported.

    From the middle on ages are higher, and what must hold is violated. Of a hundred requests one cannot be
    read at all, one has a column too many, one comes an hour and a half late, which re-opens its window, and
    one comes six hours late, which is too late. Three hours in the middle are without traffic.
    """
    rng = np.random.default_rng(seed)
    end = now() // HOUR * HOUR - 2 * HOUR
    quiet = range(hours // 2 - 2, hours // 2 + 1)
    busy = [hour for hour in range(hours) if hour not in quiet]
    for number, endpoint in enumerate(endpoints):
        for hour, count in zip(busy, _shares(requests, len(busy)), strict=True):
            start = end - (hours - hour) * HOUR
            records = [
                _request(rng, start, hour, place, count, f"{endpoint}-{hour}-{place}", hour > hours // 2)
                for place in range(count)
            ]
            at = directory / "captures" / endpoint / "AllTraffic" / f"{to_datetime(start):%Y/%m/%d/%H}"
            at.mkdir(parents=True)
            (at / f"part-{number}.jsonl").write_bytes(b"".join(record + b"\n" for record in records))
    baseline = directory / "baseline"
    baseline.mkdir()
    described = profile(table())
    (baseline / "statistics.json").write_bytes(pretty(described))
    (baseline / "constraints.json").write_bytes(pretty(suggest(described)))
    return Traffic(directory / "captures", baseline, tuple(endpoints), end, requests * len(endpoints))


def _shares(whole: int, parts: int) -> list[int]:
    return [whole // parts + (part < whole % parts) for part in range(parts)]


def _request(
    rng: np.random.Generator, start: int, hour: int, place: int, count: int, event_id: str, moved: bool
) -> bytes:
    when = start + HOUR * place // count
    when = min(when + int(rng.integers(-60_000, 60_000)), start + HOUR - 1)
    rest = place % 100
    if hour > 8:
        when -= {50: HOUR * 3 // 2, 75: 6 * HOUR}.get(rest, 0)
    rows = [
        (
            round(rng.random(), 6),
            int(rng.integers(18, 80)) + 30 * moved,
            rng.choice(["rome", "oslo", "bern", ""]),
        )
        for _ in range(1 + place % 3)
    ]
    if rest == 25:
        rows = [(score, f"{age},9,9", city) for score, age, city in rows]
    record = capture(max(when, start - 6 * HOUR), rows, event_id)
    return record[:-70] if rest == 99 else record


# What comes out -----------------------------------------------------------------------------------------


@dataclass
class Answer:
    """Everything that a run left: reports by folder and name, rows, and records that were kept aside."""

    reports: dict[str, dict[str, Any]]
    rows: list[tuple[Any, ...]]
    letters: list[tuple[str, str]]

    @classmethod
    def read(cls, filesystem: fs.FileSystem, root: str) -> Answer:
        reports: dict[str, dict[str, Any]] = {}
        for path, body in _files(filesystem, f"{root}/reports"):
            folder, _, name = path.rpartition("/")
            reports.setdefault(folder, {})[name] = json.loads(body)
        selector = fs.FileSelector(f"{root}/captures", recursive=True, allow_not_found=True)
        paths = [info.path for info in filesystem.get_file_info(selector) if info.path.endswith(".parquet")]
        with ThreadPoolExecutor(8) as pool:
            tables = list(pool.map(lambda path: _table(filesystem, path), paths))
        rows = [row for each in tables for row in each]
        letters = []
        for _, body in _files(filesystem, f"{root}/errors"):
            for line in body.splitlines():
                letter = json.loads(line)
                letters.append((letter["code"], letter.get("record") or letter["record_base64"]))
        return cls(reports, sorted(rows, key=str), sorted(letters))


def _files(filesystem: fs.FileSystem, root: str) -> list[tuple[str, bytes]]:
    """Every file under `root`, by its path from there."""
    selector = fs.FileSelector(root, recursive=True, allow_not_found=True)
    paths = [info.path for info in filesystem.get_file_info(selector) if info.is_file]

    def read(path: str) -> bytes:
        with filesystem.open_input_stream(path, compression=None) as stream:
            return stream.read()

    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(read, paths))
    return [(path.removeprefix(f"{root}/"), body) for path, body in zip(paths, bodies, strict=True)]


def _table(filesystem: fs.FileSystem, path: str) -> list[tuple[Any, ...]]:
    endpoint = path.partition("endpoint=")[2].partition("/")[0]
    names = ["_event_id", "_row", "score", "age", "city"]
    read = pa.parquet.read_table(path, columns=names, filesystem=filesystem, partitioning=None)
    return [(endpoint, *row.values()) for row in read.to_pylist()]


Said = dict[tuple[str, str], dict[str, Any]]  # report.json by endpoint and start of window


def said(answer: Answer, end: int) -> tuple[Said, dict[str, Counter[str]]]:
    """What was said of windows up to `end`; and the counts of all behind, by endpoint: records without a time
    are counted in the hour in which they arrive."""
    reports: Said = {}
    behind: dict[str, Counter[str]] = {}
    for documents in answer.reports.values():
        report = documents["report.json"]
        endpoint, start = report["subject"]["endpoint"], report["window"]["start"]
        if parse_time(start) < end:
            assert (endpoint, start) not in reports
            reports[endpoint, start] = report
        else:
            behind.setdefault(endpoint, Counter()).update(report["counts"])
    return reports, behind


def same(answer: Answer, truth: Answer, end: int, poison: int = 0) -> None:
    """Assert that a run of workers left what the embedded host did, beside so many records of the first
    endpoint that nobody can read (`poison`).

    Revisions may differ: how often a window is published again depends on how far partitions are apart.
    Numbers that come from sketches are equal within the error of sketches, and so a violation's description,
    which holds some of them, is left out. Which records are shown as samples may differ.
    """
    reports, behind = said(answer, end)
    wanted, wanted_behind = said(truth, end)
    assert reports.keys() == wanted.keys()
    differing = {
        key: (reports[key]["counts"], wanted[key]["counts"])
        for key in wanted
        if reports[key]["counts"] != wanted[key]["counts"]
    }
    assert not differing, f"counts are not right: {differing}"
    for endpoint in wanted_behind:
        counts = Counter(behind.get(endpoint, Counter()))
        if endpoint == BESIDE[0]:
            counts.subtract(records=poison, bad=poison)
        assert +counts == +wanted_behind[endpoint], endpoint
    for key, report in wanted.items():
        assert reports[key]["status"] == report["status"], key
        assert violations(reports[key]) == violations(report), key
        alike(reports[key]["drift"], report["drift"], f"{key}.drift")
    for folder, documents in truth.reports.items():
        if parse_time(documents["report.json"]["window"]["start"]) < end:
            assert answer.reports[folder].keys() == documents.keys(), folder
            for name in documents.keys() & {"statistics.json"}:
                alike(answer.reports[folder][name], documents[name], f"{folder}/{name}")
    twice = [row for row, count in Counter(row[:3] for row in answer.rows).items() if count > 1]
    assert not twice, f"rows are there twice: {twice[:5]}, {len(twice)} in all"
    assert [row[:3] for row in answer.rows] == [row[:3] for row in truth.rows]
    assert answer.rows == truth.rows
    letters = Counter(letter for letter in answer.letters)
    wanted_letters = Counter(truth.letters)
    assert letters.total() == wanted_letters.total() + poison
    missing = wanted_letters - letters
    assert not missing, f"records that should be kept aside are not: {missing}"


def violations(report: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """What is violated, how often and since when, by feature and check."""
    told = ("rows", "affected", "severity", "first_seen")
    return {
        (each["feature_name"], each["constraint_check_type"]): {name: each.get(name) for name in told}
        for each in report["violations"]
    }


def with_completeness(documents: dict[str, Any]) -> list[str]:
    """Features of which statistics.json says how complete they are."""
    features = documents.get("statistics.json", {}).get("features", [])
    kinds = ("numerical_statistics", "string_statistics")
    return [f["name"] for f in features if any("completeness" in f.get(kind, {}) for kind in kinds)]


def alike(a: Any, b: Any, where: str) -> None:
    """Assert that two documents are equal but for the error of sketches: 2% of rank, and so of a share."""
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys(), where
        for name in a.keys() - {"sketch", "parameters", "data"}:  # how a sketch keeps its values is its own
            alike(a[name], b[name], f"{where}.{name}")
    elif isinstance(a, list) and isinstance(b, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            alike(x, y, f"{where}[{i}]")
    elif isinstance(a, float) or isinstance(b, float):
        assert isclose(a, b, rel_tol=1e-9, abs_tol=0.02), f"{where}: {a} != {b}"
    else:
        assert a == b, f"{where}: {a!r} != {b!r}"


# A run --------------------------------------------------------------------------------------------------


@dataclass
class Worker:
    """A worker as a process. What it logs is shown when a test fails."""

    config: Path
    state: Path
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    begins: int = field(default=0, init=False)  # bytes of the log when it was started last

    def start(self, *before: str) -> Worker:
        """Start it; `before` are a program and its arguments instead of `streamgauge`."""
        program = before or (Path(sys.executable).with_name("streamgauge"),)
        options = ["worker", "--config", self.config, "--state", self.state, "--port", free_port()]
        return self.start_command(*program, *options)

    def start_command(self, *command: object) -> Worker:
        """Start it as this command."""
        self.begins = self.log.stat().st_size if self.log.exists() else 0
        environment = {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"}
        environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "stream")  # for killed_worker.py
        with self.log.open("ab") as log:
            arguments = [str(argument) for argument in command]
            self.process = subprocess.Popen(
                arguments, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        return self

    def told(self) -> str:
        """What it logged since it was started."""
        return self.log.read_bytes()[self.begins :].decode(errors="replace")

    def told_at_the_end(self, lines: int = 60) -> str:
        """The end of its log, which shows when a test fails."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.log.name}", *text.splitlines()[-lines:]])

    def until_told(self, what: str, times: int = 1, patience: float = PATIENCE) -> None:
        """Wait until it has logged `what` so often since it was started."""
        until(lambda: self.told().count(what) >= times or not self.runs, f"worker tells: {what}", patience)
        assert self.told().count(what) >= times, f"the worker ended with {self.code}"

    def until_at_work(self) -> None:
        """Wait until it has taken up a partition."""
        self.until_told("partition taken up")

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def code(self) -> int | None:
        """Its exit code, or less the signal that ended it."""
        assert self.process is not None
        return self.process.poll()

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self, patience: float = PATIENCE) -> int:
        """Wait for its end; the exit code."""
        assert self.process is not None
        return self.process.wait(patience)

    def kill(self) -> None:
        """End it as a failing machine does."""
        self.send(signal.SIGKILL)
        self.ended()

    def stop(self, patience: float = 60.0) -> int:
        """Ask it to stop; the exit code."""
        self.send(signal.SIGTERM)
        return self.ended(patience)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Run:
    """One run of workers: topics, a bucket and indices of its own, and the settings that name them."""

    def __init__(
        self,
        name: str,
        directory: Path,
        traffic: Traffic,
        brokers: str,
        s3: S3Place,
        opensearch: str,
        *,
        partitions: int = 2,
        judge_partitions: int = 1,
        kafka: str = "",
        more: str = "",
    ) -> None:
        self.name, self.directory, self.traffic, self.brokers, self.s3 = name, directory, traffic, brokers, s3
        self.opensearch = reach(opensearch)
        self.config = directory / "streamgauge.toml"
        self.config.write_text(f"""
output = "out"
baseline = "{traffic.baseline}"
store = "{s3.place}/store"
[window]
size = "1h"
lateness = "5m"
retention = "2h"
[source]
endpoint = "{traffic.endpoints[0]}"
[checkpoint]
rows = 2000
interval = "1s"
[kafka]
brokers = ["{brokers}"]
app = "{name}"
partitions = {partitions}
judge_partitions = {judge_partitions}
session_timeout = "{SESSION:g}s"
{kafka}
[s3]
endpoint = "{s3.url}"
region = "{s3.region}"
[opensearch]
url = "{opensearch}"
prefix = "{name}"
{more}
""")
        self.settings: Settings = load(self.config)
        self.workers: list[Worker] = []
        self._sending: list[Thread] = []
        self._failed: list[BaseException] = []

    def make_topics(self) -> None:
        with admin_client(self.settings.kafka) as admin:
            topics.apply(admin, self.settings.kafka)

    def worker(self, name: str = "one", config: Path | None = None) -> Worker:
        """A worker that is not started yet."""
        at = self.directory
        made = Worker(config or self.config, at / f"state-{name}", at / f"{name}.log", self.s3.environment)
        self.workers.append(made)
        return made

    def send(self, *, frame: int = 100, rate: float = 0, final: bool = True) -> Sending:
        """Send all captures, and return when they are acknowledged."""
        over = {
            "source": {
                "captures": [str(self.traffic.captures)],
                "endpoint": self.traffic.endpoints[0],
            }
        }
        to = parse(f"kafka://{self.brokers}/{self.settings.kafka.captures_topic}")
        sending = Sending(to, load(None, over), frame=frame, rate=rate, final=final)
        sending.run(lambda: False)
        assert sending.told.acknowledged == self.traffic.records
        return sending

    def begin_to_send(self, **options: Any) -> Thread:
        """The same beside what the test goes on to do."""

        def work() -> None:
            try:
                self.send(**options)
            except BaseException as error:
                self._failed.append(error)

        thread = Thread(target=work, daemon=True)
        thread.start()
        self._sending.append(thread)
        return thread

    def until_sent(self) -> None:
        for thread in self._sending:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert not self._failed, self._failed

    def committed(self) -> tuple[int, int]:
        """Messages of captures that are acknowledged by the workers, and that there are."""
        topic = self.settings.kafka.captures_topic
        places = [TopicPartition(topic, number) for number in range(self.settings.kafka.partitions)]
        with closing(KafkaConsumer(bootstrap_servers=self.brokers)) as consumer:
            ends = consumer.end_offsets(places)
        with closing(KafkaAdminClient(bootstrap_servers=self.brokers)) as admin:
            try:
                found = admin.list_group_offsets([self.name])[self.name]
            except KafkaError:  # a broker that has just started does not know its groups yet
                return 0, 1
        offsets = {place: found[place].offset for place in places if place in found}
        return sum(max(offset, 0) for offset in offsets.values()), sum(ends.values())

    def until_done(self, truth: Answer, poison: int = 0, patience: float = PATIENCE) -> None:
        """Wait until everything is acknowledged, and every report is there with its counts, by what
        OpenSearch has of them. That it never is will show in what is compared then."""
        self.until_sent()
        reports, counted = said(truth, self.traffic.end)
        wanted = {key: report["counts"]["records"] for key, report in reports.items()}
        wanted_behind = sum(counts["records"] for counts in counted.values()) + poison

        def done() -> bool:
            self.check_workers()
            covered, there = self.committed()
            if covered < there:
                return False
            found = {(d["endpoint"], d["window"]["start"]): d["records"] for d in self.documents("reports")}
            if any(found.get(key) != records for key, records in wanted.items()):
                return False
            behind = sum(n for (_, start), n in found.items() if parse_time(start) >= self.traffic.end)
            return behind == wanted_behind

        end = time.monotonic() + patience
        while not done() and time.monotonic() < end:
            time.sleep(0.3)

    def check_workers(self) -> None:
        """Those that run have not ended by themselves."""
        for worker in self.workers:
            if worker.process is not None and worker.code is not None:
                assert worker.code in (0, -signal.SIGKILL), f"a worker ended with {worker.code}"

    def documents(self, kind: str, query: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """All documents of an index, or those that are asked for, with their ids."""
        self.opensearch("POST", f"/{self.name}-{kind}/_refresh", None)
        body = {"size": 10_000, "query": query or {"match_all": {}}}
        answer = self.opensearch("POST", f"/{self.name}-{kind}/_search", body)
        if isinstance(answer, Refused):
            return []
        return [{**hit["_source"], "_id": hit["_id"]} for hit in answer["hits"]["hits"]]

    def answer(self) -> Answer:
        """What is in the store."""
        found = fs.S3FileSystem(
            endpoint_override=self.s3.url.removeprefix("http://"),
            scheme="http",
            region=self.s3.region,
            access_key=self.s3.access_key,
            secret_key=self.s3.secret_key,
        )
        return Answer.read(found, f"{self.s3.bucket}/store")

    def same(self, truth: Answer, poison: int = 0) -> None:
        """Stop every worker that runs, and compare all that is stored."""
        for worker in self.workers:
            if worker.runs:
                assert worker.stop() == 0
        answer = self.answer()
        same(answer, truth, self.traffic.end, poison)
        self.same_documents(answer)

    def same_documents(self, answer: Answer) -> None:
        """Assert that OpenSearch has each report once, and of its violations each once as an open alert."""
        reports = [documents["report.json"] for documents in answer.reports.values()]
        wanted = {(r["subject"]["endpoint"], r["window"]["start"]): r for r in reports}
        found = self.documents("reports")
        assert Counter((d["endpoint"], d["window"]["start"]) for d in found) == Counter(wanted.keys())
        for document in found:
            report = wanted[document["endpoint"], document["window"]["start"]]
            same_counts = {name: document[name] for name in report["counts"]}
            assert same_counts == report["counts"]
            assert document["status"] == report["status"] and document["revision"] == report["revision"]
        alerts = self.documents("alerts")
        open_ = Counter(
            (d["endpoint"], d["window"]["start"], d["feature"], d["check"])
            for d in alerts
            if d["status"] == "open"
        )
        assert open_ == Counter(
            (*key, *what) for key, report in wanted.items() for what in violations(report)
        )
        points = Counter(
            (d["endpoint"], d["window"]["start"], d["feature"])
            for d in self.documents("metrics", {"term": {"metric": "completeness"}})
        )
        assert points == Counter(
            (
                documents["report.json"]["subject"]["endpoint"],
                documents["report.json"]["window"]["start"],
                name,
            )
            for documents in answer.reports.values()
            for name in with_completeness(documents)
        )
        everything = Counter((d["endpoint"], d["window"]["start"], d["feature"], d["check"]) for d in alerts)
        assert set(everything.values()) <= {1}, "an alert is there twice"

    def clean(self) -> None:
        """End what still runs, and take away what brokers and cluster hold of the run."""
        for worker in self.workers:
            if worker.runs:
                worker.send(signal.SIGCONT)
                worker.kill()
        for kind in ("alerts", "metrics", "reports", "rejected"):
            self.opensearch("DELETE", f"/{self.name}-{kind}", None)
            self.opensearch("DELETE", f"/_index_template/{self.name}-{kind}", None)
        with closing(KafkaAdminClient(bootstrap_servers=self.brokers)) as admin:
            admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(self.name)])


def truth_of(traffic: Traffic, directory: Path) -> Answer:
    """What the embedded host makes of it."""
    over = {
        "output": directory / "out",
        "baseline": traffic.baseline,
        "window": {"size": "1h", "lateness": "5m", "retention": "2h"},
        "source": {"captures": [str(traffic.captures)], "endpoint": traffic.endpoints[0]},
    }
    replay = Replay(load(None, over))
    replay.run()
    replay.close()
    return Answer.read(fs.LocalFileSystem(), str(directory / "out"))
