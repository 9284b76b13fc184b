"""Records a second of one worker on one core that joins a label with each of them, and scores them.

    python bench/worker_labels.py STACK [RECORDS]

STACK is the folder of servers that `make stack-up` has started (.stack). Captures and labels lie in Kafka
when the worker starts, in frames of 500; labels in another order than their predictions. Measured from the
first record until every label is joined, every row and merged record is on S3, and all is covered by
checkpoints.
"""

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from kafka import KafkaProducer

import gauge
import made
import timing
from one_worker import OneWorker, metrics
from schemas.frame import Frame, Subject, encode
from schemas.times import END_OF_TIME, now
from servers_at import Servers
from worker import spent_by

HOURS = 4
FRAME = 500
LABELS = """
[quality]
problem_type = "Regression"
inference_attribute = "prediction"
[labels]
merged = {merged}
"""


def send(run: OneWorker, servers: Servers, count: int) -> None:
    """Captures in the order of time, and a label of each, shuffled."""
    kafka = run.kafka
    rng = np.random.default_rng(1)
    ids: list[str] = []
    with_labels = KafkaProducer(bootstrap_servers=servers.kafka, acks="all", linger_ms=20)
    for number in range(count // FRAME):
        when = made.START + timedelta(hours=HOURS) * (number * FRAME / count)
        frame = Frame.of(gauge.SUBJECT, made.stream(FRAME, number, when), now())
        with_labels.send(kafka.captures_topic, encode(frame), partition=number % kafka.partitions)
        ids += [f"{number:08x}-0000-4000-8000-{index}" for index in range(FRAME)]
    order = rng.permutation(len(ids))
    values = rng.random(len(ids)).round(6)
    for number, start in enumerate(range(0, len(ids), FRAME)):
        lines = [f"{ids[i]},{values[i]}".encode() for i in order[start : start + FRAME]]
        frame = Frame.of(Subject(), pa.array(lines, pa.binary()), now(), labels=True)
        with_labels.send(kafka.labels_topic, encode(frame), partition=number % kafka.partitions)
    for partition in range(kafka.partitions):
        end = encode(Frame.completion(gauge.SUBJECT, END_OF_TIME))
        with_labels.send(kafka.captures_topic, end, partition=partition)
    with_labels.flush()
    with_labels.close()


def measure(folder: Path, servers: Servers, count: int, merged: bool) -> str:
    """A row of the table."""
    more = LABELS.format(merged=str(merged).lower())
    run = OneWorker(f"labels-{merged}".lower(), folder, servers, more=more, labels=True)
    send(run, servers, count)
    worker = run.start()
    began = used = 0.0
    try:
        while True:
            found = metrics()
            if not began and found.get("streamgauge_records_total"):
                began, used = time.perf_counter(), spent_by(worker.pid)
            matched = found.get("streamgauge_predictions_matched_total", 0)
            stages = ("watch", "labels", "join")
            waits = sum(found.get(f"streamgauge_uncovered_messages {stage}", 1) for stage in stages)
            if matched >= count and not waits:
                break
            if worker.poll() is not None:
                raise SystemExit("the worker has ended")
            time.sleep(0.5)
        wall, used = time.perf_counter() - began, spent_by(worker.pid) - used
    finally:
        worker.terminate()
        worker.wait()
    assert matched == run.rows == count, f"{run.rows} rows and {matched:.0f} matches of {count} records"
    rates = " | ".join(timing.three_digits(count / seconds) for seconds in (wall, used))
    return f"| {'yes' if merged else 'no'} | {count:,} | {rates} |"


def main() -> None:
    servers = Servers.of(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    print(f"{timing.machine(['faust-streaming', 'aiokafka', 'pyarrow'])}.\n")
    print("| merged records written | records | records/s | per s of processor time |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for merged in (False, True):
            print(measure(Path(folder), servers, count, merged), flush=True)


if __name__ == "__main__":
    main()
