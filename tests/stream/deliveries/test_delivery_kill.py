"""A delivery that is killed, at any of its writes, leaves every record in exactly one object."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from delivering import MIB, Delivering, stream

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("delivery_to_kill.py")
KILLS = 20
PARTS = {"Enabled": True, "Processors": [
    {"Type": "MetadataExtraction", "Parameters": [
        {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{part: .part}"},
        {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
    ]},
    {"Type": "AppendDelimiterToRecord", "Parameters": []},
]}  # fmt: skip


def test_twenty_kills_lose_nothing_and_repeat_nothing(tmp_path):
    defined = stream(
        Prefix="part=!{partitionKeyFromQuery:part}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=PARTS,
        CompressionFormat="GZIP",
    )
    work = Delivering(tmp_path, defined)
    rng = random.Random(5)
    put = 0
    for part in range(18):  # each a minute after the one before: a range of its own
        records = [
            b'{"part": "%c", "n": %d, "fill": "%s"}'
            % (rng.choice(b"abc"), put + i, b"x" * rng.randrange(2_000))
            for i in range(rng.randrange(1, 400))
        ]
        records[0] = records[0][:-1] if part % 5 == 0 else records[0]  # cut off: fails alone
        work.put(*records)
        put += len(records)
        work.clock.sleep(61)
    assert work.queue.waiting("s") > MIB
    work.close()
    kills = 0
    for turn in range(KILLS + 1):
        at = 1_000_000 if turn == KILLS else rng.randrange(1, 9)
        command = [sys.executable, SCRIPT, tmp_path, str(at)]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
        kills += done.returncode == -signal.SIGKILL
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert kills >= 15
    found = [int(line.split(b'"n": ')[1].split(b",")[0]) for line in _lines(work, "part=")]
    failed = _lines(work, "errors/")
    assert len(found) == len(set(found))
    assert len(failed) == 4
    assert len(found) + len(failed) == put


def _lines(work: Delivering, under: str) -> list[bytes]:
    return [line for body in work.objects(under).values() for line in body.splitlines()]
