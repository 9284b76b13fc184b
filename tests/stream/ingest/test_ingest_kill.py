"""A door that is killed while records come in has every one that it acknowledged."""

import random
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from door_process import client, opened, started
from doors import S3
from stream.ingest.queue import Queue


class Killed:
    """A door that is started again after each kill, and clients that put until then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acknowledged: set[bytes] = set()
        self.sent: set[bytes] = set()

    def open(self, log: Path) -> tuple[subprocess.Popen[bytes], int]:
        process = started(log, Path(__file__).with_name("door_to_kill.py"), self.path)
        return process, opened(process, log)

    def put(self, port: int, who: str) -> None:
        door = client(port)
        for n in range(1_000_000):
            records = [f"{who}.{n}.{i}".encode() for i in range(n % 7 + 1)]
            self.sent.update(records)
            try:
                answer = door.put_record_batch(DeliveryStreamName="s", Records=[{"Data": r} for r in records])
            except (BotoCoreError, ClientError, OSError):
                return
            entries = zip(records, answer["RequestResponses"], strict=True)
            self.acknowledged.update(record for record, entry in entries if "RecordId" in entry)


def test_every_acknowledged_record_outlives_a_kill_once(tmp_path):
    killed = Killed(tmp_path / "queue.db")
    for turn in range(3):
        process, port = killed.open(tmp_path / f"door-{turn}.log")
        if turn == 0:
            client(port).create_delivery_stream(DeliveryStreamName="s", S3DestinationConfiguration=S3)
        before = len(killed.acknowledged)
        threads = [threading.Thread(target=killed.put, args=(port, f"{turn}.{n}")) for n in range(6)]
        for thread in threads:
            thread.start()
        while len(killed.acknowledged) < before + 200:
            time.sleep(0.01)
        time.sleep(random.Random(turn).uniform(0, 0.1))
        process.kill()
        process.wait()
        for thread in threads:
            thread.join()
    queue = Queue(tmp_path / "queue.db")
    read = queue.read("s", 0, 2**30)
    stored = read.data.to_pylist()
    queue.close()
    assert len(killed.acknowledged) >= 600
    assert len(set(stored)) == len(stored)  # these clients do not send twice
    assert killed.acknowledged <= set(stored) <= killed.sent
    assert (np.diff(read.sequence) > 0).all()
